"""A displacement on another grid of the same field of view, to compare registrations of one pair in two sizes."""

import numpy as np

from datasets import geometry


def resized(displacement, shape):
    """Resample each component and rescale it to the new voxels."""
    scale = np.asarray(shape) / displacement.shape[1:]
    return np.stack([geometry.resize(u, shape) * s for u, s in zip(displacement, scale, strict=True)])
