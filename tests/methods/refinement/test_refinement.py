"""Instance optimisation: a known shift gets better, no step is no change, nothing folds that did not fold."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import interpolate, ndimage

from benchmarks.measures.deformation import folding_count, jacobian_determinant
from benchmarks.measures.folds import folded_volume_percent
from datasets import geometry
from methods.blocks.refinement import adam, folds, similarity, splines
from methods.blocks.refinement.adam import Refinement, refinement

SHAPE = (28, 34, 40)
SHIFT = np.array([1.5, -1.0, 2.0])
INSIDE = (slice(None), *(slice(5, -5),) * 3)
SIMILARITIES = ("local_correlation", "correlation", "squares")


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    pass


@pytest.fixture(scope="module")
def pair():
    """Images of one smooth scene, the moving one further by `SHIFT`: ``fixed(x) = moving(x + SHIFT)``."""
    scene = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal([n + 12 for n in SHAPE]), 2.5)
    scene = (scene - scene.min()) / np.ptp(scene)
    middle = tuple(slice(6, -6) for _ in SHAPE)
    fixed, moving = ndimage.shift(scene, -SHIFT, order=3)[middle], scene[middle]
    return fixed.astype(np.float32), moving.astype(np.float32)


def still(shape=SHAPE):
    return np.zeros((3, *shape), np.float32)


def error(displacement):
    """Mean distance from the shift in the middle of the grid, in voxels."""
    return np.linalg.norm(displacement[INSIDE] - SHIFT[:, None, None, None], axis=0).mean()


def smooth(seed, size, width=3.0, shape=SHAPE):
    """A smooth random displacement, at most ``size`` voxels along each axis."""
    noise = np.random.default_rng(seed).standard_normal((3, *shape))
    made = np.stack([ndimage.gaussian_filter(each, width) for each in noise])
    return (size * made / np.abs(made).max()).astype(np.float32)


def folds_of(displacement):
    """What the judge counts: voxels by forward and by central differences, and the folded volume in percent."""
    counts = [folding_count(jacobian_determinant(displacement, scheme=scheme)) for scheme in ("forward", "central")]
    return np.array([*counts, folded_volume_percent(displacement)[1]])


@pytest.mark.parametrize("by", SIMILARITIES)
def test_a_known_shift_gets_better_step_by_step(pair, by):
    errors = [error(refinement(Refinement(steps=n, similarity=by), "cpu")(*pair, still())) for n in (0, 5, 20, 60)]
    assert errors[0] == pytest.approx(np.linalg.norm(SHIFT), abs=1e-6)
    assert np.all(np.diff(errors) < -0.2)
    assert errors[-1] < errors[0] / 5
    assert (folds_of(refinement(Refinement(steps=60, similarity=by), "cpu")(*pair, still())) == 0).all()


def test_a_displacement_that_is_nearly_right_gets_nearer(pair):
    start = SHIFT[:, None, None, None] + smooth(1, 0.8)
    refined = refinement(Refinement(steps=30), "cpu")(*pair, start.astype(np.float32))
    assert error(refined) < 0.6 * error(start)


def test_no_step_returns_the_displacement_itself(pair):
    start = smooth(2, 3)
    assert refinement(Refinement(), "cpu")(*pair, start) is start


@pytest.mark.parametrize("by", SIMILARITIES)
def test_what_cannot_be_bettered_comes_back_as_it_was(pair, by):
    same = refinement(Refinement(steps=3, similarity=by), "cpu")(pair[0], pair[0], still())
    assert not same.any()


def test_an_image_without_contrast_moves_nothing(pair):
    flat = np.full(SHAPE, 0.5, np.float32)
    start = np.broadcast_to(SHIFT[:, None, None, None].astype(np.float32), (3, *SHAPE))
    np.testing.assert_array_equal(refinement(Refinement(steps=3), "cpu")(flat, pair[1], start), start)


def test_inputs_are_left_alone_and_the_call_repeats_itself(pair):
    start = smooth(3, 1)
    copies = [each.copy() for each in (*pair, start)]
    for each in (*pair, start):
        each.flags.writeable = False
    call = refinement(Refinement(steps=4), "cpu")
    np.testing.assert_array_equal(call(*pair, start), call(*pair, start))
    for each, copy in zip((*pair, start), copies, strict=True):
        np.testing.assert_array_equal(each, copy)


@pytest.mark.parametrize("shape", [(8, 9, 10), (1, 12, 14), (5, 33, 8)])
def test_axes_shorter_than_a_window_or_a_cell_will_do(shape):
    rng = np.random.default_rng(0)
    fixed, moving = (ndimage.gaussian_filter(rng.random(shape, np.float32), 1) for _ in range(2))
    refined = refinement(Refinement(steps=3, cell=6), "cpu")(fixed, moving, still(shape))
    assert refined.shape == (3, *shape)
    assert np.isfinite(refined).all()


def test_folds_of_the_start_are_not_made_worse(pair):
    start = smooth(4, 4.0, width=1.5)
    before = folds_of(start)
    assert (before > 0).all()
    refined = refinement(Refinement(steps=15, rate=0.3), "cpu")(*pair, start)
    after = folds_of(refined)
    assert (after <= before).all()
    assert np.abs(refined - start).max() > 0.1


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 8), st.floats(1, 4))
def test_no_change_folds_what_was_not_folded(seed, size, width):
    shape = (9, 12, 10)
    start = torch.from_numpy(smooth(seed, 1.0, 3.0, shape))
    moved = folds.without_new_folds(start, torch.from_numpy(smooth(seed + 1, size, width, shape))).numpy()
    assert (folds_of(moved) <= folds_of(start.numpy())).all()


def test_a_change_that_folds_nothing_is_kept_whole():
    start, change = torch.from_numpy(smooth(5, 0.5)), torch.from_numpy(smooth(6, 1.0, 4.0))
    assert torch.equal(folds.without_new_folds(start, change), start + change)


def test_a_fold_is_taken_back_where_it_is_and_nowhere_else():
    change = torch.from_numpy(smooth(7, 0.5))
    change[0, 13:15, 17, 20] += torch.tensor([2.5, -2.5])
    moved = folds.without_new_folds(torch.zeros_like(change), change)
    assert (folds_of(moved.numpy()) == 0).all()
    same = (moved == change).all(0)
    assert same.float().mean() > 0.8
    assert not same[13:15, 17, 20].any()


def test_volumes_are_those_of_the_judge():
    """Of a linear map all are its determinant; in sum, those below zero are the judge's folded volume."""
    linear = np.array([[0.9, 0.1, -0.2], [0.2, 1.1, 0.1], [-0.1, 0.3, 0.8]])
    u = np.einsum("ab,bdhw->adhw", linear - np.eye(3), geometry.identity_grid((6, 7, 8)))
    padded = torch.from_numpy(u)
    volumes = torch.stack(list(folds._volumes(padded)))
    assert volumes.shape == (10, 4, 5, 6)
    np.testing.assert_allclose(volumes, np.linalg.det(linear), rtol=1e-6)
    rough = torch.from_numpy(smooth(8, 4.0, 1.2).astype(np.float64))
    corners = torch.stack(list(folds._volumes(torch.nn.functional.pad(rough[None], (1,) * 6, mode="replicate")[0])))
    lost = (-corners).relu() * torch.tensor([1.0] * 8 + [2.0] * 2).double()[:, None, None, None] / 12
    expected = folded_volume_percent(rough.numpy())[1]
    assert expected > 0.01
    assert 100 * float(lost.sum()) / rough[0].numel() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("cell", [3, 4, 7])
