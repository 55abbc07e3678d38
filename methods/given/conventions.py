"""What the numbers of a displacement made elsewhere can mean, and the displacement of this project that they stand for.

Every meaning is an affine map of the stored vector: into voxels, and for a deformation, which says where a voxel goes
and not how far, to a place on the grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import product
from typing import Literal

import numpy as np

from datasets.files import DataError
from datasets.geometry import Array, identity_grid
from datasets.placement import Placement

FIND = "find"
LPS = np.diag((-1.0, -1.0, 1.0))  # the affines of this project are to right, anterior, superior
CONTENTS = ("displacement", "deformation")
UNITS = ("voxels", "mm_lps", "mm_ras", "mm", "normalised", "normalised_corners")
HALF = "half_voxels"  # of a field on every second voxel, which may also count in voxels of the whole grid
ORDERS = ("array", "reversed")
SENSES = ("pull", "push")


@dataclass(frozen=True)
class Asked:
    """What is stated of the convention of a set of fields; the rest is found by the images."""

    # how far a voxel goes, or to which place
    content: Literal["find", "displacement", "deformation"] = "find"
    # voxels; mm along the array's axes, or to left, posterior, superior (ITK, ANTs), or to right, anterior, superior;
    # half the field of view, from the outer faces of the voxels (align_corners=False) or from their centres (=True);
    # half_voxels: the voxels of a field's own grid, where that has half as many along each axis as the image
    unit: Literal["find", "voxels", "mm", "mm_lps", "mm_ras", "normalised", "normalised_corners", "half_voxels"] = (
        "find"
    )
    # components as the array's axes (in mm_lps and mm_ras as x, y, z), or the other way round (as in grid_sample)
    order: Literal["find", "array", "reversed"] = "find"
    # from the fixed image to the moving one (pull), or from the moving to the fixed one (push), which is inverted
    sense: Literal["find", "pull", "push"] = "find"
    # the axes of the grid in the file: as in the image's array, or the other way round (SimpleITK's arrays)
    axes: Literal["find", "array", "reversed"] = "find"

    @property
    def whole(self) -> bool:
        """Whether all five are stated."""
        return FIND not in _pieces(self)

    def slips(self, other: Convention) -> list[str]:
        """Return the options that are stated otherwise than a convention has them, each with both."""
        pairs = zip(fields(other), _pieces(self), astuple(other), strict=True)
        return [f"{each.name} ({said} or {theirs})" for each, said, theirs in pairs if said not in (FIND, theirs)]

    def with_known(self, known: Asked, where: str) -> Asked:
        """Return this with what the format of a file says by itself; raise `DataError` where the two differ."""
        stated: list[str] = []
        for each, own, other in zip(fields(known), _pieces(self), _pieces(known), strict=True):
            if FIND not in (own, other) and own != other:
                raise DataError(
                    f"{where}: params.{each.name} says {own}, but a file of this format has {other}; leave it out"
                )
            stated.append(other if own == FIND else own)
        return Asked(*stated)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Convention:
    """One meaning of stored numbers; the words are those of `Asked`."""

    content: str
    unit: str
    order: str
    sense: str
    axes: str

    def __str__(self) -> str:
        """Return the convention as it can be stated under ``params``."""
        return ", ".join(f"{each.name}: {getattr(self, each.name)}" for each in fields(self))

    def difference(self, other: Convention) -> str:
        """Return the options by which one of two conventions could be chosen."""
        pairs = zip(fields(self), astuple(self), astuple(other), strict=True)
        return ", ".join(f"{each.name} ({mine} or {theirs})" for each, mine, theirs in pairs if mine != theirs)

    def displacement(self, values: Array, points: Array, grid: Placement) -> Array:
        """Return the displacement ``(3, ...)`` in voxels that stored ``values`` ``(3, ...)`` mean at ``points``.

        ``points`` ``(3, ...)`` are voxel coordinates; both have the axes of the image's array (see `arranged`).
        """
        matrix, start = _to_voxels(self.unit, grid)
        if self.order == "reversed":
            matrix = matrix[:, ::-1]
        found = np.tensordot(matrix, values, axes=1)
        if self.content == "deformation":
            found += start.reshape(3, *(1,) * (values.ndim - 1))
            found -= points
        return found

    def whole(self, values: Array, grid: Placement) -> Array:
        """Return the displacement ``(3, D, H, W)`` float32 in voxels that a whole field means, in its own sense."""
        return self.displacement(values, identity_grid(grid.shape), grid).astype(np.float32)


def arranged(values: Array, axes: str) -> Array:
    """Return stored values ``(3, *grid)`` with the axes of the image's array."""
    return values if axes == "array" else values.transpose(0, 3, 2, 1)


def candidates(asked: Asked, axes: Sequence[str], *, half: bool = False) -> Iterator[Convention]:
    """Yield what numbers may mean, the usual first: all that is not stated, on a grid whose axes can be ``axes``.

    ``half`` says that the grid in the files has half as many voxels along each axis as the images.
    """
    choices = (CONTENTS, (*UNITS, HALF) if half else UNITS, ORDERS, SENSES, axes)
    kept = [
        [each for each in known if said in (FIND, each)] for said, known in zip(_pieces(asked), choices, strict=True)
    ]
    found = (Convention(*each) for each in product(*kept))
    return (each for each in found if (each.content, each.unit) != ("deformation", HALF))  # nobody counts places so


def _pieces(asked: Asked) -> tuple[str, ...]:
    """Return what is stated, in the order of `Convention`; options of a subclass are none of it."""
    return asked.content, asked.unit, asked.order, asked.sense, asked.axes


def _to_voxels(unit: str, grid: Placement) -> tuple[Array, Array]:
    """Return the matrix ``(3, 3)`` from stored vectors to voxels, and the place in voxels of a stored zero."""
    size = np.asarray(grid.shape, np.float64)
    match unit:
        case "voxels":
            return np.eye(3), np.zeros(3)
        case "half_voxels":
            return 2 * np.eye(3), np.zeros(3)
        case "mm":
            return np.diag(1 / np.asarray(grid.spacing)), np.zeros(3)
        case "mm_lps" | "mm_ras":
            inverse = np.linalg.inv(grid.affine[:3, :3])
            return inverse @ LPS if unit == "mm_lps" else inverse, -inverse @ grid.affine[:3, 3]
        case "normalised":
            return np.diag(size / 2), (size - 1) / 2
        case "normalised_corners":
            return np.diag((size - 1) / 2), (size - 1) / 2
        case _:
            raise ValueError(f"unknown unit {unit!r}")
