"""A smooth pair, and networks of VoxelMorph that move voxels."""

import numpy as np
import torch
from scipy import ndimage

from methods import voxelmorph

SHAPE, SPACING = (16, 32, 48), (1.0, 1.0, 1.0)
PACKAGE = {"network": "package", "integration_steps": 5, "integration_downsize": 1}


def images(shape=SHAPE, seed=0):
    """A read-only smooth pair in [0, 1]."""
    rng = np.random.default_rng(seed)
    pair = []
    for _ in range(2):
        image = ndimage.gaussian_filter(rng.random(shape), 2)
        pair.append(((image - image.min()) / np.ptp(image)).astype(np.float32))
        pair[-1].flags.writeable = False
    return pair


def tensors(shape=SHAPE, seed=0):
    return [torch.from_numpy(image.copy())[None, None] for image in images(shape, seed)]


def model(*, network="published", channels=4, steps=7, downsize=2, strength=0.3):
    """A network whose last layer moves voxels, which the initial one hardly does."""
    made = voxelmorph._create(voxelmorph.Architecture(network, channels, steps, downsize), 0, "cpu")
    with torch.no_grad():
        made.pairwise.flow_layer.conv0.weight.normal_(0, strength, generator=torch.Generator().manual_seed(1))
    return made.eval()
