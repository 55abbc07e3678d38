"""Intensities of warped and fixed image: NumPy's correlation, SciPy's warp, and images without contrast."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evidence import Evidence
from benchmarks.measures import similarity
from benchmarks.metrics import METRICS, evaluate
from datasets import geometry
from tests.benchmarks.judge_inputs import SHAPE, SPACING, smooth_displacement, values


def test_it_is_the_correlation_with_the_image_that_scipy_warps():
    rng = np.random.default_rng(0)
    fixed, moving = rng.random(SHAPE, np.float32), rng.random(SHAPE, np.float32)
    u, mask = smooth_displacement(rng), rng.random(SHAPE) > 0.5
    rows = evaluate(Evidence(u, SPACING, images=(fixed, moving), mask=mask))
    warped = geometry.warp(moving, u)
    for protocol, inside in (("mask", mask), ("grid", np.ones(SHAPE, bool))):
        expected = np.corrcoef(fixed[inside], warped[inside])[0, 1]
        assert values(rows, "similarity", protocol) == {"all": pytest.approx(expected, abs=1e-6)}


@given(st.floats(0.1, 9), st.floats(-5, 5))
def test_gain_and_offset_do_not_matter_and_the_sign_does(gain, offset):
    image = np.random.default_rng(1).random(SHAPE)
    assert similarity.correlation(image, gain * image + offset) == pytest.approx(1)
    assert similarity.correlation(image, offset - gain * image) == pytest.approx(-1)


def test_images_without_contrast_have_no_row():
    flat, image = np.full(SHAPE, 0.5), np.random.default_rng(2).random(SHAPE)
    still = np.zeros((3, *SHAPE), np.float32)
    assert np.isnan(similarity.correlation(flat, image))
    assert not values(evaluate(Evidence(still, SPACING, images=(flat, image))), "similarity", "grid")


def test_it_ranks_no_pairs():
    """A table of accuracy must not have it: a wrong map can make images alike."""
    assert not METRICS["similarity"].ranks
    assert "no accuracy" in METRICS["similarity"].meaning
