"""ANTs, elastix and demons: known displacements recovered, conversions pinned to each library's own warp."""

from __future__ import annotations

import numpy as np
import pytest

from datasets import geometry
from methods import ants_syn, demons, elastix_bspline, identity, truth
from tests.methods.calls import load
from tests.methods.classical_inputs import (
    ELASTIX,
    INNER,
    SHAPE,
    SHIFT,
    SMALL,
    SMALL_SPACING,
    SPACING,
    affine_and_sine,
    make_pair,
    shifted_pair,
)

pytestmark = pytest.mark.early


class TestControls:
    def test_identity_is_zero_on_the_fixed_grid(self):
        u = load(identity)(*shifted_pair(SMALL), SMALL_SPACING)
        assert u.shape == (3, *SMALL)
        assert u.dtype == np.float32
        assert not u.any()

    def test_truth_returns_the_true_displacement_and_keeps_its_own_copy(self):
        known = affine_and_sine(SMALL)
        u = load(truth)(*shifted_pair(SMALL), SMALL_SPACING, true_displacement=known)
        assert u.dtype == np.float32
        np.testing.assert_array_equal(u, known.astype(np.float32))
        assert not np.shares_memory(u, known)
        assert truth.NEEDS == ("true_displacement",)


class TestKnownShift:
    """Components, signs and units: every axis has its own shift, spacing and length."""

    def check(self, u, tolerance):
        assert u.shape == (3, *SHAPE)
        assert u.dtype == np.float32
        np.testing.assert_allclose(np.median(u[INNER].reshape(3, -1), axis=1), SHIFT, atol=tolerance)

    def test_ants(self, empty_folder):
        register = load(ants_syn, metric="cc", transform="SyNOnly", iterations=[40, 15, 0])
        self.check(register(*shifted_pair(), SPACING), 0.5)
        assert not list(empty_folder.iterdir())

    def test_ants_with_its_affine(self):
        self.check(load(ants_syn)(*shifted_pair(), SPACING), 0.5)

    def test_elastix(self, empty_folder):
        self.check(load(elastix_bspline, **ELASTIX)(*shifted_pair(), SPACING), 0.05)
        assert not list(empty_folder.iterdir())

    def test_demons(self, empty_folder):
        self.check(load(demons)(*shifted_pair(), SPACING), 0.25)
        assert not list(empty_folder.iterdir())


class TestOwnWarp:
    """The judge's warp by the converted field is the library's own warped image, for an affine and a wavy part."""

    def test_ants(self, calls):
        import ants

        u = affine_and_sine(SHAPE)
        fixed, moving = make_pair(u)
        seen = calls(ants, "registration")
        found = load(ants_syn)(fixed, moving, SPACING)
        (_, _, result), *_ = seen
        np.testing.assert_allclose(
            geometry.warp(moving, found)[INNER], result["warpedmovout"].numpy()[INNER], atol=2e-4
        )
        assert errors(found, u).mean() < 0.35 < errors(0, u).mean()

    def test_elastix(self, calls):
        import itk

        u = affine_and_sine(SHAPE)
        fixed, moving = make_pair(u)
        seen = calls(itk, "elastix_registration_method")
        found = load(elastix_bspline, **ELASTIX)(fixed, moving, SPACING)
        ((_, itk_moving), _, (_, transforms)), *_ = seen
        own = itk.array_from_image(itk.transformix_filter(itk_moving, transforms))
        np.testing.assert_allclose(geometry.warp(moving, found, order=3)[INNER], own[INNER], atol=1e-4)
        assert errors(found, u).mean() < 0.1

    def test_demons(self):
        u = affine_and_sine(SHAPE)
        found = load(demons)(*make_pair(u), SPACING)
        assert errors(found, u).mean() < 0.3


def errors(found, known):
    return np.linalg.norm((found - known)[INNER], axis=0)


class TestDemons:
    @pytest.mark.parametrize(
        "change",
        [
            {"iterations": [20, 5]},
            {"update_sigma": 0.0},
            {"field_sigma": 0.0},
            {"step": 0.3},
            {"forces": "fixed"},
            {"forces": "moving"},
            {"match_histograms": True},
        ],
        ids=str,
    )
    def test_every_option_has_an_effect(self, change):
        pair = shifted_pair(SMALL, (1.5, -1, 0.5))
        base = {"iterations": [20, 10]}
        plain, changed = (load(demons, **p)(*pair, SMALL_SPACING) for p in (base, base | change))
        assert np.abs(changed - plain).max() > 0.01

    def test_matched_histograms_bring_other_grey_values_together(self):
        u = affine_and_sine(SHAPE)
        fixed, moving = make_pair(u)
        darker = np.clip(moving, 0, 1) ** 2
        plain, matched = (
            load(demons, match_histograms=match, iterations=[60, 30, 15])(fixed, darker, SPACING)
            for match in (False, True)
        )
        assert errors(matched, u).mean() < 0.7 * errors(plain, u).mean()

    def test_does_not_fold(self):
        found = load(demons)(*make_pair(affine_and_sine(SMALL, 2.0)), SMALL_SPACING)
        assert geometry.jacobian_determinant(found).min() > 0

    def test_refuses_no_levels(self):
        with pytest.raises(ValueError, match=r"demons.load: iterations .* got \[\]"):
            load(demons, iterations=[])
