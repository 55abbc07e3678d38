"""Files of a user's own: every format and direction is read alike, and what cannot be used is refused in one line."""

import locale

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.files import DataError, read_volume
from datasets.own.points import read_points
from datasets.own.scans import Scan, own_locale, read_labels, read_scan
from tests.datasets.own.made import TURNS, labelled, scene, write

FORMATS = [".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ""]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("ending", FORMATS)
def test_any_format_and_direction_is_read_as_it_lies(tmp_path, ending, turn):
    image = scene(size=(14, 12, 10), spacing=(1.5, 2, 2.5), turn=turn)
    scan = read_scan(write(image, tmp_path / f"scan{ending}"))
    assert scan.name == "scan"
    sorted_alike = np.sort(sitk.GetArrayFromImage(scan.image).ravel())
    assert np.array_equal(sorted_alike, np.sort(sitk.GetArrayFromImage(image).ravel()))
    there = Scan(tmp_path, image)
    corner = there.to_millimetres(np.array([[3.0, 4, 5]]))
    value = scan.image[tuple(round(n) for n in scan.to_voxels(corner)[0])]
    assert value == image[3, 4, 5]


def test_the_affine_is_that_of_nibabel(tmp_path):
    path = write(scene(size=(14, 12, 10), turn="oblique"), tmp_path / "scan.nii.gz")
    assert read_scan(path).affine == pytest.approx(nib.load(path).affine, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a b.nii.gz", "a_b"), ("Study.1.NRRD", "Study.1"), ("x__y.mha", "x_y"), ("plain", "plain"), ("..nii", "image")],
)
def test_names_fit_into_paths(tmp_path, name, expected):
    assert Scan(tmp_path / name, None).name == expected


def constant(folder):
    return write(sitk.Image([9, 9, 9], sitk.sitkUInt8), folder / "flat.nii.gz")


def thin(folder):
    return write(scene(size=(20, 20, 3)), folder / "thin.nii.gz")


def colours(folder):
    return write(sitk.Image([9, 9, 9], sitk.sitkVectorUInt8, 3), folder / "colours.mha")


def series_of_volumes(folder):
    nib.save(nib.Nifti1Image(np.zeros((9, 9, 9, 2), np.float32), np.eye(4)), folder / "series.nii")
    return folder / "series.nii"


def four_dimensional(folder):
    return write(sitk.JoinSeries(scene(), scene()), folder / "series.mha")


def not_a_number(folder):
    image = scene(kind=np.float32)
    image[3, 3, 3] = float("nan")
    return write(image, folder / "holes.nii")


def text(folder):
    (folder / "notes.txt").write_text("no image")
    return folder / "notes.txt"


def arrays(folder):
    np.savez(folder / "arrays.npz", image=np.zeros((9, 9, 9)))
    return folder / "arrays.npz"


def empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def two_series(folder):
    write(scene(size=(12, 12, 9)), folder / "both")
    other = scene(size=(12, 12, 9))
    write(other, folder / "second")
    with own_locale():
        for path in (folder / "second").iterdir():
            one = sitk.ReadImage(str(path))
            one.SetMetaData("0020|000e", "1.2.826.0.1.3680043.2.1125.1.9")
            writer = sitk.ImageFileWriter()
            writer.KeepOriginalImageUIDOn()
            writer.SetFileName(str(folder / "both" / f"b{path.name}"))
            writer.Execute(one)
    return folder / "both"


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda folder: folder / "absent.nii", "no such file or folder"),
        (constant, "all voxels are the same"),
        (thin, "every axis has to have at least 8"),
        (colours, "3 numbers a voxel"),
        (four_dimensional, "4 dimensions; save one volume of three"),
        (not_a_number, "1 of 43200 voxels are NaN or infinite"),
        (series_of_volumes, "expected a 3-D volume"),
        (text, "not an image that ITK reads"),
        (arrays, r"not an image that ITK reads \(a file's name ends in \.nii\.gz, .*\.nrrd"),
        (empty_folder, "no DICOM series in it"),
        (two_series, "2 DICOM series in it"),
    ],
)
def test_what_cannot_be_registered_is_one_line(tmp_path, make, fault):
    path = make(tmp_path)
    with pytest.raises(DataError, match=fault) as caught:
        read_scan(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_torn_file_is_refused(tmp_path, ending):
    path = torn = write(scene(), tmp_path / f"scan{ending}")
    if path.is_dir():
        torn = sorted(path.iterdir())[7]
    torn = tmp_path / "scan.raw" if ending == ".mhd" else torn
    if not torn.exists():
        torn = tmp_path / "scan.zraw"
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    with pytest.raises(DataError, match=str(path)):
        read_scan(path)


def test_reading_dicom_leaves_the_locale_alone(tmp_path):
    path = write(scene(), tmp_path / "scan")
    before = locale.setlocale(locale.LC_ALL)
    read_scan(path)
    assert locale.setlocale(locale.LC_ALL) == before


def test_a_missing_slice_is_refused(tmp_path):
    path = write(scene(), tmp_path / "scan")
    sorted(path.iterdir())[7].unlink()
    (path / ".DS_Store").write_text("a system's own")
    with pytest.raises(DataError, match="slices lie 2 to 4 mm apart"):
        read_scan(path)


def test_labels_lie_on_the_grid_of_their_image(tmp_path):
    image = scene()
    scan = read_scan(write(image, tmp_path / "scan.nii.gz"))
    labels = write(labelled(image), tmp_path / "labels.nii.gz")
    assert sitk.GetArrayFromImage(read_labels(labels, scan)).dtype == np.uint16
    with pytest.raises(DataError, match=r"does not lie on the grid of .*scan"):
        read_labels(write(labelled(scene(size=(39, 36, 30))), tmp_path / "other.nii.gz"), scan)
    half = sitk.Cast(labelled(image), sitk.sitkFloat32) * 0.5
    with pytest.raises(DataError, match=r"half\.nii"):
        read_labels(write(half, tmp_path / "half.nii"), scan)


@pytest.mark.parametrize("turn", TURNS)
def test_landmarks_in_every_unit_are_the_same_places(tmp_path, turn):
    scan = Scan(tmp_path, scene(turn=turn))
    voxels = np.array([[3.5, 4, 5], [30, 20, 12], [18, 35, 29]])
    millimetres = scan.to_millimetres(voxels)
    units = {"voxels": voxels, "voxels-from-1": voxels + 1, "lps": millimetres, "ras": millimetres * (-1, -1, 1)}
    for unit, points in units.items():
        np.savetxt(tmp_path / unit, points, delimiter="," if unit == "ras" else " ", header="x y z")
        assert read_points(tmp_path / unit, scan, unit) == pytest.approx(millimetres, abs=1e-6)


def test_landmarks_outside_of_the_image_are_refused_with_the_unit_that_fits(tmp_path):
    scan = Scan(tmp_path, scene())
    np.savetxt(tmp_path / "points.csv", scan.to_millimetres(np.array([[2.0, 3, 4], [20, 30, 25]])))
    with pytest.raises(DataError, match=r"as voxels .* only \d+% of the landmarks lie .*; they all do as lps"):
        read_points(tmp_path / "points.csv", scan, "voxels")
    np.savetxt(tmp_path / "far.csv", [[900.0, 900, 900]])
    with pytest.raises(DataError, match=r"only 0% of the landmarks lie in the image$"):
        read_points(tmp_path / "far.csv", scan, "lps")


def test_a_series_of_one_volume_is_that_volume(tmp_path):
    array = np.random.default_rng(0).random((8, 9, 10, 1)).astype(np.float32)
    nib.save(nib.Nifti1Image(array, np.diag([-2.0, -3.0, 4.0, 1.0])), tmp_path / "one.nii.gz")
    scan = read_scan(tmp_path / "one.nii.gz")
    assert scan.shape == (8, 9, 10)
    assert np.array_equal(read_volume(tmp_path / "one.nii.gz").array, array[..., 0])
    nib.save(nib.Nifti1Image(np.repeat(array, 2, axis=3), np.eye(4)), tmp_path / "two.nii.gz")
    with pytest.raises(DataError, match=r"expected a 3-D volume, got shape \(8, 9, 10, 2\)"):
        read_scan(tmp_path / "two.nii.gz")


def test_nothing_is_printed_of_an_empty_folder(tmp_path, capfd):
    with pytest.raises(DataError, match="no DICOM series in it"):
        read_scan(tmp_path)
    assert capfd.readouterr() == ("", "")
