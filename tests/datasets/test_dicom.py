"""A series of DICOM slices becomes one volume, whatever its order, orientation and gaps, or is refused by name."""

import locale
import re
import subprocess
import sys

import numpy as np
import pytest

from datasets.chest_ct.dicom import DicomSeries, corner_aligned, read_series
from datasets.files import DataError
from tests.datasets.dicom_inputs import FIRST, GAP, SHAPE, SIZE, SPACING, put_series, put_slice, resized, values_of


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


def test_slices_beside_the_others_are_said(tmp_path):
    put_series(tmp_path / "a", "1.2.9", skip=(2,))
    moved = (FIRST[0] + 3, FIRST[1] - 4, FIRST[2] + 2 * GAP)
    put_slice(tmp_path / "a" / "z.dcm", values_of()[:, :, 2], moved, "1.2.9")
    _, notes = read_series(DicomSeries("p", "1.2.9", tuple((tmp_path / "a").glob("*.dcm"))), SHAPE)
    assert notes == ["1 of 5 slices lie beside the others (up to 5.00 mm), stacked as if they did not"]


def test_a_foreign_or_cut_file_is_named(tmp_path):
    put_series(tmp_path / "a", "1.2.9")
    put_slice(tmp_path / "a" / "z.dcm", np.zeros(SIZE), (0, 0, 99), "1.2.8")
    files = tuple((tmp_path / "a").glob("*.dcm"))
    with pytest.raises(DataError, match=r"z\.dcm: of series 1\.2\.8, expected 1\.2\.9"):
        read_series(DicomSeries("p", "1.2.9", files), SHAPE)
    (tmp_path / "a" / "z.dcm").write_bytes(files[0].read_bytes()[:300])
    with pytest.raises(DataError, match=r"z\.dcm: not a readable DICOM image"):
        read_series(DicomSeries("p", "1.2.9", files), SHAPE)


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