def test_the_splines_are_those_of_scipy(cell):
    made = splines.Splines.over(SHAPE, cell)
    rng = np.random.default_rng(0)
    values = rng.standard_normal(made.zeros.shape)
    expected = values
    for axis, size in enumerate(SHAPE):
        knots = cell * np.arange(-3.0, values.shape[axis + 1] + 1)
        spline = interpolate.BSpline(knots, np.moveaxis(expected, axis + 1, 0), 3)
        expected = np.moveaxis(spline(np.arange(size)), 0, axis + 1)
    np.testing.assert_allclose(made.field(torch.from_numpy(values).float()), expected, atol=1e-5)
    np.testing.assert_allclose(made.field(torch.ones_like(made.zeros)), 1, atol=1e-6)


def test_the_gradient_goes_back_as_autograd_would_have_it():
    made = splines.Splines.over((9, 10, 11), 4)
    values, force = torch.randn(made.zeros.shape, requires_grad=True), torch.randn(3, 9, 10, 11)
    (expected,) = torch.autograd.grad((made.field(values) * force).sum(), values)
    torch.testing.assert_close(made.gradient(force), expected)


@pytest.mark.parametrize("by", SIMILARITIES)
def test_the_loss_has_the_gradient_that_differences_have(pair, by):
    fixed, moving = (torch.from_numpy(each.copy())[None, None].double() for each in pair)
    u = torch.from_numpy(smooth(9, 0.3)).double() + 0.37
    loss = lambda at: adam._loss(similarity.difference(by, 9), 0.7, fixed, moving, at)  # noqa: E731
    along, step = torch.from_numpy(smooth(10, 1.0)).double(), 1e-4
    with torch.enable_grad():
        slope = (loss(u + step * along)[0] - loss(u - step * along)[0]) / (2 * step)
        assert slope == pytest.approx(float((loss(u)[1] * along).sum()), rel=1e-3)


