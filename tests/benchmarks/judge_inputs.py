"""Made-up displacements and label maps for the tests of the judge."""

import numpy as np

from datasets import geometry

SPACING = (2.5, 1.0, 0.7)
SHAPE = (12, 14, 17)


def smooth_displacement(rng, shape=SHAPE, size=2.0):
    coarse = rng.normal(size=(3, 4, 4, 4)) * size
    return np.stack([geometry.resize(c, shape) for c in coarse]).astype(np.float32)


def label_blocks(rng, shape=SHAPE, labels=5):
    coarse = rng.integers(0, labels, size=[-(-n // 3) for n in shape])
    return np.kron(coarse, np.ones((3, 3, 3), int))[tuple(slice(n) for n in shape)].astype(np.uint16)


def values(rows, metric, protocol):
    return {row["region"]: row["value"] for row in rows if (row["metric"], row["protocol"]) == (metric, protocol)}
