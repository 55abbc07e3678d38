"""VoxelMorph from its package: the published size, the package's conventions, its losses, and training that resumes."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from datasets import geometry
from datasets.case import Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from methods import voxelmorph
from methods.blocks.registration import register
from methods.blocks.spatial import warp
from methods.blocks.training import loop
from methods.blocks.training.checkpoint import CheckpointError
from methods.blocks.training.loop import DivergedError
from methods.blocks.training.sampling import Sampler
from tests.methods import calls
from tests.methods.resized import resized

SHAPE, SPACING = (16, 32, 48), (1.0, 1.0, 1.0)
pytestmark = pytest.mark.usefixtures("one_thread")
PACKAGE = {"network": "package", "integration_steps": 5, "integration_downsize": 1}
SMALL = {"channels": 4, "iterations": 5, "batch": 2, "learning_rate": 1e-2, "checkpoint_every": 2}


def images(shape=SHAPE, seed=0):
    """A read-only smooth pair in [0, 1]."""
    rng = np.random.default_rng(seed)
    pair = []
    for _ in range(2):
        image = ndimage.gaussian_filter(rng.random(shape), 2)
        pair.append(((image - image.min()) / np.ptp(image)).astype(np.float32))
        pair[-1].flags.writeable = False
    return pair


def tensors(shape=SHAPE, seed=0):
    return [torch.from_numpy(image.copy())[None, None] for image in images(shape, seed)]


def model(*, network="published", channels=4, steps=7, downsize=2, strength=0.3):
    """A network whose last layer moves voxels, which the initial one hardly does."""
    made = voxelmorph._create(voxelmorph.Architecture(network, channels, steps, downsize), 0, "cpu")
    with torch.no_grad():
        made.pairwise.flow_layer.conv0.weight.normal_(0, strength, generator=torch.Generator().manual_seed(1))
    return made.eval()


class TestSize:
    def test_the_published_network_has_the_published_size(self):
        """Size and work as counted of the authors' own max-pool network, whose last release on torch had it whole."""
        found = calls.cost(voxelmorph, (128, 128, 128))
        assert found["parameters"] == found["full_parameters"] == 327_331
        assert found["macs"] == found["full_macs"]
        assert found["macs"] / 1e9 == pytest.approx(156.181, abs=6e-4)

    def test_the_published_network_is_wired_as_published(self):
        """Moving image first; leaky ReLU 0.2, max-pooling, nearest up-sampling before the skip of the same size."""
        made, (fixed, moving) = model(downsize=1), tensors()
        convs = [module for module in made.pairwise.model.modules() if isinstance(module, torch.nn.Conv3d)]
        x, skips = torch.cat([moving, fixed], 1), []
        for conv in convs[:4]:
            skips.append(F.leaky_relu(conv(x), 0.2))
            x = F.max_pool3d(skips[-1], 2)
        x = F.leaky_relu(convs[4](x), 0.2)
        for conv in convs[5:9]:
            x = F.leaky_relu(conv(torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skips.pop()], 1)), 0.2)
        for conv in convs[9:]:
            x = F.leaky_relu(conv(x), 0.2)
        velocity = made.pairwise.flow_layer.conv0(x)
        assert [conv.out_channels for conv in convs] == [2, 4, 4, 4, 4, 4, 4, 4, 4, 2, 2]
        torch.testing.assert_close(made(fixed, moving)[1], velocity)

    def test_the_package_network_is_its_own_by_default(self):
        from voxelmorph.nn.models import VxmPairwise

        assert calls.cost(voxelmorph, SHAPE, **PACKAGE)["parameters"] == 105_017
        assert sum(parameter.numel() for parameter in VxmPairwise(3, 1, 1).parameters()) == 105_017

    def test_cost_counts_the_padded_grid_the_width_and_the_shrunken_pair(self):
        small = calls.cost(voxelmorph, (20, 30, 40), channels=8)
        assert small == calls.cost(voxelmorph, (32, 32, 48), channels=8)
        assert small == calls.cost(voxelmorph, (64, 64, 96), channels=8, shrink=2)
        assert small["macs"] < calls.cost(voxelmorph, (32, 32, 48))["macs"] / 10
        assert small["full_parameters"] == 327_331


