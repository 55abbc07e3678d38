"""Greedy and ConvexAdam: known displacements recovered, greedy's conversion pinned to its own warp."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

from datasets import geometry
from tests.methods.calls import load
from tests.methods.classical_inputs import INNER, SHAPE, SHIFT, SPACING, affine_and_sine, make_pair, shifted_pair

QUICK = {"iterations": (60, 30, 10)}


def errors(found, u):
    return np.linalg.norm(found - u, axis=0)[INNER[1:]]


def check_shift(u, tolerance):
    assert u.shape == (3, *SHAPE)
    assert u.dtype == np.float32
    np.testing.assert_allclose(np.median(u[INNER].reshape(3, -1), axis=1), SHIFT, atol=tolerance)


class TestGreedy:
    @pytest.fixture
    def greedy(self):
        pytest.importorskip("picsl_greedy")
        from methods import greedy

        return greedy

    @pytest.fixture
    def own_warp(self, monkeypatch):
        """Return a function that gives the image as the last call of greedy warps it."""
        import picsl_greedy
        import SimpleITK as sitk  # noqa: N813 - the field's own name

        made = []

        class Kept(picsl_greedy.Greedy3D):
            def __init__(self):
                super().__init__()
                made.append(self)

        monkeypatch.setattr(picsl_greedy, "Greedy3D", Kept)

        def warped(transforms):
            made[-1].execute(f"-V 0 -rf fixed -rm moving warped -r {transforms}", warped=None)
            return sitk.GetArrayFromImage(made[-1]["warped"])

        return warped

    @pytest.mark.parametrize("affine", ["affine", "rigid", "none"])
    def test_a_known_shift(self, greedy, affine):
        check_shift(load(greedy, affine=affine, **QUICK)(*shifted_pair(), SPACING), 0.1)

    def test_the_judges_warp_is_its_own(self, greedy, own_warp):
        u = affine_and_sine(SHAPE)
        fixed, moving = make_pair(u)
        found = load(greedy, **QUICK)(fixed, moving, SPACING)
        ours, theirs = geometry.warp(moving, found)[INNER[1:]], own_warp("warp before")[INNER[1:]]
        np.testing.assert_allclose(ours, theirs, atol=4e-3)  # its own interpolation is the less exact
        assert errors(found, u).mean() < 0.2 < errors(0, u).mean()

    @pytest.mark.parametrize("metric", ["wncc", "ssd"])
    def test_other_metrics_bring_images_closer(self, greedy, metric):
        fixed, moving = shifted_pair()
        warped = geometry.warp(moving, load(greedy, metric=metric, **QUICK)(fixed, moving, SPACING))
        before, after = (np.square(image - fixed)[INNER[1:]].mean() for image in (moving, warped))
        assert after < 0.25 * before

    def test_the_seed_alone_draws(self, greedy):
        pair = make_pair(affine_and_sine(SHAPE))
        first, same, other = (load(greedy, seed=seed, **QUICK)(*pair, SPACING) for seed in (0, 0, 1))
        np.testing.assert_array_equal(first, same)
        assert np.any(first != other)

    @pytest.mark.parametrize("iterations", [(), (0, 0), (5, -1)])
    def test_iterations_that_are_none_are_refused(self, greedy, iterations):
        with pytest.raises(ValueError, match=r"greedy\.load: iterations must be one count a level"):
            load(greedy, iterations=iterations)


class TestConvexAdam:
    @pytest.fixture
    def convex_adam(self):
        pytest.importorskip("convexAdam")
        from methods import convex_adam

        return convex_adam

    def test_a_known_shift(self, convex_adam):
        check_shift(load(convex_adam)(*shifted_pair(), SPACING), 0.25)

    def test_a_known_displacement_without_symmetry(self, convex_adam):
        u = affine_and_sine(SHAPE)
        found = load(convex_adam)(*make_pair(u), SPACING)
        assert errors(found, u).mean() < 0.35 < errors(0, u).mean()

    def test_another_contrast_is_no_hindrance(self, convex_adam):
        fixed, moving = shifted_pair()
        check_shift(load(convex_adam)(fixed, 1 - moving, SPACING), 0.5)

    def test_draws_nothing_from_torchs_generator(self, convex_adam):
        import torch

        before = torch.get_rng_state()
        load(convex_adam, iterations=2)(*shifted_pair(), SPACING)
        assert torch.equal(before, torch.get_rng_state())

    def test_warnings_are_heard_as_before(self, convex_adam):
        code = (
            "import warnings; before = list(warnings.filters)\n"
            "from methods import convex_adam as c; c.load(c.Params(), device='cpu', seed=0)\n"
            "assert ('ignore', None, Warning, None, 0) not in set(warnings.filters) - set(before)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
        with pytest.warns(UserWarning, match="heard"):
            warnings.warn("heard", UserWarning, stacklevel=1)

    def test_images_smaller_than_its_grid_are_refused(self, convex_adam):
        small = np.zeros((11, 30, 30), np.float32)
        with pytest.raises(ValueError, match=r"every axis needs 12 voxels or more for this grid, got \(11, 30, 30\)"):
            load(convex_adam)(small, small, SPACING)

    @pytest.mark.parametrize("option", [{"iterations": 0}, {"grid": 0}, {"smoothness": 0.0}, {"smoothing": 4}])
    def test_options_that_would_crash_it_are_refused(self, convex_adam, option):
        with pytest.raises(ValueError, match=f"convex_adam: {next(iter(option))} must"):
            load(convex_adam, **option)


@pytest.mark.parametrize(("name", "library"), [("greedy", "picsl_greedy"), ("convex_adam", "convexAdam")])
def test_a_missing_package_is_told(name, library, monkeypatch):
    import importlib

    module = importlib.import_module(f"methods.{name}")
    for each in [each for each in sys.modules if each.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, each)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError, match=library):
        load(module)
