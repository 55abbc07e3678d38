"""Under which names the field of a pair is found."""

import pytest

from datasets.case import Pair
from datasets.files import DataError
from methods.given.names import find_files

PAIR = Pair("OASIS_0395_0000", "OASIS_0396_0000")
OTHER = Pair("OASIS_0396_0000", "OASIS_0395_0000")


def found(folder, *names, pattern="", pairs=(PAIR,)):
    for name in names:
        (folder / name).touch()
    return {pair: [path.name for path in files.paths] for pair, files in find_files(folder, pairs, pattern).items()}


@pytest.mark.parametrize(
    "name",
    [
        "disp_OASIS_0395_0000_OASIS_0396_0000.nii.gz",
        "disp_0395_0000_0396_0000.nii.gz",  # as Learn2Reg's evaluator looks for it, today and before
        "disp_0395_0396.npz",
        "OASIS_0395_0000_OASIS_0396_0000.mha",
        f"{PAIR.name}.h5",
    ],
)
def test_the_usual_names(tmp_path, name):
    assert found(tmp_path, name) == {PAIR: [name]}


def test_two_names_of_one_field_are_no_contradiction(tmp_path):
    """The command for a pair writes both names that the evaluator has had."""
    long, short = "disp_0395_0000_0396_0000.nii.gz", "disp_0395_0396.nii.gz"
    assert found(tmp_path, long, short) == {PAIR: [long]}


def test_a_name_of_ones_own(tmp_path):
    names = [f"reg_{pair.moving}_to_{pair.fixed}.pt" for pair in (PAIR, OTHER)]
    files = found(tmp_path, *names, pattern="reg_{moving}_to_{fixed}", pairs=(PAIR, OTHER))
    assert files == {PAIR: [names[0]], OTHER: [names[1]]}


def test_a_warp_of_ants_with_and_without_its_affine(tmp_path):
    """The affine stands first: what is applied to points first comes last."""
    warp, affine = "OASIS_0395_0000_OASIS_0396_0000_1Warp.nii.gz", "OASIS_0395_0000_OASIS_0396_0000_0GenericAffine.mat"
    assert found(tmp_path, warp) == {PAIR: [warp]}
    assert found(tmp_path, affine) == {PAIR: [affine, warp]}


def test_some_pairs_with_and_some_without_an_affine_are_refused(tmp_path):
    names = [f"{pair.fixed}_{pair.moving}_1Warp.nii.gz" for pair in (PAIR, OTHER)]
    with pytest.raises(DataError, match="these differ in format"):
        found(tmp_path, *names, names[0].replace("1Warp.nii.gz", "0GenericAffine.mat"), pairs=(PAIR, OTHER))
