"""ANTs, elastix and demons: known displacements recovered, conversions pinned to each library's own warp."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tempfile

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
    texture,
)


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """A folder that everything temporary, and the working directory, points to."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    """Return a function that records the arguments and the result of each call of a library function."""

    def record(owner, name):
        original, seen = getattr(owner, name), []

        def recorded(*args, **kwargs):
            seen.append((args, kwargs, original(*args, **kwargs)))
            return seen[-1][2]

        monkeypatch.setattr(owner, name, recorded)
        return seen

    return record


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


class TestAnts:
    QUICK = {"iterations": [6, 3], "transform": "SyNOnly", "metric": "cc"}  # noqa: RUF012

    def test_every_keyword_has_a_name_that_antspyx_knows(self, calls):
        import ants

        known = set(inspect.signature(ants.registration).parameters)
        seen = calls(ants, "registration")
        load(ants_syn, **self.QUICK)(*shifted_pair(SMALL), SMALL_SPACING)
        assert set(seen[0][1]) - known == set()

    @pytest.mark.parametrize(
        "change",
        [
            {"metric": "mattes"},
            {"transform": "SyN"},
            {"radius": 3},
            {"iterations": [6, 4]},
            {"gradient_step": 0.4},
            {"flow_variance": 6.0},
            {"total_variance": 1.0},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_every_option_has_an_effect(self, change):
        pair = shifted_pair(SMALL, (1, -0.5, 0.5))
        plain = load(ants_syn, **self.QUICK)(*pair, SMALL_SPACING)
        changed = load(ants_syn, **{**self.QUICK, **change})(*pair, SMALL_SPACING)
        assert np.abs(changed - plain).max() > 0.01

    def test_start_at_the_identity_skips_the_centres_of_mass(self):
        fixed = texture(SMALL)
        moving = fixed * np.linspace(0, 1, SMALL[0], dtype=np.float32)[:, None, None]  # same place, other balance
        quick = {"iterations": [1, 0]}
        mass, start = (load(ants_syn, start=s, **quick)(fixed, moving, SMALL_SPACING) for s in ("mass", "identity"))
        assert np.abs(mass - start).max() > 0.01

    @pytest.mark.parametrize(
        ("metric", "expected"), [("mattes", ("mattes", 32, (40, 20, 0))), ("cc", ("CC", 2, (100, 70, 50, 20)))]
    )
    def test_the_variants_have_their_own_iterations(self, metric, expected, monkeypatch):
        import ants

        class Asked(Exception):  # noqa: N818 - ends the call, is no error
            pass

        def asked(*args, syn_metric, syn_sampling, reg_iterations, **kwargs):
            raise Asked(syn_metric, syn_sampling, reg_iterations)

        register = load(ants_syn, metric=metric)
        monkeypatch.setattr(ants, "registration", asked)
        with pytest.raises(Asked) as caught:
            register(*shifted_pair(SMALL), SMALL_SPACING)
        assert caught.value.args == expected

    def test_the_folder_is_deleted_after_a_failure(self, empty_folder, monkeypatch):
        import ants

        def fail(*args, outprefix, **kwargs):
            with open(f"{outprefix}1Warp.nii.gz", "w") as stream:
                stream.write("half")
            raise RuntimeError("Registration failed")

        register = load(ants_syn)
        monkeypatch.setattr(ants, "registration", fail)
        with pytest.raises(RuntimeError, match="Registration failed"):
            register(*shifted_pair(SMALL), SMALL_SPACING)
        assert not list(empty_folder.iterdir())

    def test_the_seed_repeats_a_result_and_another_changes_it(self):
        """In a process of its own, started with one thread, as ANTs needs it."""
        program = (
            "from methods import ants_syn\n"
            "from tests.methods.calls import load\n"
            "from tests.methods.classical_inputs import *\n"
            "pair = make_pair(affine_and_sine(SMALL))\n"
            "methods = [load(ants_syn, seed=seed, iterations=[3, 0]) for seed in (0, 1)]\n"
            "a, b, c = (methods[n](*pair, SMALL_SPACING) for n in (0, 1, 0))\n"
            "assert np.array_equal(a, c), np.abs(a - c).max()\n"
            "assert np.abs(a - b).max() > 1e-3\n"
        )
        environment = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize("iterations", [[], [0, 0], [5, -1], [2.5]])
    def test_refuses_iterations_that_are_none(self, iterations):
        with pytest.raises(ValueError, match=r"ants_syn.load: iterations"):
            load(ants_syn, iterations=iterations)


class TestElastix:
    QUICK = {"grid_voxels": 8.0, "resolutions": 2, "iterations": 20, "samples": 500}  # noqa: RUF012

    def run(self, **change):
        pair = make_pair(affine_and_sine(SMALL, 0.7))
        return load(elastix_bspline, **{**self.QUICK, **change})(*pair, SMALL_SPACING)

    def test_the_seed_repeats_a_result_and_another_changes_it(self):
        first = self.run()
        np.testing.assert_array_equal(self.run(), first)
        assert np.abs(self.run(seed=1) - first).max() > 1e-3

    @pytest.mark.parametrize(
        "change",
        [
            {"metric": "mattes"},
            {"grid_voxels": 5.0},
            {"resolutions": 1},
            {"iterations": 25},
            {"samples": 700},
            {"bending": 100.0},
            {"step_samples": 200},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_every_option_has_an_effect(self, change):
        assert np.abs(self.run(**change) - self.run()).max() > 1e-3

    def test_grid_in_voxels_follows_the_spacing_and_in_millimetres_does_not(self):
        import itk

        def grids(**params):
            setup = elastix_bspline.Params(**params)
            image = elastix_bspline._image(itk, texture(SMALL), SMALL_SPACING)
            found = elastix_bspline._run(itk, image, image, elastix_bspline.stages(setup, 0))
            return [float(value) for value in found.GetParameterMap(1)["GridSpacing"]]

        quick = {"resolutions": 1, "iterations": 1}
        np.testing.assert_allclose(grids(grid_voxels=8.0, **quick), [8 * s for s in SMALL_SPACING[::-1]])
        np.testing.assert_allclose(grids(grid_mm=10.0, **quick), [10.0, 10.0, 10.0])

    def test_bending_stiffens(self):
        loose, stiff = self.run(iterations=40), self.run(iterations=40, bending=1e4)
        assert roughness(stiff) < 0.5 * roughness(loose)

    @pytest.mark.parametrize("preset", ["brain", "lung"])
    def test_presets_recover_a_displacement(self, preset):
        u = affine_and_sine(SMALL, 0.7)
        register = load(elastix_bspline, preset=preset, iterations=40, samples=600, grid_voxels=8.0, resolutions=2)
        found = register(*make_pair(u), SMALL_SPACING)
        inner = (..., *[slice(4, -4)] * 3)
        before, after = (np.linalg.norm((v - u)[inner], axis=0).mean() for v in (0, found))
        assert after < 0.4 * before

    def test_the_lung_preset_bends_first_at_twice_the_spacing(self):
        affine, coarse, fine = elastix_bspline.stages(elastix_bspline.Params(preset="lung"), seed=3)
        assert affine["Transform"] == ["AffineTransform"]
        spacings = [stage["FinalGridSpacingInPhysicalUnits"] for stage in (coarse, fine)]
        assert spacings == [["10.0"], ["5.0"]]
        assert coarse["Metric1RelativeWeight"] == ["0.05"]
        assert len(fine["Metric"]) == 1
        assert {tuple(stage["RandomSeed"]) for stage in (affine, coarse, fine)} == {("3",)}

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"grid_mm": 5.0, "grid_voxels": 8.0}, r"grid_mm \(5.0\) or grid_voxels \(8.0\), not both"),
            ({"grid_mm": 0.0}, "grid_mm must be positive, got 0.0"),
            ({"step_samples": 0}, "step_samples must be positive, got 0"),
            ({"samples": -1}, "samples must be positive, got -1"),
            ({"bending": -0.1}, "bending must not be negative, got -0.1"),
        ],
    )
    def test_refuses(self, wrong, message):
        with pytest.raises(ValueError, match=message):
            load(elastix_bspline, **wrong)


def roughness(u):
    return np.mean([np.diff(u, n=2, axis=axis).std() for axis in (1, 2, 3)])


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
