"""Smooth random pairs with a known displacement, for the methods that optimise one pair at a time."""

import os

import numpy as np
from scipy import ndimage

from datasets import geometry

# ITK reads it once, before its first use. One thread: what the repeatability of ANTs needs.
os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")

SHAPE, SPACING = (40, 48, 56), (1.5, 2.0, 2.5)
SHIFT = np.array([3.0, -2.0, 1.5])
SMALL, SMALL_SPACING = (20, 24, 28), (2.0, 1.5, 3.0)
INNER = (..., *[slice(8, -8)] * 3)
ELASTIX = {"grid_mm": 12.0, "resolutions": 3, "iterations": 250}


def texture(shape, seed=0, sigma=2.0):
    """A smooth random image in [0, 1] with fine and coarse parts."""
    rng = np.random.default_rng(seed)
    parts = [ndimage.gaussian_filter(rng.normal(size=shape), width) for width in (sigma, 3 * sigma)]
    image = sum(weight * part / part.std() for weight, part in zip((1.0, 2.0), parts, strict=True))
    return ((image - image.min()) / np.ptp(image)).astype(np.float32)


def affine_and_sine(shape, amplitude=1.5):
    """A displacement without symmetry between the axes: a slight affine map about the centre and a wave."""
    about = geometry.identity_grid(shape, np.float64) - np.array(shape)[:, None, None, None] / 2
    matrix = np.array([[0.03, -0.02, 0.0], [0.01, -0.04, 0.02], [0.0, 0.015, 0.02]])
    d, h, w = about
    wave = np.stack([np.sin(h / 9), np.sin(w / 11 + 1), np.cos(d / 8)])
    return np.tensordot(matrix, about, axes=1) + amplitude * wave


def make_pair(displacement, seed=0):
    """Read-only ``fixed(x) = moving(x + u(x))``."""
    shape = displacement.shape[1:]
    moving = texture(shape, seed)
    fixed = geometry.warp(moving, displacement, order=3).astype(np.float32)
    for image in (fixed, moving):
        image.flags.writeable = False
    return fixed, moving


def shifted_pair(shape=SHAPE, shift=SHIFT, seed=0):
    return make_pair(np.broadcast_to(np.asarray(shift)[:, None, None, None], (3, *shape)), seed)
