"""VoxelMorph from its package: the published size, the package's conventions, and what it registers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from datasets import geometry
from methods import voxelmorph
from methods.blocks.registration import register
from methods.blocks.spatial import warp
from tests.methods import calls
from tests.methods.resized import resized
from tests.methods.voxelmorph_inputs import PACKAGE, SHAPE, SPACING, images, model, tensors

pytestmark = pytest.mark.usefixtures("one_thread")


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
