"""Fields at half as many voxels along each axis, as Learn2Reg wanted them in its first years."""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from datasets.files import DataError
from methods import fields
from tests.methods.given import made as making
from tests.methods.given.made import PAIRS, numbers, scored

CLOSE, BORDER = 0.02, 4  # voxels: 16 bits a number; near the faces the evaluator's splines bend what is straight


def halved(pairs, folder, *, unit="voxels", times=1.0, form=".npz", kind=np.float16):
    """Write the truth at every second voxel, corners on corners."""
    folder.mkdir(exist_ok=True)
    for pair in PAIRS:
        stored = numbers(pairs.pull[pair], pairs.affine, content="displacement", unit=unit, order="array")
        small = times * np.stack([ndimage.zoom(each, 0.5, order=1, mode="nearest") for each in stored])
        name = folder / f"disp_{pair.fixed}_{pair.moving}{form}"
        if form == ".npz":
            np.savez(name, small.astype(kind))
        else:
            nib.save(nib.Nifti1Image(np.moveaxis(small, 0, -1).astype(np.float32), np.eye(4)), name)


@pytest.mark.parametrize("form", [".npz", ".nii.gz"])
@pytest.mark.parametrize(("unit", "times"), [("voxels", 1.0), ("voxels", 0.5), ("mm_lps", 1.0)])
def test_fields_of_half_the_voxels_are_found(made, tmp_path, form, unit, times):
    pairs = made("oblique")
    halved(pairs, tmp_path / "half", unit=unit, times=times, form=form)
    register = fields.load(fields.Params(folder=tmp_path / "half"), device="cpu", seed=0, data=pairs.data)
    assert register.found["unit"] == ("half_voxels" if times == 0.5 else unit)
    assert making.error(pairs, scored(pairs, tmp_path / "half"), margin=BORDER) < CLOSE


def test_they_are_enlarged_as_learn2regs_evaluator_does(made, tmp_path):
    """SciPy's zoom by 2 of order 2, whose numbers are voxels of the whole grid."""
    pairs = made("ras")
    halved(pairs, tmp_path / "half", kind=np.float32)
    found = scored(pairs, tmp_path / "half", unit="voxels")
    for pair in PAIRS:
        small = np.load(tmp_path / "half" / f"disp_{pair.fixed}_{pair.moving}.npz")["arr_0"]
        theirs = np.stack([ndimage.zoom(each, 2, order=2) for each in small])
        inner = (slice(None), *(slice(0, -1),) * 3)  # its last planes may be 0, for SciPy rounds
        np.testing.assert_allclose(found[pair][inner], theirs[inner], atol=1e-5)


def test_half_voxels_are_none_of_a_whole_grid(made, tmp_path):
    pairs = made("lps")
    for pair in PAIRS:
        np.savez(tmp_path / f"disp_{pair.fixed}_{pair.moving}.npz", pairs.pull[pair].astype(np.float32))
    with pytest.raises(DataError, match=r"params\.unit says half_voxels"):
        scored(pairs, tmp_path, unit="half_voxels")


def test_a_set_of_two_grids_is_refused(made, tmp_path):
    pairs = made("lps")
    halved(pairs, tmp_path / "half")
    name = f"disp_{PAIRS[0].fixed}_{PAIRS[0].moving}.npz"
    np.savez(tmp_path / "half" / name, pairs.pull[PAIRS[0]].astype(np.float32))
    with pytest.raises(DataError, match="has another number of voxels than the other fields of the set"):
        scored(pairs, tmp_path / "half")
