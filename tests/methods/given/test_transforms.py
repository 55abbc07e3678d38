"""Transforms of ITK and ANTs, alone and in chains, beside what SimpleITK and ANTs make of the same files."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets import geometry
from datasets.files import DataError
from tests.methods.given import made as making
from tests.methods.given.made import PAIRS, itk_image, itk_transform, numbers, place, scored

DIRECTION = "oblique"


@pytest.fixture
def pairs(made):
    return made(DIRECTION)


def shift(millimetres):
    transform = sitk.AffineTransform(3)
    transform.SetTranslation(millimetres)
    return transform


def split(pairs, pair):
    """A warp and an affine that make up the truth: the warp first, on points of the fixed image."""
    before = np.array([3.0, -2.0, 4.0])
    field = numbers(pairs.pull[pair], pairs.affine, content="displacement", unit="mm_lps", order="array")
    return itk_image(field - before[:, None, None, None], pairs.affine), shift(before)


@pytest.mark.parametrize("ending", [".h5", ".tfm", ".hdf5"])
@pytest.mark.parametrize("sense", ["pull", "push"])
def test_a_transform_says_all_but_its_sense(pairs, tmp_path, ending, sense):
    for pair in PAIRS:
        truth = (pairs.pull if sense == "pull" else pairs.push)[pair]
        sitk.WriteTransform(
            itk_transform(truth, pairs.affine), str(tmp_path / f"disp_{pair.fixed}_{pair.moving}{ending}")
        )
    assert making.error(pairs, scored(pairs, tmp_path)) < (0.02 if sense == "push" else 2e-3)


def test_a_composite_transform_is_applied_as_a_whole(pairs, tmp_path):
    for pair in PAIRS:
        warp, affine = split(pairs, pair)
        chain = sitk.CompositeTransform([affine, sitk.DisplacementFieldTransform(warp)])  # the last is applied first
        sitk.WriteTransform(chain, str(tmp_path / f"{pair.fixed}_to_{pair.moving}.h5"))
    found = scored(pairs, tmp_path, names="{fixed}_to_{moving}")
    assert making.error(pairs, found, margin=0) < 2e-3


@pytest.mark.parametrize("pattern", ["{}_{}_1Warp.nii.gz", "disp_{}_{}1Warp.nii.gz"])
def test_a_warp_of_ants_goes_with_its_affine_as_ants_applies_them(pairs, tmp_path, pattern):
    ants = pytest.importorskip("ants")
    for pair in PAIRS:
        warp, affine = split(pairs, pair)
        path = tmp_path / pattern.format(pair.fixed, pair.moving)
        sitk.WriteImage(warp, str(path))
        affine_path = str(path).replace("1Warp.nii.gz", "0GenericAffine.mat")
        sitk.WriteTransform(affine, affine_path)
    found = scored(pairs, tmp_path)
    assert making.error(pairs, found, margin=0) < 2e-3
    fixed, moving = (as_ants(ants, pairs.data.image(case).array, pairs.affine) for case in (pair.fixed, pair.moving))
    theirs = ants.apply_transforms(fixed, moving, transformlist=[str(path), affine_path]).numpy()
    ours = geometry.warp(pairs.data.image(pair.moving).array, found[pair])
    inner = (slice(4, -4),) * 3
    assert np.abs(theirs - ours)[inner].max() < 1e-3


def as_ants(ants, array, affine):
    lps, spacing = np.diag((-1, -1, 1, 1)) @ affine, np.linalg.norm(affine[:3, :3], axis=0)
    return ants.from_numpy(
        np.asarray(array, np.float32),
        origin=lps[:3, 3].tolist(),
        spacing=spacing.tolist(),
        direction=lps[:3, :3] / spacing,
    )


def test_the_transform_of_the_command_for_a_pair_can_be_scored(pairs, tmp_path):
    """SimpleITK reads the same file in the same way, so that its warped image is the judge's."""
    for pair in PAIRS:
        sitk.WriteTransform(itk_transform(pairs.pull[pair], pairs.affine), str(tmp_path / f"{pair.name}.h5"))
    found, pair = scored(pairs, tmp_path), PAIRS[1]
    fixed, moving = (sitk.GetImageFromArray(pairs.data.image(case).array.T) for case in (pair.fixed, pair.moving))
    for image in (fixed, moving):
        place(image, pairs.affine)
    transform = sitk.ReadTransform(str(tmp_path / f"{pair.name}.h5"))
    theirs = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, transform)).T
    ours = geometry.warp(pairs.data.image(pair.moving).array, found[pair])
    inner = (slice(4, -4),) * 3
    assert np.abs(theirs - ours)[inner].max() < 1e-3


def test_what_a_format_says_cannot_be_stated_otherwise(pairs, tmp_path):
    for pair in PAIRS:
        sitk.WriteTransform(
            itk_transform(pairs.pull[pair], pairs.affine), str(tmp_path / f"disp_{pair.fixed}_{pair.moving}.h5")
        )
    with pytest.raises(
        DataError, match=r"params\.unit says voxels, but a file of this format has mm_lps; leave it out"
    ):
        scored(pairs, tmp_path, unit="voxels")
