"""The importer of LIDC-IDRI, on small DICOM series, from folders and through a stand-in for the downloading package."""

import locale
import re
import shutil
import subprocess
import sys
import types

import numpy as np
import pandas as pd
import pytest

from datasets import lidc
from datasets.case import open_dataset
from datasets.chest_ct import idc
from datasets.chest_ct.dicom import DicomSeries, corner_aligned, read_series
from datasets.files import DataError
from tests.datasets.dicom_inputs import FIRST, GAP, SIZE, SPACING, put_series, put_slice, values_of
from tests.datasets.lidc_inputs import collection
from workflows import prepare as step
from workflows.planning.specs import PrepareSpec
from workflows.running.options import build

SHAPE = (4, 6, 8)


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    idc._client.cache_clear()
    yield
    idc._client.cache_clear()


def resized(values: np.ndarray, shape=SHAPE) -> np.ndarray:
    """Sample ``k`` of ``n`` at ``k * N / n``, trilinear, border clamp: one voxel at a time."""
    old, out = values.shape, np.empty(shape)
    values = np.maximum(values, -1024).astype(float)
    for index in np.ndindex(*shape):
        place = [k * n / m for k, n, m in zip(index, old, shape, strict=True)]
        low = [int(p) for p in place]
        total = 0.0
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod([(p - a) if c else 1 - (p - a) for p, a, c in zip(place, low, corner, strict=True)])
            total += weight * values[tuple(min(a + c, n - 1) for a, c, n in zip(low, corner, old, strict=True))]
        out[index] = total
    return out


def test_a_series_is_sorted_rescaled_and_resized(tmp_path):
    scan, notes = read_series(put_series(tmp_path / "a", "1.2.9"), SHAPE)
    np.testing.assert_allclose(scan.values, resized(values_of()), atol=1e-3)
    assert notes == []
    assert scan.grid.origin == pytest.approx(FIRST)
    assert scan.grid.spacing == pytest.approx((0.7 * 16 / 4, 0.8 * 12 / 6, 2.5 * 5 / 8))


def test_reading_leaves_the_locale_as_it_was(tmp_path):
    before = locale.setlocale(locale.LC_ALL)
    read_series(put_series(tmp_path / "a", "1.2.9"), SHAPE)
    assert locale.setlocale(locale.LC_ALL) == before


def test_stored_values_may_be_unsigned(tmp_path):
    values = values_of()
    values[4, 2, 0] = -26560  # stored as -25536, the bits of 40000
    signed, _ = read_series(put_series(tmp_path / "signed", "1.2.9", values=values), SHAPE)
    unsigned, _ = read_series(put_series(tmp_path / "unsigned", "1.2.9", values=values, unsigned=True), SHAPE)
    assert signed.values[1, 1, 0] == -1024
    assert unsigned.values[1, 1, 0] == 40000 - 1024
    np.testing.assert_array_equal(signed.values[0, :, :3], resized(values)[0, :, :3].astype(np.float32))


def test_four_of_512_is_every_fourth_pixel():
    low, _, weight = corner_aligned(512, 128)
    assert low == list(range(0, 512, 4))
    assert not weight.any()
    low, high, weight = corner_aligned(65, 128)
    assert max(high) == 64
    assert (low[127], float(weight[127])) == (64, pytest.approx(127 * 65 / 128 - 64))


@pytest.mark.parametrize(
    ("axes", "flips"),
    [((-1, 0, 0, 0, -1, 0), (0, 1)), ((1, 0, 0, 0, -1, 0), (1,)), ((-1, 0, 0, 0, 1, 0), (0,))],
)
def test_a_patient_who_lay_otherwise_is_turned(tmp_path, axes, flips):
    """The normal is superior or inferior; positions along z alone order the slices."""
    scan, _ = read_series(put_series(tmp_path / "a", "1.2.9", axes=axes), SHAPE)
    np.testing.assert_allclose(scan.values, resized(np.flip(values_of(), flips)), atol=1e-3)
    last = [FIRST[a] - (SIZE[a] - 1) * SPACING[a] if a in flips else FIRST[a] for a in (0, 1)]
    assert scan.grid.origin == pytest.approx([*last, FIRST[2]])