@pytest.mark.parametrize("by", SIMILARITIES)
def test_a_difference_is_none_of_an_image_and_itself_and_forgets_contrast(pair, by, monkeypatch):
    fixed, moving = (torch.from_numpy(each.copy())[None, None].double() for each in pair)
    differ = similarity.difference(by, 9)
    assert float(differ(fixed, fixed)) == pytest.approx(0, abs=1e-6)
    assert float(differ(fixed, moving)) > 0.05
    if by != "squares":  # but for what keeps flat images from having a say
        monkeypatch.setattr(similarity, "FLAT", 1e-12)
        monkeypatch.setattr(similarity, "EPSILON", 1e-12)
        assert float(differ(fixed, 0.7 * moving + 0.2)) == pytest.approx(float(differ(fixed, moving)), abs=1e-6)


@pytest.mark.parametrize("by", SIMILARITIES)
@pytest.mark.parametrize("contrast", [0.5, 1.0, 2.0])
def test_nothing_is_more_alike_than_equal_images(pair, by, contrast):
    fixed, moving = (torch.from_numpy(each.copy())[None, None].double() for each in pair)
    differ = similarity.difference(by, 9)
    assert float(differ(fixed, contrast * moving)) > float(differ(fixed, fixed)) - 1e-9
    assert float(differ(fixed, contrast * fixed)) > float(differ(fixed, fixed)) - 1e-9


@pytest.mark.parametrize("by", ["local_correlation", "correlation"])
def test_correlations_are_numpys(pair, by):
    fixed, moving = pair
    ours = float(similarity.difference(by, 9)(*(torch.from_numpy(each.copy())[None, None].double() for each in pair)))
    if by == "correlation":
        assert ours == pytest.approx(1 - np.corrcoef(fixed.ravel(), moving.ravel())[0, 1], abs=1e-3)
        return
    windows = [tuple(slice(s, s + 9) for s in start) for start in np.ndindex(*[-(-(n - 9) // 5) + 1 for n in SHAPE])]
    windows = [tuple(slice(5 * s.start, 5 * s.start + 9) for s in each) for each in windows]
    squared = []
    for each in windows:
        a, b = (image[each].astype(float).ravel() for image in pair)
        covariance = ((a - a.mean()) * (b - b.mean())).mean()
        squared.append((covariance**2 + similarity.FLAT) / (a.var() * b.var() + similarity.FLAT))
    assert ours == pytest.approx(1 - np.mean(squared), abs=1e-6)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"steps": -1}, "refine: steps must not be negative"),
        ({"rate": 0.0}, "refine: rate must be positive"),
        ({"cell": 0}, "refine: cell must be positive"),
        ({"window": 1}, "refine: window must be 2 or more"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, fault):
    with pytest.raises(ValueError, match=fault):
        Refinement(**options)
