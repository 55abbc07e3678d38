"""Synthetic training pairs against gryds, SciPy and closed forms, on a grid that is no cube."""

import gryds
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import ndimage

from datasets import geometry
from methods.blocks import spatial
from methods.blocks.progressive import bspline, gradients, synthesis
from methods.blocks.progressive.synthesis import Bend, Recipe
from tests.methods.progressive.bore import bore_mask
from tests.methods.progressive.synthetic_inputs import SHAPE, SIZE, WILD, drawn, generator, gryds_transforms, random


def test_truth_agrees_with_gryds():
    values = drawn(recipe=WILD)
    u = synthesis.true_displacement(*values[1:], SHAPE)
    for n in range(2):
        _, coarse, fine = gryds_transforms(values, n)
        grid = gryds.Grid(shape=SHAPE)
        bent = grid.transform(fine, coarse).grid.astype(float) - grid.grid
        assert_allclose(u[n], bent * SIZE, atol=1e-5)


def test_order_of_the_composition_matters_to_this_test():
    _, coarse, fine = drawn(recipe=WILD)
    u = synthesis.true_displacement(coarse, fine, SHAPE)
    assert (u - synthesis.true_displacement(fine, coarse, SHAPE)).abs().max() > 0.1


@pytest.mark.parametrize("size", [SHAPE, (18, 40, 30)], ids=["same size", "finer image"])
def test_images_agree_with_gryds(size):
    image, values = random(1, 1, *size), drawn(1)
    pair = synthesis.pairs_of(image, values, mask=None, shape=SHAPE, sigma=None)
    initial, coarse, fine = gryds_transforms(values)
    interpolator, grid = gryds.BSplineInterpolator(image[0, 0].numpy(), order=1), gryds.Grid(shape=SHAPE)
    for got, points in ((pair.moving, grid.transform(initial)), (pair.fixed, grid.transform(fine, coarse, initial))):
        index = points.scaled_to(size).grid
        last = np.reshape(size, (3, 1, 1, 1)) - 1
        within = np.all((index >= 0) & (index <= last), axis=0)  # gryds cuts at the outermost voxel, ours fades
        assert 0.5 < within.mean() < 1
        assert_allclose(got[0, 0].numpy()[within], interpolator.resample(points)[within], atol=2e-5)


def test_fixed_image_is_the_moving_one_warped_by_the_truth():
    shape = (24, 28, 32)
    ramp = torch.linspace(0, 3, 32) ** 2 + torch.linspace(0, 2, 28)[:, None] + torch.linspace(0, 5, 24)[:, None, None]
    pair = synthesis.synthesise(ramp[None, None], generator(1), sigma=None)
    u, (fixed, moving) = pair.displacement[0].numpy(), (i[0, 0].numpy() for i in (pair.fixed, pair.moving))
    inner = (slice(8, -8),) * 3
    before = np.abs(fixed - moving)[inner].mean()
    assert np.abs(fixed - geometry.warp(moving, u))[inner].mean() < 0.05 * before
    assert u.shape == (3, *shape)


def test_zero_ranges_leave_the_image_as_it_is():
    still = Bend((2, 3, 4), (0, 0, 0))
    image, mask = random(2, 1, *SHAPE), bore_mask(SHAPE)
    pair = synthesis.synthesise(image, generator(), recipe=Recipe(still, still, still), mask=mask, sigma=None)
    assert torch.equal(pair.fixed, image)
    assert torch.equal(pair.moving, image)
    assert torch.equal(pair.fixed_mask, mask.expand_as(image))
    assert not pair.displacement.any()


def test_ranges_are_fractions_of_each_axis():
    recipe = Recipe(initial=Bend((3, 4, 5), (0.1, 0.0, 0.02)))
    initial = synthesis.draw_bends(40, SHAPE, generator(), recipe)[0]
    assert initial.shape == (40, 3, 3, 4, 5)
    assert_allclose(initial.abs().amax((0, 2, 3, 4)), np.multiply(recipe.initial.ranges, SHAPE), rtol=0.01)


def test_a_batch_is_its_pairs_one_by_one():
    image, mask, stream = random(3, 1, *SHAPE), bore_mask(SHAPE), generator(5)
    batch = synthesis.synthesise(image, generator(5), mask=mask)
    for n in range(3):
        single = synthesis.synthesise(image[n : n + 1], stream, mask=mask)
        for name in ("fixed", "moving", "displacement", "fixed_mask", "moving_mask"):
            torch.testing.assert_close(getattr(single, name)[0], getattr(batch, name)[n], rtol=0, atol=1e-5)