def test_slices_that_are_not_axial_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"LIDC-IDRI-0001.*not axial"):
        read_series(put_series(tmp_path / "a", "1.2.9", axes=(1, 0, 0, 0, 0, -1)), SHAPE)


def test_missing_and_doubled_slices_are_said(tmp_path):
    series = put_series(tmp_path / "a", "1.2.9", skip=(2,))
    scan, notes = read_series(series, SHAPE)
    assert notes == ["1 of 3 gaps between slices differ (2.50 to 5.00 mm), stacked as if they did not"]
    np.testing.assert_allclose(scan.values, resized(np.delete(values_of(), 2, axis=2)), atol=1e-3)
    put_slice(tmp_path / "a" / "9.dcm", values_of()[:, :, 0], (FIRST[0], FIRST[1], FIRST[2] + 2 * GAP), "1.2.9")
    put_slice(tmp_path / "a" / "z.dcm", values_of()[:, :, 0], FIRST, "1.2.9")
    _, notes = read_series(DicomSeries("p", "1.2.9", tuple((tmp_path / "a").glob("*.dcm"))), SHAPE)
    assert notes == ["1 left out: two slices at one place"]


def test_a_foreign_or_cut_file_is_named(tmp_path):
    put_series(tmp_path / "a", "1.2.9")
    put_slice(tmp_path / "a" / "z.dcm", np.zeros(SIZE), (0, 0, 99), "1.2.8")
    files = tuple((tmp_path / "a").glob("*.dcm"))
    with pytest.raises(DataError, match=r"z\.dcm: of series 1\.2\.8, expected 1\.2\.9"):
        read_series(DicomSeries("p", "1.2.9", files), SHAPE)
    (tmp_path / "a" / "z.dcm").write_bytes(files[0].read_bytes()[:300])
    with pytest.raises(DataError, match=r"z\.dcm: not a readable DICOM image"):
        read_series(DicomSeries("p", "1.2.9", files), SHAPE)


def imported(tmp_path, **options):
    folder = tmp_path / "prepared"
    shutil.rmtree(folder, ignore_errors=True)
    lidc.prepare(folder, build(lidc.Params, {"shape": list(SHAPE), **options}), name="lidc")
    return open_dataset(folder)


def test_a_folder_is_imported_for_training(tmp_path):
    collection(tmp_path / "cache" / "lidc")
    folder = tmp_path / "data"
    params = {"subjects": 3, "shape": list(SHAPE)}
    step.prepare(PrepareSpec(name="lidc", module="lidc", params=params, folder=folder))
    data = open_dataset(folder)
    cases = ["LIDC-IDRI-0001", "LIDC-IDRI-0002", "LIDC-IDRI-0003"]
    assert data.training_cases == cases
    assert data.test_pairs == []
    series = {"LIDC-IDRI-0001": "1.2.9.1", "LIDC-IDRI-0002": "1.2.8.2", "LIDC-IDRI-0003": "1.2.9.3"}
    assert data.description.series == series
    volume = data.image(cases[2])
    expected = np.clip((np.rint(resized(values_of(seed=3))) + 1024) / 2024, 0, 1)
    np.testing.assert_allclose(volume.array, expected, atol=1.1 / 2024)
    assert volume.orientation == ("L", "P", "S")
    np.testing.assert_allclose(volume.affine[:3, 3], (5.0, 6.0, 7.5))
    np.testing.assert_allclose(data.description.spacings[cases[2]], volume.spacing, rtol=1e-5)
    assert "3 patients, the paper has 1010" in data.description.notes
    data.check_files()


def test_the_mask_is_a_disc_about_the_centre_pixel(tmp_path):
    collection(tmp_path / "a", 1)
    data = imported(tmp_path, source=str(tmp_path / "a"), subjects=1, shape=[128, 64, 3])
    mask = data.mask("LIDC-IDRI-0001")
    i, j = np.indices((128, 64))
    disc = np.hypot(i * 4 - 256, j * 8 - 256) < 250
    for k in range(3):
        np.testing.assert_array_equal(mask[:, :, k], disc)


