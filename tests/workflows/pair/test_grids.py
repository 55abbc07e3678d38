"""The way to a pair's grid and back: any direction, spacing and size; independent warps agree."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name
from scipy import ndimage

from datasets.files import DataError
from datasets.own.resampling import intensities
from datasets.own.scans import Scan
from tests.datasets.own.made import SHIFT, TURNS, filled, interior, scene, smoothly
from workflows.pair.grids import MOST, working_grid
from workflows.pair.rule import Rule


def scan(image, path):
    return Scan(path, image)


@pytest.fixture(params=TURNS)
def turn(request):
    return request.param


@pytest.fixture
def pair(tmp_path, turn):
    """Fixed and moving lie on grids that have nothing in common but the place."""
    fixed = scene(size=(34, 40, 28), spacing=(1.7, 1.3, 2.2), turn=turn, kind=np.float64)
    moving = scene(size=(44, 38, 40), spacing=(1.5, 1.6, 1.6), turn="RAS", shift=SHIFT, kind=np.float64)
    return scan(fixed, tmp_path / "fixed"), scan(moving, tmp_path / "moving")


def test_both_images_are_read_at_the_same_places(pair, turn):
    grid = working_grid(*pair, Rule())
    for one, shift, moving in ((pair[0], (0, 0, 0), False), (pair[1], SHIFT, True)):
        read, expected = grid.read(one, moving=moving), filled(grid.image, shift, np.float64)
        expected = sitk.GetArrayFromImage(expected).transpose(2, 1, 0)
        assert np.abs(interior(read) - interior(expected)).max() < 0.02 * np.ptp(expected)


def test_the_grid_is_the_fixed_ones_own_with_its_axes_turned(pair):
    grid = working_grid(*pair, Rule())
    assert sorted(grid.shape) == sorted(pair[0].shape)
    assert np.linalg.det(np.reshape(grid.image.GetDirection(), (3, 3))) == pytest.approx(1)
    main = np.abs(np.reshape(grid.image.GetDirection(), (3, 3))).argmax(axis=0)
    assert main.tolist() == [0, 1, 2]
    turned = grid.read(pair[0], moving=False)
    assert np.sort(turned.ravel()) == pytest.approx(np.sort(sitk.GetArrayFromImage(pair[0].image).ravel()), abs=1e-3)


def test_a_shift_comes_back_as_the_same_shift_in_millimetres(pair):
    grid = working_grid(*pair, Rule())
    directions = np.reshape(grid.image.GetDirection(), (3, 3))
    voxels = np.linalg.solve(directions * grid.image.GetSpacing(), SHIFT)
    u = np.broadcast_to(voxels[:, None, None, None], (3, *grid.shape)).astype(np.float32)
    field = grid.back(u, pair[0])
    assert sitk.GetArrayFromImage(field.image).reshape(-1, 3) == pytest.approx(
        np.broadcast_to(SHIFT, (np.prod(pair[0].shape), 3)), abs=1e-4
    )
    warped, fixed = (sitk.GetArrayFromImage(each) for each in (field.carry(pair[1].image), pair[0].image))
    assert np.abs(interior(warped) - interior(fixed)).max() < 0.03 * np.ptp(fixed)


def test_itk_and_scipy_warp_alike(pair):
    grid = working_grid(*pair, Rule())
    field = grid.back(smoothly(grid.shape), pair[0])
    warped = sitk.GetArrayFromImage(field.carry(pair[1].image)).transpose(2, 1, 0)
    # by SciPy: the moving image on the fixed grid, read at x + u(x) with u in voxels of the fixed image
    identity = np.stack(np.meshgrid(*(np.arange(n) for n in pair[0].shape), indexing="ij"))
    places = pair[0].to_millimetres((identity + field.voxels).reshape(3, -1).T)
    points = pair[1].to_voxels(places).T.reshape(identity.shape)
    array = sitk.GetArrayFromImage(pair[1].image).transpose(2, 1, 0)
    expected = ndimage.map_coordinates(array, points, order=1, mode="constant", cval=array.min())
    assert np.abs(interior(warped) - interior(expected)).max() < 1e-3 * np.ptp(array)


def test_a_wanted_spacing_keeps_the_field_of_view(pair):
    grid = working_grid(*pair, Rule(spacing=3.0))
    assert grid.image.GetSpacing() == pytest.approx((3, 3, 3), rel=0.1)
    extents = np.multiply(grid.shape, grid.image.GetSpacing())
    assert np.sort(extents) == pytest.approx(np.sort(np.multiply(pair[0].shape, pair[0].spacing)))
    centres = [each.to_millimetres((np.array([each.shape]) - 1) / 2) for each in (grid.as_scan, pair[0])]
    assert centres[0] == pytest.approx(centres[1])


def test_a_coarse_grid_sees_no_detail_that_it_cannot_hold(tmp_path):
    fine = scene(size=(64, 60, 56), spacing=(0.8, 0.8, 0.8), kind=np.float64)
    array = sitk.GetArrayFromImage(fine)
    stripes = sitk.GetImageFromArray(array + 200 * (-1.0) ** np.indices(array.shape).sum(0))
    stripes.CopyInformation(fine)
    grid = working_grid(scan(fine, tmp_path), scan(fine, tmp_path), Rule(spacing=3.0))
    plain, striped = (grid.read(scan(each, tmp_path), moving=False) for each in (fine, stripes))
    assert np.abs(interior(striped - plain, 3)).max() < 2


def test_thick_slices_are_not_smoothed_in_their_plane(tmp_path):
    image = scene(size=(40, 40, 12), spacing=(1, 1, 5), kind=np.float64)
    one = scan(image, tmp_path)
    read = working_grid(one, one, Rule()).read(one, moving=False)
    assert read == pytest.approx(sitk.GetArrayFromImage(image).transpose(2, 1, 0), abs=1e-3)


def test_a_large_image_gets_larger_voxels(tmp_path):
    image = sitk.Image([512, 512, 40], sitk.sitkUInt8)
    image.SetSpacing((0.5, 0.5, 5))
    grid = working_grid(scan(image, tmp_path), scan(image, tmp_path), Rule())
    assert 0.9 * MOST < np.prod(grid.shape) <= 1.02 * MOST
    assert grid.shape[2] == 40


def test_images_apart_are_refused_and_aligned_by_their_centres(tmp_path):
    fixed, moving = (scan(scene(kind=np.float64), tmp_path / name) for name in ("fixed", "moving"))
    moving.image.SetOrigin(np.add(moving.image.GetOrigin(), (500, 0, -300)).tolist())
    with pytest.raises(DataError, match=r"moving: covers only 0% of the field of view of .*try --align centre"):
        working_grid(fixed, moving, Rule())
    grid = working_grid(fixed, moving, Rule(align="centre"))
    assert grid.offset == pytest.approx((500, 0, -300))
    field = grid.back(np.zeros((3, *grid.shape), np.float32), fixed)
    warped = sitk.GetArrayFromImage(field.carry(moving.image))
    assert warped == pytest.approx(sitk.GetArrayFromImage(fixed.image), abs=0.5)


@pytest.mark.parametrize(("spacing", "fault"), [(20.0, "choose smaller ones"), (0.05, "choose larger ones")])
def test_a_spacing_that_makes_no_grid_is_refused(pair, spacing, fault):
    with pytest.raises(DataError, match=fault):
        working_grid(*pair, Rule(spacing=spacing))


def test_intensities_by_percentiles_and_by_a_window():
    values = np.linspace(-1000, 3000, 4001).reshape(1, 1, -1)
    scaled, (low, high) = intensities(values, None)
    assert (low, high) == pytest.approx((-980, 2980))
    assert (scaled.min(), scaled.max(), scaled.dtype) == (0, 1, np.float32)
    scaled, scale = intensities(values, (-1000, 1000))
    assert scale == (-1000, 1000)
    assert scaled[0, 0, 1000] == pytest.approx(0.5)
    scaled, (low, high) = intensities(values, None, levels=(0.1, 0.5))
    assert scaled[0, 0, [20, 2000, 3980]] == pytest.approx((0.1, 0.3, 0.5))
    assert (low, high) == pytest.approx((-980 - 990, -980 + 9 * 990))
    sparse = np.zeros((10, 10, 10))
    sparse[0, 0, 0] = 7
    assert intensities(sparse, None)[1] == (0, 7)
