"""The networks of a cascade: a stem, then base networks, each with its share of the displacement.

The released codes of Recursive Cascaded Networks and LDR compose them so. LDR on livers starts with one more LDR
network; as released that cannot be built for more than one cascade, but its printed parameters are those of n + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from torch import nn

from methods.blocks.cascades.affine import LightAffineStem, MobileNetAffine, VTNAffineStem
from methods.blocks.cascades.cascade import Cascade
from methods.blocks.cascades.networks import DenseVTN, StridedUNet, TextLDR
from methods.blocks.initial import create
from methods.blocks.options import OPEN, fill
from methods.blocks.registration import prepared
from methods.blocks.training.checkpoint import CheckpointError, load_checkpoint, read_metadata

Base = Literal["vtn", "voxelmorph", "unet", "ldr", "ldr_text", "mobilenet"]
Stem = Literal["none", "vtn_affine", "affine_light", "dense"]

STEM_CHANNELS = 16


@dataclass(frozen=True)
class Usual:
    """The stem, width and scale that the papers and released codes give a base network."""

    stem: Stem
    channels: int
    scale: float


BASES: Mapping[Base, Usual] = {
    "vtn": Usual("vtn_affine", 16, 20.0),
    "voxelmorph": Usual("vtn_affine", 32, 1.0),
    "unet": Usual("none", 16, 20.0),
    "ldr": Usual("dense", 32, 1.0),
    "ldr_text": Usual("none", 16, 1.0),
    "mobilenet": Usual("none", 32, 1.0),
}


@dataclass(frozen=True)
class Composition:
    """A cascade as its weights need it; what is left open follows the base network."""

    base: Base = "vtn"  # the network of each cascade
    # the first network: vtn_affine, affine_light (LDR on brains), dense (one more base network, LDR on livers) or none;
    # left open it is what the base's printed size counts: vtn_affine for vtn and voxelmorph, dense for ldr, else none
    stem: Stem = OPEN
    # number n of cascades as the papers count them; each predicts 1/n of the displacement, 1/(n + 1) after a dense stem
    cascades: int = 1
    # width of the base network's first convolution (of the widest ones for voxelmorph and ldr), which stems follow;
    # left open it is the papers': 16 for vtn, unet and ldr_text, 32 for voxelmorph, ldr and mobilenet
    channels: int = OPEN
    # further factor of every dense prediction; left open it is the released codes': 20 for vtn and unet, else 1
    scale: float = OPEN

    def __post_init__(self) -> None:
        fill(self, BASES[self.base])
        if self.cascades < 1:
            raise ValueError(f"recursive: cascades must be at least 1, got {self.cascades}")
        if self.channels < 2 or self.channels % 2:
            raise ValueError(f"recursive: channels must be even and positive, got {self.channels}")


def full_width(part: Composition) -> Composition:
    """Return the same composition at the papers' width."""
    return Composition(base=part.base, stem=part.stem, cascades=part.cascades, scale=part.scale)


def build(composition: Composition, *, repeat: int = 1) -> Cascade:
    """Lay out the cascade; no two networks share weights."""
    base, stem, channels = composition.base, composition.stem, composition.channels
    number = composition.cascades + (stem == "dense")
    networks = [_network(base, channels) for _ in range(number)]
    shares = [composition.scale / number] * number
    if stem in ("none", "dense"):
        return Cascade(networks, shares, repeat=repeat)
    width = STEM_CHANNELS * channels // BASES[base].channels
    affine = VTNAffineStem(width) if stem == "vtn_affine" else LightAffineStem([width * 2**level for level in range(4)])
    return Cascade([affine, *networks], [1.0, *shares], repeat=repeat)


def load_teacher(path: Path, device: str) -> Cascade:
    """Return the network of a checkpoint, frozen, as it registers."""
    about = read_metadata(path)
    if about.get("method") != "recursive":
        raise CheckpointError(
            f"{path}: a teacher must be a network of methods/recursive.py, got {about.get('method')!r}; choose another"
        )
    try:
        composition = Composition(**about["params"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its options name no network of this commit ({error}); train it anew") from error
    model = create(partial(build, composition), seed=0, device=device)
    load_checkpoint(path, model, expected={})
    return prepared(model.requires_grad_(False), device)


def _network(base: Base, channels: int) -> nn.Module:
    full, half = channels, channels // 2
    builders: Mapping[str, Callable[[], nn.Module]] = {
        "vtn": lambda: DenseVTN(channels),
        "unet": lambda: DenseVTN(channels, extra=True),
        "voxelmorph": lambda: StridedUNet((half, full, full, full), (full, full, full, full, full, half, half)),
        "ldr": lambda: StridedUNet((full, full, full, half), (full, full, full, full, half, half, half)),
        "ldr_text": lambda: TextLDR(channels),
        "mobilenet": lambda: MobileNetAffine(channels),
    }
    return builders[base]()
