"""Pairs whose displacement is known, and that displacement written as other tools write it.

The way from the truth to a file is spelled out here once more, in millimetres of the world and from place to place, so
that it shares nothing with the reader but the definitions of the formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name
from scipy import ndimage
from scipy.spatial.transform import Rotation

from datasets.case import Dataset, Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import DataError

SHAPE, SPACING = (20, 24, 30), (2.0, 1.5, 2.6)  # neither a cube nor isotropic
PAIRS = (Pair("a", "b"), Pair("c", "d"))
DIRECTIONS = {
    "ras": np.eye(3),
    "lps": np.diag((-1.0, -1.0, 1.0)),
    "turned": np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]),
    "oblique": np.diag((-1.0, -1.0, 1.0)) @ Rotation.from_euler("xyz", (8, -12, 20), degrees=True).as_matrix(),
}
GRID = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij")).astype(float)


@dataclass(frozen=True, eq=False)
class Made:
    """A data set, and the true displacement of each pair in both senses, each ``(3, D, H, W)`` in voxels."""

    data: Dataset
    pull: dict[Pair, np.ndarray]
    push: dict[Pair, np.ndarray]
    affine: np.ndarray


def make(folder: Path, direction: str, *, spacing=SPACING, amplitude=1.0, landmarks=None) -> Made:
    """Write two pairs of textured images with ``fixed(x) = moving(x + u(x))``, and know ``u`` and its inverse.

    The map is affine, so that both senses are known in closed form, and moves differently along each axis.
    ``landmarks`` makes of ``u`` the displacement that landmarks have; without it there are none.
    """
    affine = np.eye(4)
    affine[:3, :3] = DIRECTIONS[direction] * spacing
    affine[:3, 3] = (-31.0, 12.0, 7.5)
    pull, push, writer = {}, {}, Writer(folder)
    for number, pair in enumerate(PAIRS):
        rng = np.random.default_rng(number)
        matrix = np.eye(3) + amplitude * rng.uniform(-0.12, 0.12, (3, 3))
        shift = amplitude * np.array([2.2, -2.9, 2.6]) * rng.choice((-1, 1), 3)
        centre = (np.asarray(SHAPE) - 1) / 2
        pull[pair] = _affine_field(matrix, centre + shift - matrix @ centre)
        inverse = np.linalg.inv(matrix)
        push[pair] = _affine_field(inverse, centre - inverse @ (centre + shift))
        # Texture beyond the grid too, so that nothing is held at a border.
        wide = sum(ndimage.gaussian_filter(rng.normal(size=[n + 24 for n in SHAPE]), s) * s**1.5 for s in (1.2, 3.0))
        wide = (wide - wide.min()) / np.ptp(wide)
        inside = tuple(slice(12, -12) for _ in SHAPE)
        writer.image(pair.moving, wide[inside], affine)
        points = GRID + pull[pair] + 12
        writer.image(pair.fixed, np.clip(ndimage.map_coordinates(wide, points, order=1), 0, 1), affine)
        if landmarks is not None:
            points = rng.uniform(6, np.asarray(SHAPE) - 7, (20, 3)).round()
            u = landmarks(pull[pair])[:, *points.astype(int).T]
            writer.landmarks(pair, points, points + u.T)
    writer.finish(Description(name="made", training=TrainingSplit(()), test=PAIRS))
    return Made(open_dataset(folder), pull, push, affine)


def _affine_field(matrix: np.ndarray, start: np.ndarray) -> np.ndarray:
    return np.einsum("ij,jxyz->ixyz", matrix, GRID) + start[:, None, None, None] - GRID


def numbers(u: np.ndarray, affine: np.ndarray, *, content: str, unit: str, order: str) -> np.ndarray:
    """Return the numbers ``(3, D, H, W)`` that a tool with this convention stores for a displacement in voxels."""
    from_place, to_place = (_coordinates(points, affine, unit) for points in (GRID, GRID + u))
    stored = to_place if content == "deformation" else to_place - from_place
    return (stored if order == "array" else stored[::-1]).astype(np.float32)


def _coordinates(points: np.ndarray, affine: np.ndarray, unit: str) -> np.ndarray:
    size = np.reshape(SHAPE, (3, 1, 1, 1))
    if unit in ("mm_lps", "mm_ras"):
        world = nib.affines.apply_affine(affine, np.moveaxis(points, 0, -1)) * ((-1, -1, 1) if unit == "mm_lps" else 1)
        return np.moveaxis(world, -1, 0)
    return {
        "voxels": points,
        "mm": points * np.linalg.norm(affine[:3, :3], axis=0).reshape(3, 1, 1, 1),
        "normalised": (2 * points + 1) / size - 1,
        "normalised_corners": 2 * points / (size - 1) - 1,
    }[unit]


def write(path: Path, stored: np.ndarray, affine: np.ndarray) -> None:
    """Write numbers ``(3, D, H, W)`` in the format of the file's ending, as its tools lay them out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    last = np.moveaxis(stored, 0, -1)
    if path.name.endswith("-vectors.nii.gz"):  # as ITK writes them
        image = nib.Nifti1Image(last[:, :, :, None], affine)
        image.header.set_intent("vector")
        nib.save(image, path)
    elif path.name.endswith(".nii.gz"):
        nib.save(nib.Nifti1Image(last, affine), path)
    elif path.suffix == ".npz":
        np.savez_compressed(path, stored)
    elif path.suffix == ".npy":
        np.save(path, last)
    elif path.suffix in (".mha", ".nrrd"):
        sitk.WriteImage(itk_image(stored, affine), str(path))
    else:
        import torch

        torch.save(torch.from_numpy(last if "last" in path.name else stored.copy())[None], path)


def itk_image(stored: np.ndarray, affine: np.ndarray):
    """Return numbers ``(3, D, H, W)`` as ITK's image of vectors, placed as a NIfTI affine says."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(np.transpose(stored)).astype(np.float64), isVector=True)
    place(image, affine)
    return image


def place(image, affine: np.ndarray) -> None:
    """Place an ITK image where a NIfTI affine (RAS) says."""
    lps, spacing = np.diag((-1, -1, 1, 1)) @ affine, np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())


def itk_transform(u: np.ndarray, affine: np.ndarray):
    """Return a displacement in voxels as ITK's transform, from places to places in mm."""
    field = numbers(u, affine, content="displacement", unit="mm_lps", order="array")
    return sitk.DisplacementFieldTransform(itk_image(field, affine))


def scored(made: Made, folder: Path, **options) -> dict[Pair, np.ndarray]:
    """Return the displacement that the method `fields` hands over for each pair."""
    from methods import fields

    register = fields.load(fields.Params(folder=folder, **options), device="cpu", seed=0, data=made.data)
    still = {pair: [made.data.image(case).array for case in (pair.fixed, pair.moving)] for pair in PAIRS}
    return {pair: register(*still[pair], SPACING, pair=pair) for pair in PAIRS}


def tried(made: Made, folder: Path, **options) -> tuple[dict[Pair, np.ndarray], str]:
    """Return what `scored` does, and nothing with the reason where that is refused."""
    try:
        return scored(made, folder, **options), ""
    except DataError as error:
        return {}, str(error)


def error(made: Made, found: dict[Pair, np.ndarray], *, margin: int = 7) -> float:
    """Return the largest difference from the truth in voxels; away from faces, where an inverse needs more field."""
    inner = (slice(None), *(slice(margin, -margin or None) for _ in SHAPE))
    return max(float(np.abs(found[pair] - made.pull[pair])[inner].max()) for pair in PAIRS)
