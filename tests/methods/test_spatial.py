"""Warps and determinants in torch against closed forms, the judge's own NumPy geometry, SciPy and VoxelMorph."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from voxelmorph.nn.functional import spatial_transform

from datasets import geometry
from methods.blocks import spatial
from tests.composition import compose
from tests.methods.drawn import SHAPE, displacement, random


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


def test_wrong_arguments_of_the_warp_are_named():
    image = random(1, 1, *SHAPE)
    with pytest.raises(ValueError, match=r"warp: .*\(1, 2, 5, 7, 9\)"):
        spatial.warp(image, random(1, 2, *SHAPE))
    with pytest.raises(ValueError, match=r"mode .*'cubic'"):
        spatial.warp(image, random(1, 3, *SHAPE), mode="cubic")
