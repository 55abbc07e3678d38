"""Numbers and displacements drawn from a seed, on a grid without equal sides."""

import numpy as np
import torch

SHAPE = (5, 7, 9)


def random(*shape, seed=0, dtype=torch.float32):
    return torch.from_numpy(np.random.default_rng(seed).random(shape)).to(dtype)


def displacement(seed=0, size=1.5, dtype=torch.float32, shape=SHAPE):
    return (random(2, 3, *shape, seed=seed, dtype=dtype) * 2 - 1) * size
