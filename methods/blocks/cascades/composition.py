"""Which networks make a cascade: a stem, then base networks, each with its share of the displacement.

The released codes of Recursive Cascaded Networks and LDR compose them so. LDR on livers starts with one more LDR
network; as released that cannot be built for more than one cascade, but its printed parameters are those of n + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from torch import nn

from methods.blocks.cascades.affine import LightAffineStem, MobileNetAffine, VTNAffineStem
from methods.blocks.cascades.cascade import Cascade
from methods.blocks.cascades.networks import DenseVTN, StridedUNet, TextLDR

Base = Literal["vtn", "voxelmorph", "unet", "ldr", "ldr_text", "mobilenet"]
Stem = Literal["none", "vtn_affine", "affine_light", "dense"]

STEMS: Mapping[str, Stem] = {
    "vtn": "vtn_affine", "voxelmorph": "vtn_affine", "unet": "none", "ldr": "dense", "ldr_text": "none",
    "mobilenet": "none",
}  # fmt: skip
CHANNELS: Mapping[str, int] = {"vtn": 16, "voxelmorph": 32, "unet": 16, "ldr": 32, "ldr_text": 16, "mobilenet": 32}
STEM_CHANNELS = 16
SCALE: Mapping[str, float] = {"vtn": 20.0, "unet": 20.0}


def check(*, base: Base, stem: Stem | None, cascades: int, channels: int | None, scale: float | None) -> dict[str, Any]:
    """The arguments of `build`, defaults filled in; raise ValueError naming the one that cannot be."""
    if base not in get_args(Base):
        raise ValueError(f"recursive: base must be one of {', '.join(get_args(Base))}, got {base!r}")
    stem = STEMS[base] if stem is None else stem
    if stem not in get_args(Stem):
        raise ValueError(f"recursive: stem must be one of {', '.join(get_args(Stem))}, got {stem!r}")
    channels = CHANNELS[base] if channels is None else channels
    if cascades < 1:
        raise ValueError(f"recursive: cascades must be at least 1, got {cascades}")
    if channels < 2 or channels % 2:
        raise ValueError(f"recursive: channels must be even and positive, got {channels}")
    scale = SCALE.get(base, 1.0) if scale is None else float(scale)
    return {"base": base, "stem": stem, "cascades": cascades, "channels": channels, "scale": scale}


def full_width(params: Mapping[str, Any]) -> dict[str, Any]:
    """The same composition at the papers' width."""
    return {**params, "channels": CHANNELS[params["base"]]}


def build(base: Base, stem: Stem, cascades: int, channels: int, scale: float, *, repeat: int = 1) -> Cascade:
    """Lay out the cascade; no two networks share weights."""
    number = cascades + (stem == "dense")
    networks = [_network(base, channels) for _ in range(number)]
    shares = [scale / number] * number
    if stem in ("none", "dense"):
        return Cascade(networks, shares, repeat=repeat)
    width = STEM_CHANNELS * channels // CHANNELS[base]
    affine = VTNAffineStem(width) if stem == "vtn_affine" else LightAffineStem([width * 2**level for level in range(4)])
    return Cascade([affine, *networks], [1.0, *shares], repeat=repeat)


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