def test_fewer_patients_than_wanted_are_refused(tmp_path):
    collection(tmp_path / "cache" / "lidc")
    with pytest.raises(DataError, match=r"3 patients found, 1010 wanted.*subjects: 3"):
        imported(tmp_path)
    data = imported(tmp_path, subjects=2, exclude=["LIDC-IDRI-0002"])
    assert data.training_cases == ["LIDC-IDRI-0001", "LIDC-IDRI-0003"]
    with pytest.raises(DataError, match="LIDC-IDRI-9999"):
        imported(tmp_path, subjects=1, exclude=["LIDC-IDRI-9999"])


def test_oddities_of_series_are_kept(tmp_path, caplog):
    put_series(tmp_path / "a", "1.2.9", skip=(1,))
    data = imported(tmp_path, source=str(tmp_path / "a"), subjects=1)
    note = "LIDC-IDRI-0001: 1 of 3 gaps between slices differ (2.50 to 5.00 mm), stacked as if they did not"
    assert note in data.description.notes
    assert note in caplog.messages


def test_finished_volumes_survive_a_broken_import(tmp_path, monkeypatch):
    root = tmp_path / "a"
    collection(root)
    broken = root / "LIDC-IDRI-0003" / "study" / "b" / "1-004.dcm"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:400])
    with pytest.raises(DataError, match=r"1-00\d\.dcm: not a readable DICOM image"):
        imported(tmp_path, source=str(root), subjects=3)
    broken.write_bytes(whole)
    read, read_series = [], lidc.read_series
    monkeypatch.setattr(
        lidc, "read_series", lambda series, shape: read.append(series.patient) or read_series(series, shape)
    )
    assert len(imported(tmp_path, source=str(root), subjects=3).training_cases) == 3
    assert read == ["LIDC-IDRI-0003"]


def test_a_damaged_volume_in_the_cache_is_made_again(tmp_path):
    collection(tmp_path / "a", 2)
    first = imported(tmp_path, source=str(tmp_path / "a"), subjects=1).description.files
    (stored,) = (tmp_path / "cache" / "lidc").rglob("*.nii.gz")
    stored.write_bytes(stored.read_bytes()[:100])
    assert imported(tmp_path, source=str(tmp_path / "a"), subjects=1).description.files == first


@pytest.fixture
def commons(tmp_path, monkeypatch):
    """A stand-in for the package idc-index: its index, and a download that can be told to break off."""
    root = tmp_path / "commons"
    collection(root)
    rows = [("lidc_idri", f"LIDC-IDRI-000{n}", f"1.2.9.{n}", "CT", 5) for n in (1, 2, 3)]
    rows += [("lidc_idri", "LIDC-IDRI-0002", "1.2.8.2", "CT", 5), ("lidc_idri", "LIDC-IDRI-0001", "1.2.1.1", "DX", 1)]
    rows += [("nlst", "100", "1.2.7", "CT", 3)]
    log = types.SimpleNamespace(asked=[], breaks=0)

    class IDCClient:
        index = pd.DataFrame(
            rows, columns=["collection_id", "PatientID", "SeriesInstanceUID", "Modality", "instanceCount"]
        )

        def download_from_selection(self, downloadDir, seriesInstanceUID, dirTemplate, show_progress_bar):  # noqa: N803
            log.asked.append(seriesInstanceUID[0])
            series = {"1.2.8.2": "LIDC-IDRI-0002/study/c"}
            number = seriesInstanceUID[0][-1]
            for path in sorted(
                (root / series.get(seriesInstanceUID[0], f"LIDC-IDRI-000{number}/study/b")).glob("*.dcm")
            ):
                if log.breaks and number == "3" and path.name == "1-003.dcm":
                    log.breaks -= 1
                    raise ConnectionError("the line went dead")
                shutil.copy(path, downloadDir)

    monkeypatch.setitem(sys.modules, "idc_index", types.SimpleNamespace(IDCClient=IDCClient))
    monkeypatch.setattr(lidc, "PATIENTS", 3)
    return log


