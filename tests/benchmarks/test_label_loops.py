"""One pass over all labels gives what SciPy gives mask by mask, to the last voxel, whatever the map and the field."""

import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from scipy import ndimage

from benchmarks.evidence import Evidence
from benchmarks.measures import overlap
from datasets import compiled, geometry

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
LABELS = [0, 1, 2, 7, 300, 65535]
THRESHOLD = np.float32(127 / 255)  # so far from the corner that a mask of one voxel's width reaches 128
NEAR = [THRESHOLD, *(np.nextafter(THRESHOLD, np.float32(side)) for side in (0, 1))]
STEPS = st.sampled_from([0.0, 0.5, -0.5, 0.25, 1.5, -1.0, 1e-20, 30.0, -30.0, *map(float, NEAR)])
NUMBERS = STEPS | st.floats(-7, 7, width=32)


@st.composite
def cases(draw):
    """A fixed and a moving map, and a displacement that hits ties, the threshold, the faces and what is beyond."""
    shape = draw(SHAPES)
    fixed, moving = (draw(arrays(np.uint16, shape, elements=st.sampled_from(LABELS))) for _ in range(2))
    return fixed, moving, draw(arrays(np.float32, (3, *shape), elements=NUMBERS))


def masks_warped(moving, u):
    """Return by label the mask warped by SciPy."""
    return {label: geometry.warp((moving == label) * np.float32(255), u) > 128 for label in np.unique(moving).tolist()}


def of_row(*along, labels=(3, 5)):
    """Return a case of one row of voxels, moved along it."""
    moving, u = np.array(labels, np.uint16)[None, None], np.zeros((3, 1, 1, len(labels)), np.float32)
    u[2, 0, 0, : len(along)] = along
    return moving, moving, u


@given(cases())
@example(of_row(*NEAR[:2]))
@example(of_row(*NEAR[1:]))
def test_linear_warp_is_that_of_every_mask(case):
    _, moving, u = case
    warped, won = overlap.warp_labels(moving, u, protocol="linear_thr128"), np.zeros(moving.shape, bool)
    for label, mask in masks_warped(moving, u).items():
        assert_array_equal(warped == label, mask)
        won |= mask
    assert_array_equal(warped == overlap.NO_LABEL, ~won)


@given(cases())
def test_nearest_warp_is_scipys(case):
    _, moving, u = case
    assert_array_equal(overlap.warp_labels(moving, u, protocol="nearest"), geometry.warp(moving, u, order=0))


def filled_with_zero(moving, u):
    """Warp a map as Learn2Reg's evaluator does: points of float64, SciPy's default mode, which fills with 0."""
    points = np.indices(moving.shape) + u.astype(np.float64)
    return ndimage.map_coordinates(moving.astype(np.float64), points, order=0)


@given(cases())
def test_learn2regs_warp_is_scipys_with_its_defaults(case):
    _, moving, u = case
    assert_array_equal(overlap.warp_labels(moving, u, protocol="learn2reg"), filled_with_zero(moving, u))


@given(cases(), st.lists(st.sampled_from(LABELS[1:]), unique=True))
def test_scores_are_those_of_maps_warped_and_counted_one_by_one(case, labels):
    fixed, moving, u = case
    got = {each[:2]: each.value for each in overlap.dice_values(Evidence(u, (1, 1, 1), fixed, moving, labels))}
    for label in labels:
        here, mask = fixed == label, moving == label
        linear, nearest = geometry.warp(mask * np.float32(255), u) > 128, geometry.warp(mask, u, order=0)
        filled = filled_with_zero(moving, u) == label
        for protocol, there in (("linear_thr128", linear), ("nearest", nearest), ("learn2reg", filled)):
            dice = 2 * (here & there).sum() / (here.sum() + there.sum()) if here.any() and mask.any() else np.nan
            assert_array_equal(got[protocol, f"label_{label}"], dice)


@given(arrays(np.int32, (2, 3, 5, 7), elements=st.sampled_from([overlap.NO_LABEL, *LABELS])))
def test_counts_are_those_of_every_label(maps):
    fixed, warped = maps
    dice, jaccard = overlap.overlaps(fixed, warped, LABELS)
    for label, d, j in zip(LABELS, dice, jaccard, strict=True):
        here, there = fixed == label, warped == label
        common, size = (here & there).sum(), here.sum() + there.sum()
        assert_array_equal([d, j], [2 * common / size, common / (size - common)] if size else [np.nan] * 2)


def test_a_share_that_float32_rounds_to_the_threshold_is_none():
    """As with SciPy, whose result is float32: 128 and a little, too little for float32, is 128, and not above it."""
    kept = [overlap.warp_labels(*of_row(f)[1:], protocol="linear_thr128")[0, 0, 0] for f in NEAR]
    shares = [255 * (1 - float(f)) for f in NEAR]
    assert any(share > 128 and label == overlap.NO_LABEL for share, label in zip(shares, kept, strict=True))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_displacement_that_is_no_number_is_refused(value):
    moving, _, u = of_row(value)
    with pytest.raises(ValueError, match="displacement: 1 of 6 values"):
        overlap.warp_labels(moving, u, protocol="nearest")


def test_loops_run_where_no_cache_can_be_kept(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert compiled.compiled(_double)(4) == 8


def _double(number):
    return 2 * number
