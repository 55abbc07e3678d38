"""Bends drawn from a seed, and the same as gryds has them."""

import gryds
import numpy as np
import torch

from methods.blocks.progressive import synthesis
from methods.blocks.progressive.synthesis import Bend, Recipe

SHAPE = (12, 16, 20)
SIZE = np.reshape(SHAPE, (3, 1, 1, 1))
WILD = Recipe(coarse=Bend((4, 4, 4), (0.3, 0.3, 0.3)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random(shape)).float()


def gryds_transforms(values, n=0, shape=SHAPE):
    """T1, t21 and t22 of one pair."""
    size = np.reshape(shape, (3, 1, 1, 1))
    return [gryds.BSplineTransformation(value[n].double().numpy() / size) for value in values]


def drawn(n=2, seed=0, recipe=None, shape=SHAPE):
    return synthesis.draw_bends(n, shape, generator(seed), recipe or Recipe())
