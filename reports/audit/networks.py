"""Sizes and work of the papers' networks by the formulas of their layers, without building one.

``known/layers.csv`` has the layers of each network at 128 x 128 x 128 as the released codes define them
(aioz-ai/LDR_ALDK at 717f365, microsoft/Recursive-Cascaded-Networks at 0709490), ``ldr_text`` those of the LDR paper's
own text (III-C) with a fourth transposed convolution for the displacement. ``known/networks.csv`` says what a method is
composed of, and on brains where that differs. Tests hold both against the networks that this project runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from reports.audit.sheet import KNOWN

_PART = re.compile(r"(?:(\d+) )?(\w+)")


@dataclass(frozen=True)
class Layer:
    """A convolution with cubic kernels; ``side`` is that of the grid that it writes, ``bias`` 1 where it has one."""

    network: str
    layer: str
    kind: str  # conv, or transposed with a stride of 2
    inputs: int
    outputs: int
    kernel: int
    side: int
    bias: int

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.kernel**3 * self.inputs * self.outputs + self.bias * self.outputs

    @property
    def macs(self) -> int:
        """Multiply-accumulates: a product a weight at each voxel written, or read where it is transposed."""
        side = self.side // 2 if self.kind == "transposed" else self.side
        return self.kernel**3 * self.inputs * self.outputs * side**3


@dataclass(frozen=True)
class Network:
    """What a method is composed of, and what that comes to at 128 x 128 x 128."""

    parts: str
    parameters: int
    macs: int


@cache
def layers() -> Mapping[str, Sequence[Layer]]:
    """Return the layers of each network."""
    found: dict[str, list[Layer]] = {}
    for row in pd.read_csv(KNOWN / "layers.csv").itertuples(index=False, name=None):
        found.setdefault(row[0], []).append(Layer(*row))
    return found


def compose(parts: str) -> Network:
    """Return the network made of parts such as ``affine + 3 vtn``."""
    counted = [_PART.fullmatch(part) for part in parts.split(" + ")]
    taken = [layer for found in counted if found for layer in list(layers()[found[2]]) * int(found[1] or 1)]
    return Network(parts, sum(layer.parameters for layer in taken), sum(layer.macs for layer in taken))


@cache
def networks(*, brain: bool = False) -> Mapping[str, Network]:
    """Return the network of each method that has one, as it is composed for scans of the abdomen or of the brain."""
    frame = pd.read_csv(KNOWN / "networks.csv", keep_default_na=False)
    rows = frame.itertuples(index=False, name=None)
    return {method: compose((on_brains or parts) if brain else parts) for method, parts, on_brains in rows}
