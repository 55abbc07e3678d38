"""The judge beside MONAI, SimpleITK, VoxelMorph's own functions, and plain loops over labels."""

from functools import cache

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from benchmarks.evidence import Evidence
from benchmarks.measures import deformation, overlap
from benchmarks.metrics import evaluate
from benchmarks.speed import threads
from benchmarks.speed.duel import Contestant, run
from benchmarks.speed.measurement import Subject
from datasets import geometry
from datasets.files import read_volume, write_volume

GRID = (160, 192, 224)
SMALLER = (80, 96, 112)  # for warps of one mask after another, which take minutes on the other grid
LABELS = range(1, 57)
SPACING = (1.0, 1.2, 0.8)


@cache
def smooth(shape, seed, fineness):
    coarse = np.random.default_rng(seed).random(fineness, dtype=np.float32)
    return ndimage.zoom(coarse, np.divide(shape, fineness), order=1, grid_mode=True, mode="nearest")


@cache
def case(shape):
    """A label map of 56 labels and the background, and a displacement that keeps two voxels away from the faces."""
    labels = np.floor(57 * smooth(shape, 0, (12, 14, 16))).clip(0, 56).astype(np.uint16)
    u = np.stack([8 * smooth(shape, 1 + axis, (5, 4, 6)) - 4 for axis in range(3)])
    points = np.clip(geometry.identity_grid(shape) + u, 2, np.reshape(shape, (3, 1, 1, 1)) - 3)
    return labels, (points - geometry.identity_grid(shape)).astype(np.float32)


@cache
def structures(shape):
    """Two label maps of 56 structures in an ellipsoid that fills half of the grid, as those of a head, and a field."""
    coarse = tuple(n // 2 for n in shape)
    grid = geometry.identity_grid(coarse)
    seeds = np.random.default_rng(0).uniform(0.15, 0.85, (56, 3)) * coarse
    away = sum((2 * grid[axis] / n - 1) ** 2 for axis, n in enumerate(coarse))
    maps = []
    for shift in (0, 1.25):
        distances, labels = np.full(coarse, np.inf, np.float32), np.zeros(coarse, np.uint16)
        for label, seed in enumerate(seeds + shift, start=1):
            here = sum((grid[axis] - np.float32(seed[axis])) ** 2 for axis in range(3))
            labels[here < distances] = label
            np.minimum(distances, here, out=distances)
        labels[away > 0.95] = 0
        maps.append(np.kron(labels, np.ones((2, 2, 2), np.uint16)))
    return *maps, case(shape)[1]


def both(ours):
    """Ours with all threads, beside peers that have one."""
    every = threads.cores()
    return [Contestant(lambda: ours, threads=every)] if every > 1 else []


@pytest.mark.gate
def test_dice(benchmark):
    fixed, u = case(GRID)
    warped = overlap.warp_labels(fixed, u, protocol="nearest").astype(np.uint16)

    def ours():
        return overlap.overlaps(fixed, warped, LABELS)[0]

    def loop():
        pairs = ((fixed == label, warped == label) for label in LABELS)
        return [2 * np.sum(a & b) / (np.sum(a) + np.sum(b)) for a, b in pairs]

    def monai():
        import torch
        from monai.metrics import DiceHelper  # what DiceMetric calls; label maps of one channel are its shortest way

        dice = DiceHelper(include_background=False, num_classes=57, reduction="none", get_not_nans=False)
        pair = [torch.from_numpy(labels.astype(np.uint8))[None, None] for labels in (warped, fixed)]
        return lambda: dice(*pair)[0].numpy()

    peers = [Contestant(lambda: loop, "NumPy, label by label", threads=1), Contestant(monai, "MONAI", threads=1)]
    if both(ours):
        peers.append(Contestant(monai, "MONAI, all threads", threads=threads.cores()))
    run(
        benchmark,
        Subject("Dice, 56 labels", GRID, 1),
        ours,
        others=[*both(ours), *peers],
        same=lambda a, b: assert_allclose(a, b, rtol=1e-5),
    )


@pytest.mark.gate
def test_labels(benchmark):
    labels, u = case(SMALLER)

    def ours():
        return overlap.warp_labels(labels, u, protocol="linear_thr128")

    def masks():
        warped = np.full(labels.shape, overlap.NO_LABEL)
        for label in range(57):
            warped[geometry_warp((labels == label) * np.float32(255), u) > 128] = label
        return warped

    def geometry_warp(image, u):
        points = geometry.identity_grid(u.shape[1:]) + u
        return ndimage.map_coordinates(image, points, order=1, mode="nearest")

    peers = [*both(ours), Contestant(lambda: masks, "SciPy, mask by mask", threads=1)]
    run(benchmark, Subject("labels warped linearly, 56", SMALLER, 1), ours, others=peers, same=nearly_everywhere)


def nearly_everywhere(ours, theirs):
    """Shares at the threshold to the last bit may fall to either side."""
    assert np.mean(ours != theirs) < 1e-4


@pytest.mark.gate
def test_jacobian(benchmark, count):
    _, u = case(GRID)

    def ours():
        return deformation.jacobian_determinant(u, scheme="central")

    def simpleitk():
        import SimpleITK as sitk  # noqa: N813 - the field's own name

        field = sitk.GetImageFromArray(np.moveaxis(u[::-1], 0, -1), isVector=True)
        return lambda: sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))

    def voxelmorph():
        from voxelmorph.py.utils import jacobian_determinant

        field = np.ascontiguousarray(np.moveaxis(u, 0, -1))
        return lambda: jacobian_determinant(field)

    def same(ours, theirs):
        inner = (slice(1, -1),) * 3
        assert_allclose(theirs[inner], ours[inner], atol=1e-4)

    peers = [Contestant(simpleitk, "SimpleITK"), Contestant(voxelmorph, "VoxelMorph", threads=1)]
    run(benchmark, Subject("Jacobian determinant", GRID, count), ours, others=peers, same=same)


@pytest.mark.gate
def test_evaluate(benchmark, count):
    fixed, moving, u = structures(GRID)
    rng = np.random.default_rng(3)
    points = rng.uniform(5, 150, (300, 3))

    def ours():
        return evaluate(
            Evidence(
                u,
                spacing=SPACING,
                fixed_labels=fixed,
                moving_labels=moving,
                labels=list(LABELS),
                landmarks=(points, points),
                true_displacement=u,
                mask=fixed > 0,
            )
        )

    rows = ours()
    assert {row["value"] for row in rows if row["metric"] == "displacement_error"} == {0}
    subject = Subject("all metrics of a pair, 56 structures", GRID, count)
    run(benchmark, subject, ours, others=[], same=assert_array_equal)


def test_read(benchmark, tmp_path):
    image = smooth(GRID, 9, (20, 24, 28))
    path = tmp_path / "case.nii.gz"
    write_volume(path, np.where(image > 0.5, image, 0), np.diag([-1.0, -1.2, 0.8, 1.0]))

    def nibabel():
        return lambda: nib.load(path).get_fdata().astype(np.float32)

    peers = [Contestant(nibabel, "nibabel, get_fdata", threads=1)]
    subject = Subject("read an image", GRID, 1)
    run(benchmark, subject, lambda: read_volume(path).array, others=peers, same=assert_array_equal)
