"""The torch blocks against closed forms, the judge's own NumPy geometry and independent implementations."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from scipy.interpolate import BSpline
from voxelmorph.nn.functional import spatial_transform

from datasets import geometry
from methods.blocks import spatial
from methods.blocks.cascades.affine import LightAffineStem
from methods.blocks.cascades.cascade import Affine, Cascade, extend
from methods.blocks.cost import count_macs, registration_cost
from methods.blocks.initial import create, initialise
from methods.blocks.layers import SameConv3d, UpConv3d, end_padding, same_padding
from methods.blocks.training import augmentation
from tests.composition import compose

SHAPE = (5, 7, 9)


def random(*shape, seed=0, dtype=torch.float32):
    return torch.from_numpy(np.random.default_rng(seed).random(shape)).to(dtype)


def displacement(seed=0, size=1.5, dtype=torch.float32, shape=SHAPE):
    return (random(2, 3, *shape, seed=seed, dtype=dtype) * 2 - 1) * size


@pytest.fixture(params=["compiled", "torch"])
def both_ways(request, monkeypatch):
    """Images on the CPU are read by compiled loops, and by torch as where these cannot be used."""
    if request.param == "torch":
        monkeypatch.setattr(spatial, "_installed", lambda: False)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("shape", [(5, 7, 9), (24, 28, 32), (6, 13, 64)])
@pytest.mark.parametrize("padding", ["border", "zeros"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_zero_displacement_is_the_identity_bit_for_bit(shape, padding, mode):
    image = random(1, 2, *shape)
    assert torch.equal(spatial.warp(image, torch.zeros(1, 3, *shape), mode=mode, padding=padding), image)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    ("padding", "outside", "mode", "order"),
    [("border", "border", "bilinear", 1), ("border", "border", "nearest", 0), ("zeros", 0.0, "bilinear", 1)],
)
def test_warp_agrees_with_the_judge(padding, outside, mode, order):
    image, u = random(2, 2, *SHAPE), displacement(size=4.0)
    got = spatial.warp(image, u, mode=mode, padding=padding)
    for n in range(2):
        for c in range(2):
            expected = geometry.warp(image[n, c].numpy(), u[n].numpy(), order=order, outside=outside)
            np.testing.assert_allclose(got[n, c], expected, atol=5e-6)


@pytest.mark.usefixtures("both_ways")
def test_a_sampler_is_used_again_and_again_and_passes_gradients():
    image, (one, other) = random(2, 1, *SHAPE).requires_grad_(), random(2, 2, 3, 4, 5, 6) * 8
    read = spatial.sampler(image, padding="zeros")
    for points in (one, other):
        points.requires_grad_()
        torch.testing.assert_close(read(points), spatial.sample(image, points, padding="zeros"), rtol=0, atol=0)
    (read(one).sum() + read(other).sum()).backward()
    assert image.grad.abs().max() > 0
    assert min(one.grad.abs().max(), other.grad.abs().max()) > 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_warp_of_a_ramp_reads_the_named_axis(axis):
    ramp = spatial.identity_grid(SHAPE, dtype=torch.float64)[axis][None, None]
    u = torch.zeros(1, 3, *SHAPE, dtype=torch.float64)
    u[:, axis] = 0.75
    expected = (ramp + 0.75).clamp(max=SHAPE[axis] - 1)
    torch.testing.assert_close(spatial.warp(ramp, u), expected, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("both_ways")
def test_warp_reads_a_moving_image_of_another_grid():
    moving, u = random(2, 1, 11, 6, 8), displacement()
    expected = geometry.warp(moving[1, 0].numpy(), u[1].numpy())
    np.testing.assert_allclose(spatial.warp(moving, u)[1, 0], expected, atol=2e-6)


@pytest.mark.usefixtures("both_ways")
def test_nearest_voxels_reach_half_a_voxel_outside_before_zeros_begin():
    image, u = random(2, 1, *SHAPE), displacement(size=4.0)
    points = geometry.identity_grid(SHAPE) + u[1].numpy()
    expected = ndimage.map_coordinates(image[1, 0].numpy(), points, order=0, mode="grid-constant")
    np.testing.assert_array_equal(spatial.warp(image, u, mode="nearest", padding="zeros")[1, 0], expected)


@pytest.mark.usefixtures("both_ways")
def test_warp_takes_non_contiguous_inputs():
    image = random(2, 1, 9, 7, 5).permute(0, 1, 4, 3, 2)
    u = displacement(shape=(9, 7, 5)).permute(0, 1, 4, 3, 2)
    assert not image.is_contiguous()
    assert torch.equal(spatial.warp(image, u), spatial.warp(image.contiguous(), u.contiguous()))


@pytest.mark.usefixtures("both_ways")
def test_warp_agrees_with_voxelmorph():
    image, u = random(1, 1, *SHAPE), displacement(size=0.9)[:1]
    inside = (..., slice(1, -1), slice(1, -1), slice(1, -1))
    expected = spatial_transform(image, u, isdisp=True)
    torch.testing.assert_close(spatial.warp(image, u)[inside], expected[inside], rtol=0, atol=1e-5)


def test_gradients_of_the_warp_are_those_of_finite_differences():
    image = random(1, 1, 4, 3, 5, dtype=torch.float64).requires_grad_()
    u = (random(1, 3, 4, 3, 5, seed=1, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()  # off the kinks at integers
    assert torch.autograd.gradcheck(spatial.warp, (image, u))


@pytest.mark.usefixtures("both_ways")
def test_compose_agrees_with_the_judge_and_with_two_warps():
    first, then = displacement(1), displacement(2)
    expected = compose(first[1].numpy(), then[1].numpy())
    np.testing.assert_allclose(spatial.compose(first, then)[1], expected, atol=1e-5)
    linear = spatial.identity_grid((24, 28, 32))[None] * 2.0  # linear images make interpolation exact
    a, b = (displacement(seed, 0.5, shape=(24, 28, 32))[:1] for seed in (1, 2))
    once = spatial.warp(linear, spatial.compose(a, b))
    inside = (..., slice(2, -2), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(once[inside], spatial.warp(spatial.warp(linear, a), b)[inside], rtol=0, atol=2e-4)


@pytest.mark.parametrize("scheme", ["forward", "central"])
def test_jacobian_determinant_agrees_with_the_judge_and_with_a_linear_map(scheme):
    u = displacement(dtype=torch.float64)
    expected = geometry.jacobian_determinant(u[1].numpy(), scheme=scheme)
    np.testing.assert_allclose(spatial.jacobian_determinant(u, scheme)[1], expected, atol=1e-12)
    matrix = random(1, 3, 3, dtype=torch.float64) * 0.4
    linear = spatial.affine_displacement(matrix, torch.zeros(1, 3, dtype=torch.float64), SHAPE)
    determinant = torch.linalg.det(torch.eye(3) + matrix)
    got = spatial.jacobian_determinant(linear, scheme)
    torch.testing.assert_close(got, determinant.view(1, 1, 1, 1).expand_as(got))


def test_affine_displacement_counts_from_the_centre():
    matrix, translation = random(2, 3, 3), random(2, 3, seed=1)
    u = spatial.affine_displacement(matrix, translation, SHAPE)
    torch.testing.assert_close(u[:, :, 2, 3, 4], translation)
    centred = torch.tensor([0.0, 6.0, 1.0]) - torch.tensor([2.0, 3.0, 4.0])
    torch.testing.assert_close(u[1, :, 0, 6, 1], matrix[1] @ centred + translation[1])


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (128, 3, 2, (0, 1)),
        (128, 5, 2, (1, 2)),
        (64, 4, 2, (1, 1)),
        (64, 3, 3, (1, 1)),
        (8, 3, 3, (0, 1)),
        (9, 3, 2, (1, 1)),
    ],
)
def test_same_padding_is_tensorflows(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


def test_strided_convolution_pads_nothing_before_and_one_after():
    conv = SameConv3d(1, 27, stride=2)
    image = random(1, 1, 6, 7, 8)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(27).view(27, 1, 3, 3, 3))  # output channel = one tap
        conv.bias.zero_()
        got = conv(image).view(3, 3, 3, 3, 4, 4)
    # even axes: tap k of output i reads voxel 2i + k; the odd axis is symmetric and reads 2i + k - 1
    padded = F.pad(image[0, 0], (0, 1, 1, 1, 0, 1))
    for i, j, k in np.ndindex(3, 3, 3):
        assert torch.equal(got[i, j, k], padded[i : i + 5 : 2, j : j + 7 : 2, k : k + 7 : 2])


def test_transposed_convolution_is_the_gradient_of_the_strided_one():
    up, down = UpConv3d(2, 3).double(), SameConv3d(3, 2, 4, stride=2).double()
    with torch.no_grad():
        down.weight.copy_(up.weight)
        down.bias.zero_()
    small, large = random(1, 2, 3, 4, 5, dtype=torch.float64), random(1, 3, 6, 8, 10, seed=1, dtype=torch.float64)
    torch.testing.assert_close((up(small) * large).sum(), (small * down(large)).sum())


def test_initialisation_is_uniform_scaling_from_the_seed():
    conv = create(lambda: SameConv3d(8, 16), seed=3, device="cpu")
    limit = math.sqrt(3 / (27 * 8))
    assert 0.98 * limit < conv.weight.abs().max() <= limit
    assert conv.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.05)
    assert torch.equal(conv.bias, torch.zeros(16))
    assert torch.equal(conv.weight, create(lambda: SameConv3d(8, 16), seed=3, device="cpu").weight)
    up = create(lambda: UpConv3d(40, 6), seed=3, device="cpu")
    assert up.weight.abs().max().item() == pytest.approx(math.sqrt(3 / (64 * 6)), rel=0.01)
    head = create(lambda: SameConv3d(16, 3, std=1e-5), seed=3, device="cpu")
    assert head.weight.std().item() == pytest.approx(1e-5, rel=0.1)
    clipped = create(lambda: SameConv3d(16, 3, std=0.02, truncated=True), seed=3, device="cpu")
    assert 0.035 < clipped.weight.abs().max() <= 0.04
    linear = initialise(torch.nn.Linear(40, 20), torch.Generator().manual_seed(0))
    assert linear.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 60), rel=0.02)
    with pytest.raises(TypeError, match="BatchNorm3d"):
        initialise(torch.nn.BatchNorm3d(2), torch.Generator())


def test_creating_a_network_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    create(lambda: SameConv3d(2, 2), seed=0, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_end_padding_reaches_the_multiple_at_the_end_of_each_axis():
    padded = F.pad(random(5, 16, 33), end_padding((5, 16, 33), 16))
    assert padded.shape == (16, 16, 48)
    assert torch.equal(padded[:5, :16, :33], random(5, 16, 33))


class Fixed(torch.nn.Module):
    """A stem that predicts what it was given, and keeps the images that it saw."""

    def __init__(self, prediction):
        super().__init__()
        self.prediction, self.seen = prediction, []

    def forward(self, fixed, moving):
        self.seen.append(moving)
        return self.prediction


def affine(seed, dtype=torch.float32):
    return Affine((random(2, 3, 3, seed=seed, dtype=dtype) - 0.5) * 0.2, random(2, 3, seed=seed + 1, dtype=dtype) - 0.5)


def test_dense_after_affine_is_composed_exactly():
    own, before = displacement(dtype=torch.float64), affine(5, torch.float64)
    total = extend(before, own, SHAPE)
    grid = spatial.identity_grid(SHAPE, dtype=torch.float64)
    centre = torch.tensor([2.0, 3.0, 4.0], dtype=torch.float64)
    point = grid[:, 4, 1, 7] + own[1, :, 4, 1, 7]
    mapped = point + before.matrix[1] @ (point - centre) + before.translation[1]
    torch.testing.assert_close(grid[:, 4, 1, 7] + total[1, :, 4, 1, 7], mapped)


def test_affine_after_affine_is_composed_exactly():
    one, two = affine(5, torch.float64), affine(7, torch.float64)
    torch.testing.assert_close(
        extend(one, two, SHAPE).displacement(SHAPE), extend(one, two.displacement(SHAPE), SHAPE), rtol=0, atol=1e-12
    )


def test_cascade_warps_the_original_image_once_and_feeds_each_stem_the_image_so_far():
    a, b = displacement(1), displacement(2)
    stems = [Fixed(affine(5)), Fixed(a), Fixed(b)]
    fixed, moving = random(2, 1, *SHAPE, seed=8), random(2, 1, *SHAPE, seed=9)
    result = Cascade(stems, [1.0, 0.5, 0.25])(fixed, moving)
    second = extend(affine(5), a * 0.5, SHAPE)
    total = spatial.compose(second, b * 0.25)
    assert torch.equal(result.displacement, total)
    assert torch.equal(result.warped, spatial.warp(moving, total))
    assert torch.equal(stems[0].seen[0], moving)
    assert torch.equal(stems[2].seen[0], spatial.warp(moving, second))
    assert torch.equal(result.stages[2].own, b * 0.25)


def test_gradients_reach_the_first_stem_through_the_warped_image():
    first = displacement(1).requires_grad_()

    class Look(torch.nn.Module):
        def forward(self, fixed, moving):
            return moving.expand(-1, 3, -1, -1, -1)

    moving = random(2, 1, *SHAPE, seed=9)
    stages = Cascade([Fixed(first), Look()], [1.0, 1.0])(moving, moving).stages
    stages[1].own.square().sum().backward()
    assert first.grad.abs().max() > 0.1


def test_light_affine_stem_fits_every_grid():
    stem = create(lambda: LightAffineStem([4, 4, 4, 8]), seed=0, device="cpu")
    for shape in ((16, 32, 48), (64, 32, 16)):
        found = stem(random(2, 1, *shape), random(2, 1, *shape, seed=1))
        assert found.matrix.shape == (2, 3, 3)
        assert found.translation.shape == (2, 3)
        assert found.matrix.abs().max() > 0


@pytest.mark.parametrize("size", [16, 24, 30])
def test_bspline_weights_are_scipys_and_sum_to_one(size):
    weights = augmentation.bspline_weights(size, dtype=torch.float64)
    torch.testing.assert_close(weights.sum(1), torch.ones(size, dtype=torch.float64))
    place = (np.arange(size) + 0.5) * 4 / size
    for column in range(7):
        knots = np.arange(column - 3.0, column + 2.0)
        expected = BSpline.basis_element(knots, extrapolate=False)(place)
        np.testing.assert_allclose(weights[:, column], np.nan_to_num(expected), atol=1e-12)


def test_random_displacement_has_the_published_statistics():
    shape = (32, 48, 64)
    u = augmentation.random_displacement(24, shape, torch.Generator().manual_seed(0))
    cells = u / torch.tensor([n / 128 for n in shape]).view(3, 1, 1, 1)  # voxels of a 128^3 grid
    assert cells.norm(dim=1).mean().item() == pytest.approx(2.55, rel=0.06)
    assert cells.norm(dim=1).quantile(0.95).item() == pytest.approx(4.6, rel=0.08)
    assert cells.square().mean().sqrt().item() == pytest.approx(1.61, rel=0.06)
    assert spatial.jacobian_determinant(u).min() > 0
    assert torch.equal(u, augmentation.random_displacement(24, shape, torch.Generator().manual_seed(0)))
    half = augmentation.random_displacement(24, shape, torch.Generator().manual_seed(0), strength=0.5)
    torch.testing.assert_close(half, u / 2)


def test_macs_of_convolutions_are_their_closed_forms():
    conv, up = SameConv3d(3, 5, stride=2), UpConv3d(2, 4)
    assert count_macs(lambda: conv(random(1, 3, 6, 7, 8))) == 3 * 5 * 27 * 3 * 4 * 4
    assert count_macs(lambda: up(random(1, 2, 3, 4, 5))) == 2 * 4 * 64 * 3 * 4 * 5
    found = registration_cost(lambda: Cascade([LightAffineStem([2, 2, 2, 2])], [1.0]), (16, 32, 48))
    assert found["parameters"] == 4 * (2 * 2 * 27 + 2) + 27 * 2 * 12
    assert found["macs"] == 2 * 2 * 27 * (16 * 32 * 48) * sum(8**-k for k in (1, 2, 3, 4)) + 27 * 2 * 12


def test_wrong_arguments_are_named():
    image = random(1, 1, *SHAPE)
    with pytest.raises(ValueError, match=r"warp: .*\(1, 2, 5, 7, 9\)"):
        spatial.warp(image, random(1, 2, *SHAPE))
    with pytest.raises(ValueError, match=r"mode .*'cubic'"):
        spatial.warp(image, random(1, 3, *SHAPE), mode="cubic")
    with pytest.raises(ValueError, match="multiplier"):
        Cascade([Fixed(None)], [])
    with pytest.raises(ValueError, match=r"Cascade: .*\(1, 1, 5, 7, 8\)"):
        Cascade([Fixed(None)], [1.0])(image, image[..., :8])
