"""VoxelMorph learns: its losses are the package's own, and its training resumes."""

import json
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage

from datasets import geometry
from datasets.case import Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from methods import voxelmorph
from methods.blocks.spatial import warp
from methods.blocks.training import loop
from methods.blocks.training.checkpoint import CheckpointError
from methods.blocks.training.loop import DivergedError
from methods.blocks.training.sampling import Sampler
from tests.methods import calls
from tests.methods.voxelmorph_inputs import PACKAGE, SPACING, model, tensors

pytestmark = pytest.mark.usefixtures("one_thread")


SMALL = {"channels": 4, "iterations": 5, "batch": 2, "learning_rate": 1e-2, "checkpoint_every": 2}


class TestLosses:
    def losses(self, image_loss, weight=0.5):
        made, (fixed, moving) = model(), tensors()
        terms = voxelmorph._losses(made, image_loss, weight, SimpleNamespace(fixed=fixed, moving=moving))
        u, velocity = (value.detach() for value in made(fixed, moving))
        warped = warp(moving, u, padding="zeros")[0, 0].numpy().astype(float)
        return terms, fixed[0, 0].numpy().astype(float), warped, velocity[0].numpy().astype(float)

    @pytest.mark.parametrize("image_loss", ["mse", "ncc"])
    def test_penalty_is_on_the_velocity_before_integration_and_on_the_coarser_grid(self, image_loss):
        terms, _, _, velocity = self.losses(image_loss)
        assert velocity.shape == (3, 8, 16, 24)
        expected = np.mean([np.square(np.diff(velocity, axis=axis)).mean() for axis in (1, 2, 3)])
        assert terms["regularisation"].item() == pytest.approx(0.5 * expected, rel=1e-4)
        assert terms["total"].item() == pytest.approx(terms["similarity"].item() + 0.5 * expected, rel=1e-4)

    def test_mean_squared_error(self):
        terms, fixed, warped, _ = self.losses("mse")
        assert terms["similarity"].item() == pytest.approx(np.square(fixed - warped).mean(), rel=1e-4)

    def test_local_correlation_is_that_of_scipy(self):
        terms, a, b, _ = self.losses("ncc")
        total, count = lambda image: 729 * ndimage.uniform_filter(image, 9, mode="constant"), 729
        cross = total(a * b) - total(a) * total(b) / count
        variances = [total(image**2) - total(image) ** 2 / count for image in (a, b)]
        expected = -np.mean(cross**2 / (variances[0] * variances[1] + 1e-5))
        assert -0.9 < expected < -0.01
        assert terms["similarity"].item() == pytest.approx(expected, rel=1e-4)

    def test_local_correlation_stands_uniform_windows(self):
        """In single precision their variance is rounding error, and the package stops at a quotient without bounds."""
        uniform = torch.full((1, 1, 48, 48, 48), 0.3)
        noise = 0.35 + 0.3 * torch.rand(1, 1, 48, 48, 48, generator=torch.Generator().manual_seed(0))
        loss = voxelmorph._local_correlation_loss(uniform, noise.requires_grad_())
        loss.backward()
        assert -1 < loss.item() <= 0
        assert noise.grad.isfinite().all()

    def test_smoothness_goes_with_the_image_loss(self):
        assert voxelmorph.Training(image_loss="mse").weight == 0.01
        assert voxelmorph.Training(image_loss="ncc").weight == 1.0
        assert voxelmorph.Training(image_loss="ncc", smoothness=0.0).weight == 0.0
        with pytest.raises(ValueError, match=r"smoothness .* -1"):
            voxelmorph.Training(smoothness=-1)