def test_series_are_downloaded_one_at_a_time_and_not_kept(tmp_path, commons):
    data = imported(tmp_path)
    assert commons.asked == ["1.2.9.1", "1.2.8.2", "1.2.9.3"]
    assert data.description.series["LIDC-IDRI-0002"] == "1.2.8.2"
    assert not list((tmp_path / "cache").rglob("*.dcm"))
    imported(tmp_path)
    assert len(commons.asked) == 3  # all volumes lie in the cache


def test_a_broken_download_is_tried_again_then_said_and_gone_on_with(tmp_path, commons, monkeypatch):
    commons.breaks = 1
    imported(tmp_path / "a", shape=[4, 4, 4])
    assert commons.asked == ["1.2.9.1", "1.2.8.2", "1.2.9.3", "1.2.9.3"]
    commons.asked.clear()
    commons.breaks = 1 + idc.RETRIES
    with pytest.raises(DataError, match=r"LIDC-IDRI-0003: 3 of 5 files.*the line went dead.*run again"):
        imported(tmp_path)
    assert commons.asked[:2] == ["1.2.9.1", "1.2.8.2"]
    commons.asked.clear()
    assert len(imported(tmp_path).training_cases) == 3
    assert commons.asked == ["1.2.9.3"]
    monkeypatch.setitem(sys.modules, "idc_index", None)  # nor is the package needed any more
    idc._client.cache_clear()
    imported(tmp_path)


def test_without_the_package_the_ways_are_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "idc_index", None)
    with pytest.raises(DataError, match=r"pip install idc-index.*by hand.*WARPBENCH_MIRROR"):
        imported(tmp_path)


def test_an_edited_slice_is_read_again_and_new_times_are_not(tmp_path, monkeypatch):
    put_series(tmp_path / "a", "1.2.9")
    before = imported(tmp_path, source=str(tmp_path / "a"), subjects=1).image("LIDC-IDRI-0001").array
    for path in (tmp_path / "a").iterdir():
        path.write_bytes(path.read_bytes())
    read, read_series = [], lidc.read_series
    monkeypatch.setattr(
        lidc, "read_series", lambda series, shape: read.append(series.patient) or read_series(series, shape)
    )
    imported(tmp_path, source=str(tmp_path / "a"), subjects=1)
    assert read == []
    put_series(tmp_path / "a", "1.2.9", values=values_of(seed=8))
    after = imported(tmp_path, source=str(tmp_path / "a"), subjects=1).image("LIDC-IDRI-0001").array
    assert read == ["LIDC-IDRI-0001"]
    assert np.abs(after - before).max() > 0.1


@pytest.mark.parametrize("change", ["rows", "frames"])
def test_slices_of_wild_size_are_refused(tmp_path, change):
    series = put_series(tmp_path / "a", "1.2.9")
    content = series.files[0].read_bytes()
    found = re.search(rb"\x28\x00\x10\x00(US\x02\x00|\x02\x00\x00\x00)\x0c\x00", content)
    assert found is not None
    long = b"IS\2\0" if found[1].startswith(b"US") else found[1]
    wild = {"rows": found[0][:-2] + b"\x60\xea", "frames": b"\x28\0\x08\0" + long + b"2 " + found[0]}[change]
    series.files[0].write_bytes(content.replace(found[0], wild))
    with pytest.raises(DataError, match=r"1-\d+\.dcm: (expected one slice of grey values|not a readable)"):
        read_series(series, SHAPE)


def test_a_damaged_length_takes_no_gigabytes(tmp_path):
    series = put_series(tmp_path / "a", "1.2.9")
    content = series.files[0].read_bytes()
    at = content.index(b"OB\0\0") + 4  # of the version of the file's own header
    series.files[0].write_bytes(content[:at] + b"\2\0\xff\xff" + content[at + 4 :])
    code = (
        "import re, sys; from pathlib import Path; from datasets.chest_ct.dicom import DicomSeries, read_series\n"
        "try: read_series(DicomSeries('p', '1.2.9', tuple(map(Path, sys.argv[1:]))), (8, 7, 6))\n"
        "except ValueError as error: print(error)\n"
        "print(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text()).group(1))"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, series.files)], capture_output=True, text=True)
    error, peak = done.stdout.splitlines()
    assert f"{series.files[0]}: not a readable DICOM image" in error
    assert int(peak) < 2**20  # KiB
