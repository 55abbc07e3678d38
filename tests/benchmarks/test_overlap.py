"""Overlap of labels: hand counts, both mask warps, SimpleITK and MONAI as oracles, labels that one image lacks."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the field's own name
from hypothesis import given
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks.evidence import Evidence
from benchmarks.measures import overlap
from benchmarks.metrics import evaluate
from datasets import geometry
from tests.benchmarks.judge_inputs import SHAPE, SPACING, label_blocks, smooth_displacement, values


def of_masks(first, second):
    """Return Dice and Jaccard of two boolean masks."""
    dice, jaccard = overlap.overlaps(first.astype(np.uint8), second.astype(np.uint8), [1])
    return dice[0], jaccard[0]


def test_dice_and_jaccard_by_hand():
    first, second = np.zeros((2, 3, 4), bool), np.zeros((2, 3, 4), bool)
    first[0, 0], second[0, 0, 2:], second[1, 1, :1] = True, True, True  # 4 and 3 voxels, 2 in common
    assert of_masks(first, second) == (4 / 7, 2 / 5)


def test_two_empty_masks_have_no_overlap_to_speak_of():
    empty, one = np.zeros((2, 3, 4), bool), np.ones((2, 3, 4), bool)
    assert np.isnan(of_masks(empty, empty)).all()
    assert of_masks(empty, one) == (0, 0)


@given(arrays(bool, (2, 3, 5)), arrays(bool, (2, 3, 5)))
def test_jaccard_is_a_function_of_dice(first, second):
    d, j = of_masks(first, second)
    assert_allclose(j, d / (2 - d), rtol=1e-12)
    assert (d, j) == of_masks(second, first) or np.isnan(d)


def test_overlaps_agree_with_simpleitk():
    rng = np.random.default_rng(1)
    fixed, warped = label_blocks(rng), label_blocks(rng)
    theirs = sitk.LabelOverlapMeasuresImageFilter()
    theirs.Execute(sitk.GetImageFromArray(fixed), sitk.GetImageFromArray(warped))
    dice, jaccard = overlap.overlaps(fixed, warped, [1, 2, 3, 4])
    assert_allclose(dice, [theirs.GetDiceCoefficient(label) for label in (1, 2, 3, 4)], rtol=1e-12)
    assert_allclose(jaccard, [theirs.GetJaccardCoefficient(label) for label in (1, 2, 3, 4)], rtol=1e-12)


def test_overlaps_agree_with_monai():
    torch, monai = pytest.importorskip("torch"), pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(2)
    fixed, warped = label_blocks(rng), label_blocks(rng)
    one_hot = [torch.as_tensor(np.stack([m == v for v in (1, 2, 4)])[None].astype(float)) for m in (warped, fixed)]
    dice, jaccard = overlap.overlaps(fixed, warped, [1, 2, 4])
    assert_allclose(dice, monai.compute_dice(*one_hot)[0], rtol=1e-6)
    assert_allclose(jaccard, monai.compute_iou(*one_hot)[0], rtol=1e-6)


@pytest.mark.parametrize("shape", [SHAPE, (1, 9, 11), (130, 60, 140)])
def test_linear_label_warp_is_the_thresholded_warp_of_every_mask(shape):
    rng = np.random.default_rng(3)
    labels, u = label_blocks(rng, shape), smooth_displacement(rng, shape)
    assert np.abs(u).max() > 3  # leaves the volume at its faces, hence tests the border clamp
    warped = overlap.warp_labels(labels, u, protocol="linear_thr128")
    for label in range(5):
        mask = geometry.warp((labels == label) * np.float32(255), u) > 128
        assert_array_equal(warped == label, mask)
    assert (warped == overlap.NO_LABEL).any() or shape[0] == 1  # in a plane few voxels are torn between labels


def test_nearest_label_warp_agrees_with_simpleitk():
    rng = np.random.default_rng(4)
    labels, u = label_blocks(rng), smooth_displacement(rng, size=0.8)
    points, last = geometry.identity_grid(SHAPE) + u, np.reshape(SHAPE, (3, 1, 1, 1)) - 1
    inside = np.all((points > 0) & (points < last), axis=0)
    vectors = np.moveaxis(u[::-1], 0, -1).astype(np.float64)
    field = sitk.DisplacementFieldTransform(sitk.GetImageFromArray(vectors, isVector=True))
    theirs = sitk.Resample(sitk.GetImageFromArray(labels), field, sitk.sitkNearestNeighbor)
    ours = overlap.warp_labels(labels, u, protocol="nearest")
    assert_array_equal(ours[inside], sitk.GetArrayFromImage(theirs)[inside])


def test_mask_warps_differ_on_a_half_voxel_shift():
    labels = np.zeros((5, 7, 9), np.uint16)
    labels[1:4, 2:5, 3:7] = 8
    u = np.zeros((3, 5, 7, 9), np.float32)
    u[2] = 0.5
    linear = overlap.warp_labels(labels, u, protocol="linear_thr128")
    nearest = overlap.warp_labels(labels, u, protocol="nearest")
    assert np.count_nonzero(linear == 8) == 3 * 3 * 3  # one half of 255 is below 128: the face voxels go
    assert np.count_nonzero(nearest == 8) == 3 * 3 * 4  # one half is rounded up: the block moves
    rows = evaluate(Evidence(u, spacing=SPACING, fixed_labels=labels, moving_labels=labels))
    assert values(rows, "dice", "linear_thr128")["mean"] == pytest.approx(2 * 27 / (36 + 27))
    assert values(rows, "dice", "nearest")["mean"] == pytest.approx(2 * 27 / (36 + 36))


def test_label_missing_in_one_image_is_listed_and_left_out_of_the_mean():
    fixed, moving = np.zeros((2, 5, 7, 9), np.uint16)
    fixed[0, :2], moving[0, :4] = 3, 3  # 18 and 36 voxels: Dice 2/3
    fixed[2:4], moving[4] = 5, 6  # each in one image only
    got = values(
        evaluate(
            Evidence(np.zeros((3, 5, 7, 9), np.float32), spacing=SPACING, fixed_labels=fixed, moving_labels=moving)
        ),
        "dice",
        "linear_thr128",
    )
    assert got.pop("mean") == got.pop("label_3") == pytest.approx(2 / 3)
    assert got.pop("count") == 1
    assert got.keys() == {"label_5", "label_6"}
    assert np.isnan(list(got.values())).all()


def test_label_that_the_warp_loses_scores_zero():
    labels = np.zeros((5, 7, 9), np.uint16)
    labels[2, 3, 4] = 1
    rows = evaluate(
        Evidence(np.full((3, 5, 7, 9), 20, np.float32), spacing=SPACING, fixed_labels=labels, moving_labels=labels)
    )
    assert values(rows, "dice", "nearest") == {"mean": 0, "count": 1, "label_1": 0}


def test_no_scorable_label_at_all():
    empty = np.zeros((5, 7, 9), np.uint16)
    got = values(
        evaluate(
            Evidence(
                np.zeros((3, 5, 7, 9), np.float32), spacing=SPACING, fixed_labels=empty, moving_labels=empty, labels=[4]
            )
        ),
        "jaccard",
        "nearest",
    )
    assert got["count"] == 0
    assert np.isnan([got["mean"], got["label_4"]]).all()


def test_a_named_set_has_a_mean_of_its_own():
    rng = np.random.default_rng(5)
    fixed, moving, u = label_blocks(rng), label_blocks(rng), smooth_displacement(rng)
    fixed[fixed == 4], moving[moving == 2] = 0, 0  # each in one image only
    still = evaluate(Evidence(u, SPACING, fixed_labels=fixed, moving_labels=moving, labels=[1, 2, 3, 4]))
    sets = {"few": ((1,), (2,)), "other": ((3,), (1,), (9,))}
    rows = evaluate(
        Evidence(u, SPACING, fixed_labels=fixed, moving_labels=moving, labels=[1, 2, 3, 4], label_sets=sets)
    )
    for metric in ("dice", "jaccard"):
        for protocol in overlap.OF_JACCARD:
            before, after = values(still, metric, protocol), values(rows, metric, protocol)
            assert after["mean_few"] == before["label_1"]
            assert after["mean_other"] == pytest.approx((before["label_1"] + before["label_3"]) / 2)
            assert (after["count_few"], after["count_other"]) == (1, 2)
            assert {region: after[region] for region in before} == pytest.approx(before, nan_ok=True)
    assert {row["unit"] for row in rows if row["region"].startswith("count")} == {"1"}


@pytest.mark.parametrize("protocol", [*overlap.PROTOCOLS])
def test_a_region_of_several_labels_is_warped_as_one(protocol):
    """Where the warp tears labels of one region apart, neither has a share above one half and the region has."""
    rng = np.random.default_rng(6)
    fixed, moving, u = label_blocks(rng), label_blocks(rng), smooth_displacement(rng)
    regions = ((1, 4), (2,))
    rows = evaluate(Evidence(u, SPACING, fixed_labels=fixed, moving_labels=moving, label_sets={"merged": regions}))
    expected = []
    for region in regions:
        here, mask = np.isin(fixed, region), np.isin(moving, region)
        warped = overlap.warp_labels(mask.astype(np.uint8), u, protocol=protocol) == 1
        expected.append(2 * (here & warped).sum() / (here.sum() + warped.sum()))
    got = values(rows, "dice", protocol)
    assert got["mean_merged"] == pytest.approx(np.mean(expected))
    assert got["count_merged"] == 2
    assert got["mean_merged"] > got["mean"]