def ellipsoids(folder, cases=30, shape=(16, 16, 32)):
    """Ellipsoids with soft edges, of different place and size; the last six are for testing."""
    rng, writer, grid = np.random.default_rng(0), Writer(folder), geometry.identity_grid(shape)
    for case in range(cases):
        centre = (np.array(shape) - 1) / 2 + rng.uniform(-1.5, 1.5, 3)
        radii = np.array([4, 5, 9]) * rng.uniform(0.8, 1.2, 3)
        distance = np.sqrt((((grid.T - centre) / radii) ** 2).sum(-1)).T
        writer.image(f"c{case}", 0.1 + 0.8 / (1 + np.exp(5 * (distance - 1))), np.eye(4))
    test = tuple(Pair(f"c{case}", f"c{case + 1}") for case in range(cases - 6, cases - 1))
    split = TrainingSplit(tuple(f"c{case}" for case in range(cases - 6)))
    writer.finish(Description(name="ellipsoids", training=split, test=test))
    return open_dataset(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return ellipsoids(tmp_path_factory.mktemp("ellipsoids"))


def train(data, folder, **changes):
    return calls.train(voxelmorph, data, folder, device="cpu", seed=changes.pop("seed", 0), **{**SMALL, **changes})


class TestTraining:
    @pytest.mark.parametrize("image_loss", ["mse", "ncc"])
    def test_interrupted_training_continues_bit_for_bit(self, data, tmp_path, monkeypatch, image_loss):
        before = torch.get_rng_state()
        whole = train(data, tmp_path / "whole", image_loss=image_loss).read_bytes()
        assert torch.equal(torch.get_rng_state(), before)
        step = loop._iterate

        def broken(learner, sampler, iteration):
            row = step(learner, sampler, iteration)
            if iteration == 3:
                raise KeyboardInterrupt
            return row

        with monkeypatch.context() as patch:
            patch.setattr(loop, "_iterate", broken)
            with pytest.raises(KeyboardInterrupt):
                train(data, tmp_path / "cut", image_loss=image_loss)
        torch.rand(3)  # what others draw from the global generator in between makes no difference
        assert train(data, tmp_path / "cut", image_loss=image_loss).read_bytes() == whole
        assert train(data, tmp_path / "seed", image_loss=image_loss, seed=1).read_bytes() != whole

    @pytest.mark.parametrize("changes", [{"image_loss": "ncc"}, {"smoothness": 0.1}, {"integration_steps": 5}])
    def test_states_of_another_recipe_are_refused(self, data, tmp_path, changes):
        train(data, tmp_path, iterations=1)
        with pytest.raises(CheckpointError, match="another run"):
            train(data, tmp_path, iterations=1, **changes)

    def test_weights_of_another_network_are_refused(self, data, tmp_path):
        path = train(data, tmp_path, iterations=1)
        calls.load(voxelmorph, device="cpu", seed=0, checkpoint=path, channels=4)
        for params in ({"channels": 8}, {"channels": 4, "integration_steps": 5}, {"channels": 4, **PACKAGE}):
            with pytest.raises(CheckpointError, match="params is"):
                calls.load(voxelmorph, device="cpu", seed=0, checkpoint=path, **params)

    @pytest.mark.parametrize("image_loss", ["mse", "ncc"])
    def test_divergence_is_reported_with_its_iteration(self, data, tmp_path, image_loss):
        with pytest.raises(DivergedError, match="iteration 1"):
            train(data, tmp_path, image_loss=image_loss, learning_rate=1e30)
        assert not (tmp_path / "weights.safetensors").exists()

    @pytest.mark.parametrize(
        ("changes", "expected"), [({}, 0.02), ({"image_loss": "ncc"}, 2.0), ({"smoothness": 3.0}, 6.0)]
    )
    def test_the_penalty_is_multiplied_by_the_downsize_factor(self, data, tmp_path, monkeypatch, changes, expected):
        losses, seen = voxelmorph._losses, []

        def recorded(model, image_loss, weight, batch):
            seen.append(weight)
            return losses(model, image_loss, weight, batch)

        monkeypatch.setattr(voxelmorph, "_losses", recorded)
        train(data, tmp_path, iterations=1, integration_downsize=2, **changes)
        assert seen == [pytest.approx(expected)]

    def test_neither_augmentation_nor_a_schedule(self, data, tmp_path):
        train(data, tmp_path, iterations=2)
        curve = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
        assert {row["learning_rate"] for row in curve} == {1e-2}
        assert "augmentation" not in {field.name for field in fields(voxelmorph.Training)}
        assert Sampler.augmentation == 0  # unless a method says otherwise

    def test_training_brings_unseen_images_closer(self, data, tmp_path):
        path = train(data, tmp_path, channels=8, iterations=300, learning_rate=2e-3, checkpoint_every=300)
        register, before, after = calls.load(voxelmorph, device="cpu", seed=5, checkpoint=path, channels=8), [], []
        for pair in data.test_pairs:
            fixed, moving = data.image(pair.fixed).array, data.image(pair.moving).array
            warped = geometry.warp(moving, register(fixed, moving, SPACING))
            before.append(np.square(fixed - moving).mean())
            after.append(np.square(fixed - warped).mean())
        assert np.mean(after) < 0.75 * np.mean(before)
