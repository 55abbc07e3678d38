"""Elastix: its parameter files, smooth displacements, and what it is told."""

from __future__ import annotations

import numpy as np
import pytest

from methods import elastix_bspline
from tests.methods.calls import load
from tests.methods.classical_inputs import (
    SMALL,
    SMALL_SPACING,
    affine_and_sine,
    make_pair,
    texture,
)


class TestElastix:
    QUICK = {"grid_voxels": 8.0, "resolutions": 2, "iterations": 20, "samples": 500}  # noqa: RUF012

    def run(self, **change):
        pair = make_pair(affine_and_sine(SMALL, 0.7))
        return load(elastix_bspline, **{**self.QUICK, **change})(*pair, SMALL_SPACING)

    @pytest.fixture(scope="class")
    def plain(self):
        return self.run()

    def test_the_seed_repeats_a_result_and_another_changes_it(self, plain):
        np.testing.assert_array_equal(self.run(), plain)
        assert np.abs(self.run(seed=1) - plain).max() > 1e-3

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
    def test_every_option_has_an_effect(self, change, plain):
        assert np.abs(self.run(**change) - plain).max() > 1e-3

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
