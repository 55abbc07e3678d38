"""Speed of the kernels, beside peers that do the same, in one session: ``pytest benchmarks/test_speed.py``.

Nothing is asserted about time; each test asserts that what it timed is right. Within a group the ratio of two medians
is what carries over to another machine. With ``--benchmark-json`` each entry's ``extra_info`` says what was timed
(``name``), by whom (``who``; ``ours`` is the NumPy of the judge), on how many voxels, threads and which device. The
grids are no cubes, so that the axis order of the peers is tested too; they have about the voxels of 64^3 and 96^3.
"""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the field's own name
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks import overlap
from benchmarks.evidence import Evidence
from benchmarks.metrics import evaluate
from datasets import geometry

SHAPES = [(64, 56, 72), (96, 84, 108)]
LABELS = 10


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    yield
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def case(request):
    """An image, a label map and a displacement that keeps two voxels away from the faces."""
    rng = np.random.default_rng(0)
    shape = request.param
    image = geometry.resize(rng.random((9, 8, 10)), shape).astype(np.float32)
    labels = np.floor(LABELS * geometry.resize(rng.random((5, 4, 6)), shape)).astype(np.uint16)
    u = np.stack([geometry.resize(c, shape) for c in rng.uniform(-2, 2, (3, 5, 4, 6))])
    points = np.clip(geometry.identity_grid(shape) + u, 2, np.reshape(shape, (3, 1, 1, 1)) - 3)
    return image, labels, (points - geometry.identity_grid(shape)).astype(np.float32)


def timed(benchmark, name, who, case, function):
    benchmark.group = f"{name} {case[0].shape}"
    benchmark.extra_info.update(name=name, who=who, voxels=case[0].size, threads=1, device="cpu")
    return benchmark(function)


def transform(u):
    return sitk.DisplacementFieldTransform(field(u))


def field(u):
    return sitk.GetImageFromArray(np.moveaxis(u[::-1], 0, -1).astype(np.float64), isVector=True)


def test_warp_ours(benchmark, case):
    image, _, u = case
    warped = timed(benchmark, "warp", "ours", case, lambda: geometry.warp(image, u))
    assert not np.allclose(warped, image, atol=0.05)
    assert image.min() <= warped.min() < warped.max() <= image.max()


def test_warp_simpleitk(benchmark, case):
    image, _, u = case
    moving, moves = sitk.GetImageFromArray(image), transform(u)
    warped = timed(benchmark, "warp", "SimpleITK", case, lambda: sitk.Resample(moving, moves, sitk.sitkLinear))
    assert_allclose(sitk.GetArrayFromImage(warped), geometry.warp(image, u), atol=1e-5)


def test_warp_torch(benchmark, case):
    torch = pytest.importorskip("torch")
    spatial = pytest.importorskip("methods.blocks.spatial")
    image, _, u = case
    moving, displacement, threads = (
        torch.as_tensor(image)[None, None],
        torch.as_tensor(u)[None],
        torch.get_num_threads(),
    )
    torch.set_num_threads(1)
    try:
        warped = timed(benchmark, "warp", "torch", case, lambda: spatial.warp(moving, displacement))
    finally:
        torch.set_num_threads(threads)
    assert_allclose(warped[0, 0].numpy(), geometry.warp(image, u), atol=1e-5)


def test_jacobian_ours(benchmark, case):
    u = case[2]
    determinant = timed(benchmark, "jacobian", "ours", case, lambda: geometry.jacobian_determinant(u))
    assert determinant.shape == u.shape[1:]
    assert determinant.std() > 0.01


def test_jacobian_simpleitk(benchmark, case):
    u = case[2]
    vectors, inner = field(u), (slice(1, -1),) * 3
    theirs = timed(benchmark, "jacobian", "SimpleITK", case, lambda: sitk.DisplacementFieldJacobianDeterminant(vectors))
    assert_allclose(sitk.GetArrayFromImage(theirs)[inner], geometry.jacobian_determinant(u)[inner], atol=1e-5)


def test_linear_labels_ours(benchmark, case):
    _, labels, u = case
    warped = timed(benchmark, "labels linear_thr128", "ours", case, lambda: linear_ours(labels, u))
    assert_array_equal(warped == 3, geometry.warp((labels == 3) * np.float32(255), u) > 128)


def test_linear_labels_mask_by_mask(benchmark, case):
    _, labels, u = case
    masks = timed(benchmark, "labels linear_thr128", "SciPy, mask by mask", case, lambda: linear_masks(labels, u))
    assert_array_equal(masks, [linear_ours(labels, u) == label for label in range(1, LABELS)])


def linear_ours(labels, u):
    return overlap.warp_labels(labels, u, protocol="linear_thr128")


def linear_masks(labels, u):
    return [geometry.warp((labels == label) * np.float32(255), u) > 128 for label in range(1, LABELS)]


def test_nearest_labels_ours(benchmark, case):
    _, labels, u = case
    warped = timed(
        benchmark, "labels nearest", "ours", case, lambda: overlap.warp_labels(labels, u, protocol="nearest")
    )
    assert set(np.unique(warped)) <= set(np.unique(labels))
    assert np.any(warped != labels)


def test_nearest_labels_simpleitk(benchmark, case):
    _, labels, u = case
    moving, moves = sitk.GetImageFromArray(labels), transform(u)
    warped = timed(
        benchmark, "labels nearest", "SimpleITK", case, lambda: sitk.Resample(moving, moves, sitk.sitkNearestNeighbor)
    )
    # Points halfway between two voxels, to the last bit, may fall to either side.
    assert np.mean(sitk.GetArrayFromImage(warped) != overlap.warp_labels(labels, u, protocol="nearest")) < 1e-4


def test_dice_ours(benchmark, case):
    _, labels, u = case
    warped = overlap.warp_labels(labels, u, protocol="nearest")
    every = range(1, LABELS)
    dice, _ = timed(benchmark, "dice", "ours", case, lambda: overlap.overlaps(labels, warped, every))
    first, second = labels == 3, warped == 3
    assert dice[2] == 2 * (first & second).sum() / (first.sum() + second.sum())


def test_dice_simpleitk(benchmark, case):
    _, labels, u = case
    warped = overlap.warp_labels(labels, u, protocol="nearest")
    pair = [sitk.GetImageFromArray(array.astype(np.uint16)) for array in (labels, warped)]
    measures = sitk.LabelOverlapMeasuresImageFilter()
    timed(benchmark, "dice", "SimpleITK", case, lambda: measures.Execute(*pair))
    assert measures.GetDiceCoefficient(3) == pytest.approx(overlap.overlaps(labels, warped, [3])[0][0])


def test_evaluate(benchmark, case):
    _, labels, u = case
    rows = timed(
        benchmark,
        "evaluate",
        "ours",
        case,
        lambda: evaluate(
            Evidence(u, spacing=(1, 2, 3), fixed_labels=labels, moving_labels=labels, true_displacement=u)
        ),
    )
    assert [row["value"] for row in rows if row["metric"] == "displacement_error"] == [0, 0]
