"""A cascade composes its stages and warps the original image once; closed forms of stages that are known."""

import pytest
import torch

from methods.blocks import spatial
from methods.blocks.cascades.affine import LightAffineStem
from methods.blocks.cascades.cascade import Affine, Cascade, extend
from methods.blocks.initial import create
from tests.methods.drawn import SHAPE, displacement, random


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


def test_wrong_arguments_of_a_cascade_are_named():
    image = random(1, 1, *SHAPE)
    with pytest.raises(ValueError, match="multiplier"):
        Cascade([Fixed(None)], [])
    with pytest.raises(ValueError, match=r"Cascade: .*\(1, 1, 5, 7, 8\)"):
        Cascade([Fixed(None)], [1.0])(image, image[..., :8])