class TestConvention:
    def test_the_package_warps_as_this_suite_does(self):
        """On a grid with three sizes, with the package's own network, integration and warp in one call."""
        from voxelmorph.nn.models import VxmPairwise

        ours = model(network="package", steps=5, downsize=1, strength=0.5)
        whole = VxmPairwise(3, 1, 1, nb_features=[2] * 5)
        whole.load_state_dict(ours.pairwise.state_dict())
        fixed, moving = tensors((32, 64, 96))
        with torch.no_grad():
            u, warped = whole(moving, fixed, return_warped_source=True)
            torch.testing.assert_close(ours(fixed, moving)[0], u, rtol=0, atol=0)
        assert u.abs().max() > 0.5
        torch.testing.assert_close(warp(moving, u, padding="zeros"), warped, rtol=0, atol=1e-5)
        judged = geometry.warp(moving[0, 0].numpy(), u[0].numpy())
        inner = (slice(8, -8),) * 3
        np.testing.assert_allclose(judged[inner], warped[0, 0].numpy()[inner], atol=1e-5)

    def test_its_displacement_pulls_back_in_voxels_along_the_axes_of_the_array(self):
        moving = tensors()[1]
        shift = torch.tensor([1.0, 2.0, -3.0]).view(1, 3, 1, 1, 1).expand(1, 3, *SHAPE)
        warped = model().warp(moving, shift)
        torch.testing.assert_close(warped[0, 0, :-1, :-2, 3:], moving[0, 0, 1:, 2:, :-3], rtol=0, atol=1e-5)

    @pytest.mark.parametrize(("downsize", "steps"), [(1, 7), (2, 7), (2, 0), (4, 3)])
    def test_a_constant_velocity_is_its_own_displacement(self, downsize, steps):
        """Whatever the grid it is integrated on: values are in the voxels of the grid they lie on."""
        made, constant = model(steps=steps, downsize=downsize), torch.tensor([0.8, -1.2, 2.0])
        with torch.no_grad():
            made.pairwise.flow_layer.conv0.weight.zero_()
            made.pairwise.flow_layer.conv0.bias.copy_(constant)
            u, velocity = made(*tensors((32, 48, 64)))
        assert velocity.shape[2:] == tuple(n // downsize for n in (32, 48, 64))
        torch.testing.assert_close(velocity[0].flatten(1).mean(1), constant / downsize)
        torch.testing.assert_close(u[0, :, 16, 24, 32], constant, rtol=0, atol=1e-4)


class TestRegister:
    @pytest.mark.parametrize("params", [{"channels": 4}, {"channels": 4, **PACKAGE}])
    def test_displacement_has_the_images_grid_and_depends_on_the_seed_alone(self, params):
        fixed, moving = images((20, 30, 40))
        before = torch.get_rng_state()
        first, again, other = (
            calls.load(voxelmorph, device="cpu", seed=seed, **params)(fixed, moving, SPACING) for seed in (1, 1, 2)
        )
        geometry.check_displacement(first, fixed.shape)
        assert first.dtype == np.float32
        assert 0 < np.abs(first).max() < 0.01  # untrained: the last layer starts next to zero
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.fault(16)
    def test_padding_is_at_the_end_and_cropped_back(self):
        fixed, moving = images((20, 30, 40))
        padded = [np.pad(image, [(0, 12), (0, 2), (0, 8)]) for image in (fixed, moving)]
        register = calls.load(voxelmorph, device="cpu", seed=1, channels=4)
        whole = register(*padded, SPACING)
        np.testing.assert_array_equal(register(fixed, moving, SPACING), whole[:, :20, :30, :40])

    def test_a_shrunken_registration_is_the_small_one_resized(self):
        small = images()
        large = [image.repeat(2, 0).repeat(2, 1).repeat(2, 2) for image in small]
        network = model()
        direct, shrunken = (
            register(*pair, SPACING, predict=network.displacement, device="cpu", multiple=16, shrink=shrink)
            for shrink, pair in ((1, small), (2, large))
        )
        assert np.abs(direct).max() > 0.1
        np.testing.assert_allclose(shrunken, resized(direct, large[0].shape), atol=1e-4)

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"channels": 5}, "channels .* 5"),
            ({"integration_steps": -1}, "integration_steps .* -1"),
            ({"integration_downsize": 3}, "integration_downsize .* 3"),
            ({"shrink": 0}, "shrink .* 0"),
        ],
    )
    def test_wrong_params_are_named(self, params, message):
        with pytest.raises(ValueError, match=message):
            calls.load(voxelmorph, device="cpu", seed=0, **params)


def test_the_package_is_imported_by_load_alone_and_needs_no_display():
    """And it is the package, not the file of the same name in this suite."""
    code = (
        "import sys, methods.voxelmorph as ours\n"
        "assert 'voxelmorph' not in sys.modules and 'neurite' not in sys.modules\n"
        "ours.load(ours.Params(channels=2), device='cpu', seed=0)\n"
        "assert sys.modules['voxelmorph'].__version__ and sys.modules['voxelmorph'] is not ours\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, env={"PATH": "/usr/bin:/bin"})


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
