"""The importer of LIDC-IDRI, on small DICOM series, from folders and through a stand-in for the downloading package."""

import shutil
import sys
import types

import numpy as np
import pandas as pd
import pytest

from datasets import lidc
from datasets.case import open_dataset
from datasets.chest_ct import idc
from datasets.files import DataError
from tests.datasets.dicom_inputs import SHAPE, put_series, resized, values_of
from tests.datasets.lidc_inputs import collection
from workflows import prepare as step
from workflows.planning.specs import PrepareSpec
from workflows.running.options import build


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    idc._client.cache_clear()
    yield
    idc._client.cache_clear()


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


def piece(source):
    (found,) = lidc.supply(lidc.Params(source=str(source), subjects=1)).pieces
    return found


def test_folders_that_are_links_are_looked_into_before_a_run(tmp_path):
    collection(tmp_path / "real", 1)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "LIDC-IDRI-0001").symlink_to(tmp_path / "real" / "LIDC-IDRI-0001")
    assert piece(tmp_path / "links").place == tmp_path / "links"


@pytest.mark.parametrize("name", [".DS_Store", "a/.DS_Store", "a/._1-000.dcm", "volumes-4x5x6-1/1.2.9.nii.gz"])
def test_what_systems_leave_behind_or_was_kept_here_is_no_series(tmp_path, name):
    (tmp_path / "source" / name).parent.mkdir(parents=True)
    (tmp_path / "source" / name).write_bytes(b"x")
    assert piece(tmp_path / "source").place is None


def test_too_few_patients_are_said_of_the_folder_they_are_in(tmp_path):
    collection(tmp_path / "source", 1)
    with pytest.raises(DataError, match=r"2 patients found, 3 wanted; complete the DICOM files below .*/source,"):
        imported(tmp_path, source=str(tmp_path / "source"), subjects=3)


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
