"""Every format in every direction, spacing and size: what is written is what SimpleITK makes of the original files."""

from itertools import product

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.own.scans import own_locale, read_scan
from tests.datasets.own.made import SHIFT, TURNS, interior, scene, write
from workflows.pair.grids import working_grid
from workflows.pair.outputs import write_results
from workflows.pair.rule import Rule

FORMATS = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", "")  # the last is a folder of DICOM slices
SPACINGS = ((1.5, 1.6, 2.0), (1.2, 1.2, 3.0))
SIZES = ((40, 36, 30), (48, 31, 22))
WORKING = (None, 2.5)  # mm of the grid that is registered on; None is the fixed image's own
GRIDS = list(product(SPACINGS, SIZES, WORKING))
# Each format in each direction meets both spacings, both sizes and both grids: one triple and its opposite.
CHOSEN = [
    (ending, turn, *grid)
    for (m, ending), (n, turn) in product(enumerate(FORMATS), enumerate(TURNS))
    for grid in (GRIDS[(m + n) % 4], GRIDS[-1 - (m + n) % 4])
]


def by_itk(path):
    """An image as SimpleITK alone reads it."""
    with own_locale():
        if path.is_dir():
            return sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))
        return sitk.ReadImage(str(path))


@pytest.mark.parametrize(("ending", "turn", "spacing", "size", "working"), CHOSEN)
def test_simpleitk_warps_the_original_alike(tmp_path, ending, turn, spacing, size, working):
    fixed = write(scene(size, spacing, turn), tmp_path / f"fixed{ending}")
    moving = write(scene((64, 60, 62), (1.5, 1.6, 1.6), "oblique", SHIFT), tmp_path / f"moving{ending}")
    scans = read_scan(fixed), read_scan(moving)
    grid = working_grid(*scans, Rule(spacing=working))
    # What a perfect method gives there: the shift, in voxels of the grid.
    voxels = np.linalg.solve(np.reshape(grid.image.GetDirection(), (3, 3)) * grid.image.GetSpacing(), SHIFT)
    u = np.broadcast_to(voxels[:, None, None, None], (3, *grid.shape)).astype(np.float32)
    write_results(tmp_path / "out", grid.back(u, scans[0]), *scans)

    still, moved = by_itk(fixed), by_itk(moving)
    warped = sitk.ReadImage(str(tmp_path / "out" / "warped.nii.gz"))
    transform = sitk.ReadTransform(str(tmp_path / "out" / "transform.h5"))
    least = float(sitk.GetArrayFromImage(moved).min())
    again = sitk.Resample(moved, still, transform, sitk.sitkLinear, least, sitk.sitkFloat64)
    ours, theirs, wanted = (sitk.GetArrayFromImage(each).astype(float) for each in (warped, again, still))
    assert (warped.GetSize(), warped.GetPixelID()) == (still.GetSize(), moved.GetPixelID())
    assert np.abs(ours - theirs).max() <= 0.5 + 1e-3
    assert np.abs(interior(ours - wanted)).max() < 0.05 * np.ptp(wanted)
    displacement = nib.load(tmp_path / "out" / "disp_fixed_moving.nii.gz")
    assert displacement.shape == (*size, 3)
    own = np.linalg.solve(np.reshape(still.GetDirection(), (3, 3)) * still.GetSpacing(), SHIFT)
    np.testing.assert_allclose(displacement.get_fdata().reshape(-1, 3), np.tile(own, (np.prod(size), 1)), atol=2e-3)
