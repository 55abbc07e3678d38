"""Readers of foreign files on damaged ones: an error of one line comes out, or sound data."""

import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.chest_ct.metaimage import parse_metaimage
from datasets.files import DataError, parse_points, read_volume
from tests.datasets.small_set import AFFINE, IMAGE, flipped, sheared, tilted
from tests.faults.fuzz import HEADER, READERS, one

SHORT = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", [name for name in READERS if name != "yaml"])
def test_damaged_files_give_clear_errors_or_sound_data(tmp_path, name):
    @SHORT
    @given(st.integers(0, 2**32))
    def check(seed):
        assert one(READERS[name], seed, tmp_path / "files") == ""

    check()


# Of five minutes a reader: what came out of the readers as they were (the numbers are seeds of `tests.faults.fuzz`).
FOUND = {
    "hdf5": [1002, 1038, 1046, 1054, 1672, 1990],
    "nifti": [17, 121, 5256],
    "points": [26, 5047, 5520],
}


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name, seeds in FOUND.items() for seed in seeds])
def test_what_fuzzing_found_stays_mended(tmp_path, name, seed):
    assert one(READERS[name], seed, tmp_path / "files") == ""


def test_a_crash_of_a_library_is_seen(tmp_path):
    """The driver itself: a reader that kills its process is told with the seed."""
    code = (
        "import os; from tests.faults import fuzz; "
        "fuzz.READERS['dies'] = fuzz.Reader(lambda f: (f / 'a').write_text('x'), lambda f: os.abort()); "
        "fuzz.main('dies', 0.5, 7)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=os.getcwd())
    assert "seed 7: the process ended with -6" in done.stdout


@pytest.mark.parametrize(
    "fault", ["NDims = 4", "CompressedData = True", "ElementNumberOfChannels = 3", "HeaderSize = -1"]
)
def test_forms_of_metaimage_that_are_not_read_are_named(fault):
    header = HEADER.replace("NDims = 3\n", "").replace("CompressedData = False\n", "") + fault + "\n"
    with pytest.raises(DataError, match=f"{fault}, only .* is read here"):
        parse_metaimage(header.encode(), bytes(420), "a.mhd", "a.raw")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1 1.5 2", "1 nan 2", "ElementSpacing = 1 nan 2, expected 3 numbers"),
        ("1 1.5 2", "1 0 2", "must be positive"),
        ("5 6 7", "5 6 -7", "must be positive"),
        ("5 6 7", "99999 99999 99999", "420 bytes, expected 1999940000599998"),
        ("1 0 0 0 1 0 0 0 1", "0 0 0 0 0 0 0 0 0", "axes that are none"),
        ("ElementSpacing = 1 1.5 2\n", "", "no ElementSpacing"),
        ("Offset = -12.5 3 4\n", "Offset = 1 2 3\nOrigin = 4 5 6\n", "one with two values"),
    ],
)
def test_damaged_metaimage_headers_say_what_is_wrong(old, new, said):
    with pytest.raises(DataError, match=said):
        parse_metaimage(HEADER.replace(old, new).encode(), bytes(420), "a.mhd", "a.raw")


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_the_independent_library_reads_the_same(tmp_path, kind, axes):
    """Also where axes are exchanged and turned, and for each kind of voxel that is read."""
    rng = np.random.default_rng(0)
    image = sitk.GetImageFromArray(rng.integers(0, 99, (5, 6, 7)).astype(kind))
    image.SetSpacing((1.25, 2.5, 3.0))
    image.SetOrigin((-10.5, 20.25, 3.0))
    direction = np.eye(3)[:, axes] * rng.choice([-1, 1], 3)
    image.SetDirection(direction.ravel().tolist())
    sitk.WriteImage(image, tmp_path / "a.mhd")
    header, data = (tmp_path / "a.mhd").read_bytes(), (tmp_path / "a.raw").read_bytes()
    scan = parse_metaimage(header, data, "a.mhd", "a.raw")
    expected = sitk.DICOMOrient(sitk.ReadImage(tmp_path / "a.mhd"), "LPS")
    np.testing.assert_array_equal(scan.values, sitk.GetArrayFromImage(expected).transpose(2, 1, 0))
    np.testing.assert_allclose(scan.grid.origin, expected.GetOrigin())
    np.testing.assert_allclose(scan.grid.spacing, expected.GetSpacing())


@pytest.mark.fault(18)
@pytest.mark.parametrize("row", ["1_0 2 3", "\u0661 2 3", "1 2 3\u00a04", "0x1 2 3", "1,2,3", "1 2 1e999"])
def test_numbers_that_only_python_would_read_are_refused(row):
    with pytest.raises(DataError, match="a, line 2: expected three numbers"):
        parse_points(f"1 2 3\n{row}\n", "a")


@pytest.mark.fault(15)
def test_a_file_that_lies_askew_is_refused_and_one_nearly_straight_is_read(tmp_path):
    for cosine in (0.3, 0.01, 5e-4):
        nib.save(nib.Nifti1Image(IMAGE.astype(np.float32), sheared(cosine)), tmp_path / f"{cosine}.nii.gz")
    for cosine in (0.3, 0.01):
        with pytest.raises(DataError, match="sheared"):
            read_volume(tmp_path / f"{cosine}.nii.gz")
    assert read_volume(tmp_path / "0.0005.nii.gz").spacing == pytest.approx((1.5, 1, 2.5), rel=1e-6)


@pytest.mark.fault(15)
def test_two_forms_of_a_header_that_disagree_are_refused(tmp_path):
    image = nib.Nifti1Image(IMAGE.astype(np.float32), AFFINE)
    image.set_qform(flipped(0), code=1)
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(DataError, match="axes point to LPS by the sform, to RPS by the qform"):
        read_volume(tmp_path / "a.nii")
    image.set_qform(tilted(10), code=1)  # the scanner's place and an aligned one
    nib.save(image, tmp_path / "b.nii")
    assert np.allclose(read_volume(tmp_path / "b.nii").affine, AFFINE)
    image.header["pixdim"][3] = 3.0
    nib.save(image, tmp_path / "c.nii")
    raw = bytearray((tmp_path / "b.nii").read_bytes())
    raw[76 + 12 : 76 + 16] = np.float32(3.0).tobytes()
    (tmp_path / "c.nii").write_bytes(raw)
    with pytest.raises(DataError, match=r"3.0.* mm by pixdim, .*2.5.* by the sform"):
        read_volume(tmp_path / "c.nii")


@pytest.mark.fault(15)
def test_any_flipped_bit_of_a_compressed_file_is_found(tmp_path):
    path = tmp_path / "a.nii.gz"
    nib.save(nib.Nifti1Image(IMAGE.astype(np.float32), AFFINE), path)
    content, rng = path.read_bytes(), np.random.default_rng(1)
    for place in [*rng.integers(10, len(content), 60).tolist(), len(content) - 1, len(content) - 6]:
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(spoilt)
        with pytest.raises(DataError, match=r"a\.nii\.gz: not a readable NIfTI image"):
            read_volume(path)
