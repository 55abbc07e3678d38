"""T1-like images drawn from label maps, in the manner of SynthSeg's generative model (doi:10.1016/j.media.2023.102789).

Each structure has a Gaussian of intensities; the image is blurred, averaged over voxels that are larger than those it
is drawn on (partial volume), multiplied by a smooth bias field, and given Rician noise. SynthSeg draws the Gaussians
from wide ranges, so that a network learns no contrast; here they stay near T1's, so that images look like each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from datasets.geometry import Array
from datasets.grid import Grid
from datasets.phantoms.fields import correlated_noise, random_field


@dataclass(frozen=True)
class Tissue:
    """Mean and spread of the intensities of some labels, which are drawn as one."""

    mean: float
    spread: float
    labels: tuple[int, ...]


# Means and spreads inside of each structure (neighbours along two axes have its label too) of the two real scans of
# brain_pair, averaged over both and over left and right, on their scale of 0 to 1.
TISSUES = (
    Tissue(0.110, 0.035, (24,)),  # cerebrospinal fluid
    Tissue(0.410, 0.028, (2, 41)),  # cerebral white matter
    Tissue(0.250, 0.032, (3, 42)),  # cerebral cortex
    Tissue(0.049, 0.024, (4, 43)),  # lateral ventricle
    Tissue(0.105, 0.037, (5, 44)),  # inferior lateral ventricle
    Tissue(0.348, 0.019, (7, 46)),  # cerebellar white matter
    Tissue(0.233, 0.031, (8, 47)),  # cerebellar cortex
    Tissue(0.331, 0.028, (10, 49)),  # thalamus
    Tissue(0.289, 0.024, (11, 50)),  # caudate
    Tissue(0.317, 0.023, (12, 51)),  # putamen
    Tissue(0.391, 0.015, (13, 52)),  # pallidum
    Tissue(0.074, 0.027, (14,)),  # third ventricle
    Tissue(0.044, 0.026, (15,)),  # fourth ventricle
    Tissue(0.331, 0.032, (16,)),  # brainstem
    Tissue(0.242, 0.025, (17, 53)),  # hippocampus
    Tissue(0.242, 0.023, (18, 54)),  # amygdala
    Tissue(0.277, 0.019, (26, 58)),  # accumbens
    Tissue(0.376, 0.034, (28, 60)),  # ventral diencephalon
    Tissue(0.218, 0.025, (30, 62)),  # vessel
    Tissue(0.296, 0.042, (77, 25, 57)),  # dark spots of white matter; 25 and 57 lie along the ventricles
    Tissue(0.347, 0.063, (85,)),  # optic chiasm
    Tissue(0.177, 0.040, (31, 63, 136, 163, 137, 164)),  # choroid plexus, and what lies within the ventricles
)
FLUID = 24
LARGEST = 1000  # labels are below
BLUR_MM = 0.6  # standard deviation, which gives borders their width
TEXTURE_MM = 2.0  # standard deviation of the blur of what varies inside of a structure
NOISE = 0.012  # standard deviation
GAIN, JITTER = 0.03, 0.02  # relative standard deviations of a subject's scale, and of each tissue's mean
BIAS, BIAS_MM = 0.05, 90.0  # relative root mean square of the bias field, and about how far its knots are apart
SEAM_MM = 5.0  # standard deviation by which the mask closes grooves


def brain_table() -> Array:
    """Return for each label whether it is of the brain: one boolean a label; fluid around the brain is not."""
    table = np.zeros(LARGEST, bool)
    table[[label for tissue in TISSUES for label in tissue.labels if label != FLUID]] = True
    return table


def brain_mask(labels: Array, spacing: float) -> Array:
    """Return the mask ``(D, H, W)`` that skull-stripping leaves: the brain, and fluid in grooves and within it.

    That is the brain itself, where the brain, blurred by a Gaussian of `SEAM_MM`, fills half of the space, and what
    these two enclose.
    """
    brain = brain_table()[labels]
    close = ndimage.gaussian_filter(brain.astype(np.float32), SEAM_MM / spacing) > 0.5
    return np.asarray(ndimage.binary_fill_holes(brain | close))


def draw(labels: Array, spacing: float, rng: np.random.Generator) -> Array:
    """Return intensities ``(D, H, W)`` float32 of labels on voxels of ``spacing`` mm; all that is no brain is fluid."""
    means, spreads = _tables(rng)
    image = ndimage.gaussian_filter(means[labels], BLUR_MM / spacing)
    texture = correlated_noise(rng, labels.shape, sigma=TEXTURE_MM / spacing)
    texture *= ndimage.gaussian_filter(spreads[labels], BLUR_MM / spacing)
    return image + texture


def acquire(image: Array, spacing: float, rng: np.random.Generator) -> Array:
    """Return an image ``(D, H, W)`` with a bias field and noise, in [0, 1]."""
    extent = np.multiply(image.shape, spacing)
    field = random_field(
        rng, centre=(0, 0, 0), extent_mm=extent.tolist(), knot_mm=BIAS_MM, amplitude_mm=1, limit=np.inf
    )
    biased = image * np.exp(BIAS * field.on_grid(Grid(image.shape, (spacing,) * 3).axes)[0]).astype(np.float32)
    real, imaginary = (NOISE * rng.standard_normal(image.shape, dtype=np.float32) for _ in range(2))
    return np.minimum(np.hypot(biased + real, imaginary), 1)


def block_mean(image: Array, factor: int) -> Array:
    """Return the means of blocks of ``factor`` voxels along each axis: what larger voxels hold."""
    shape = [part for n in image.shape for part in (n // factor, factor)]
    return image.reshape(shape).mean(axis=(1, 3, 5), dtype=np.float32)


def _tables(rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw a subject's mean and spread of each label."""
    jitter: Mapping[Tissue, float] = {tissue: 1 + JITTER * rng.standard_normal() for tissue in TISSUES}
    gain = 1 + GAIN * rng.standard_normal()
    fluid = next(tissue for tissue in TISSUES if FLUID in tissue.labels)
    means, spreads = (np.full(LARGEST, value, np.float32) for value in (fluid.mean * jitter[fluid], fluid.spread))
    for tissue in TISSUES:
        means[list(tissue.labels)] = tissue.mean * jitter[tissue]
        spreads[list(tissue.labels)] = np.sqrt(tissue.spread**2 - NOISE**2)  # noise comes on top
    return gain * means, gain * spreads
