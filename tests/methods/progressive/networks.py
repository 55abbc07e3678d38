"""Small networks with drawn weights, and pairs for them."""

import numpy as np
import torch

from methods.blocks.initial import glorot
from methods.blocks.progressive.unet import Architecture, ProgressiveUNet

SHAPE = (8, 12, 16)


def pair(shape=SHAPE, seed=0, n=1):
    images = np.random.default_rng(seed).random((2, n, 1, *shape), dtype=np.float32)
    return [torch.from_numpy(image) for image in images]


def filled(build, seed=0):
    return glorot(build(), torch.Generator().manual_seed(seed))


def small(seed=0, widths="early", **options):
    return filled(lambda: ProgressiveUNet(Architecture(2, levels=3, widths=widths), **options), seed)