@pytest.mark.parametrize("points", [3, 1000])
def test_parts_of_any_size_make_the_same_pairs(monkeypatch, points):
    images, masks, values = random(2, 1, 18, 40, 30), random(2, 1, 9, 16, 20).round(), drawn(2)
    whole = synthesis.pairs_of(images, values, mask=masks, shape=SHAPE, sigma=None)
    monkeypatch.setattr(bspline, "CACHED", points * 4)
    parts = synthesis.pairs_of(images, values, mask=masks, shape=SHAPE, sigma=None)
    for name in ("fixed", "moving", "displacement", "fixed_mask", "moving_mask"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=0, atol=1e-5)


def test_the_seed_alone_decides():
    image = random(1, 1, *SHAPE)
    one, same, other = (synthesis.synthesise(image, generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(one.fixed, same.fixed)
    assert torch.equal(one.displacement, same.displacement)
    assert (one.displacement - other.displacement).abs().max() > 0.1


@pytest.mark.parametrize("shape", [(5, 16, 21), (21, 5, 16), (17, 9, 4)])
@pytest.mark.parametrize("sigma", [0.5, 1.3])
def test_gradient_magnitude_agrees_with_scipy(shape, sigma):
    images = random(2, 1, *shape)
    got = gradients.gradient_magnitude(images, sigma)
    for n in range(2):
        expected = ndimage.gaussian_gradient_magnitude(images[n, 0].double().numpy(), sigma)
        assert_allclose(got[n, 0], expected, atol=1e-6)


def test_a_device_without_the_caches_of_a_cpu_takes_an_image_in_one_pass(monkeypatch):
    passes, plain = [], torch.sqrt
    monkeypatch.setattr(torch, "sqrt", lambda square, out: passes.append(square.device.type) or plain(square, out=out))
    for device in ("cpu", "meta"):
        gradients.gradient_magnitude(torch.zeros(1, 1, 2 * gradients.SLAB + 1, 5, 4, device=device))
    assert passes == ["cpu"] * 3 + ["meta"]


def test_gradient_of_a_ramp_is_the_sampled_kernels():
    ramp = spatial.identity_grid(SHAPE)[1][None, None]
    # 2 (0.42580 + 2 * 0.00211): the sampled kernel of half a voxel falls short of one.
    assert gradients.gradient_magnitude(ramp)[0, 0, 5, 8, 9] == pytest.approx(0.860, abs=5e-4)


def test_bore_is_a_disc_about_the_middle_voxel_of_every_slice():
    mask = bore_mask((3, 32, 32))
    assert mask.shape == (1, 1, 3, 32, 32)
    d, h, w = (mask[0, 0] > 0).nonzero().T
    assert torch.equal(mask[0, 0].bool()[0], mask[0, 0].bool()[2])
    assert len(set(d.tolist())) == 3
    radius = 32 * 250 / 512
    assert ((h - 16) ** 2 + (w - 16) ** 2).max() <= radius**2
    assert mask.sum() / 3 == pytest.approx(np.pi * radius**2, rel=0.02)


def test_masks_go_where_their_images_go():
    values, mask = drawn(1, recipe=WILD), bore_mask(SHAPE, radius=0.35)
    pair = synthesis.pairs_of(random(1, 1, *SHAPE), values, mask=mask, shape=SHAPE, sigma=0.5)
    initial, coarse, fine = gryds_transforms(values)
    nearest, grid = gryds.BSplineInterpolator(mask[0, 0].numpy(), order=0), gryds.Grid(shape=SHAPE)
    for got, transforms in ((pair.moving_mask, [initial]), (pair.fixed_mask, [fine, coarse, initial])):
        points = grid.transform(*transforms)
        within = np.all((points.grid * SIZE >= 0) & (points.grid * SIZE <= SIZE - 1), axis=0)
        assert np.array_equal(got[0, 0].numpy()[within], nearest.resample(points)[within])
    assert (pair.moving_mask != pair.fixed_mask).any()
    assert set(pair.moving_mask.unique().tolist()) == {0, 1}


def test_masks_blank_magnitudes_and_draw_no_edge():
    image, mask = torch.ones(1, 1, 24, 28, 32), bore_mask((24, 28, 32), radius=0.3)
    pair = synthesis.synthesise(image, generator(), mask=mask)
    plain = synthesis.synthesise(image, generator())
    for side in ("fixed", "moving"):
        inside = getattr(pair, f"{side}_mask")
        assert torch.equal(getattr(pair, side), getattr(plain, side) * inside)
        # All that a constant image has is the fall to zero outside of it, none around the disc.
        assert getattr(pair, side)[0, 0, 9:-9].max() < 1e-5
    assert torch.equal(plain.fixed_mask, torch.ones_like(image))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("size", [SHAPE, (300, 11, 26)], ids=["same size", "another size"])
def test_masks_are_read_at_the_nearest_voxel_and_nothing_outside(size, dtype):
    values, masks = drawn(2, recipe=WILD), random(2, 1, *size).round()
    still = [torch.zeros_like(values[0]), *values[1:]]
    pairs = synthesis.pairs_of(random(2, 1, *SHAPE), still, mask=masks.to(dtype), shape=SHAPE, sigma=None)
    scale = torch.tensor(size).div(torch.tensor(SHAPE)).view(3, 1, 1, 1)
    points = (spatial.identity_grid(SHAPE) + pairs.displacement) * scale
    assert (points < -2).any()
    assert (points > torch.tensor(size).view(3, 1, 1, 1) + 2).any()
    expected = spatial.sample(masks, points, mode="nearest", padding="zeros")
    assert (pairs.fixed_mask != expected).float().mean() < 1e-3  # a half may be rounded to either side
    assert pairs.fixed_mask.dtype == torch.float32


def test_a_mask_of_another_size_covers_the_same_image():
    values = drawn(1)
    masks = [bore_mask(shape, radius=0.35) for shape in (SHAPE, (12, 160, 200))]
    pairs = [synthesis.pairs_of(random(1, 1, *SHAPE), values, mask=m, shape=SHAPE, sigma=0.5) for m in masks]
    assert (pairs[0].moving_mask != pairs[1].moving_mask).float().mean() < 0.1


def test_displacements_have_the_sizes_of_the_published_ranges():
    """Means over 200 draws on 40^3, per axis and of the squared length, in voxels of 128^3."""
    shape = (40, 40, 40)
    u = torch.cat([synthesis.true_displacement(*drawn(50, seed, None, shape)[1:], shape) for seed in range(4)]) * 3.2
    assert_allclose(u.abs().mean((0, 2, 3, 4)), [4.69, 2.54, 1.64], rtol=0.03)
    assert_allclose(u.square().mean((0, 2, 3, 4)).sqrt(), [5.63, 3.08, 2.00], rtol=0.03)
    assert u.square().sum(1).mean() == pytest.approx(46.9, rel=0.04)
    folded = (spatial.jacobian_determinant(u / 3.2) <= 0).flatten(1).any(1).sum()
    assert folded <= 4  # one in 300 is expected


def test_folding_draws_are_rejected_on_demand():
    ranges = Bend((4, 4, 4), (0.13, 0.13, 0.13))
    keep, reject = (Recipe(coarse=ranges, reject_folding=flag) for flag in (False, True))
    least = [
        spatial.jacobian_determinant(synthesis.true_displacement(*drawn(12, 0, recipe)[1:], SHAPE)).flatten(1).amin(1)
        for recipe in (keep, reject)
    ]
    assert (least[0] <= 0).any()
    assert (least[0] > 0).any()
    assert (least[1] > 0).all()


def test_rejection_gives_up_on_ranges_that_always_fold():
    wild = Recipe(coarse=Bend((4, 4, 4), (2.0, 2.0, 2.0)), reject_folding=True)
    with pytest.raises(ValueError, match="100 draws in a row folded"):
        drawn(1, recipe=wild)


def test_bad_images_and_masks_are_named():
    with pytest.raises(ValueError, match="images"):
        synthesis.synthesise(torch.zeros(1, 2, *SHAPE), generator())
    with pytest.raises(ValueError, match="mask"):
        synthesis.synthesise(torch.zeros(1, 1, *SHAPE), generator(), mask=torch.zeros(3, 1, *SHAPE))
