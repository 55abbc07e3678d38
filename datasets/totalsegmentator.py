"""totalsegmentator: a real CT of the abdomen, bent by known smooth maps: true displacements on real anatomy.

Each image is the scan seen through a map of its own, ``I(x) = CT(phi(x))``, drawn at random and free of folds, with
noise of its own; the true displacement between two images follows from their maps alone, as it does for phantoms.
Anatomy and contrast are real, motion is not: it is smooth everywhere, nothing slides, nothing appears, and all images
are of one subject, however many pairs they make.

Licence: the repository's, Apache-2.0. Source: ``wasserth/TotalSegmentator``, tests/reference_files (122 x 101 x 112
voxels of 3 mm; labels of 61 structures, made by TotalSegmentator's own network, doi:10.1148/ryai.230024). Both files (3
MB) are downloaded, never redistributed, or read from the folder ``totalsegmentator`` of a mirror.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# nibabel is typed in part only.

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from datasets.case import Writer
from datasets.description import Description, Pair, TrainingSplit, Window
from datasets.download import Remote, fetch_all, supply_of
from datasets.files import DataError, Volume, read_volume
from datasets.geometry import Array, sample
from datasets.grid import Grid
from datasets.phantoms.fields import Chain, Deformation, correlated_noise, random_field, true_displacement
from datasets.progress import progress
from datasets.supply import Extent, Supply

SOURCE = "https://raw.githubusercontent.com/wasserth/TotalSegmentator"
SCAN = Remote(
    "totalsegmentator/example_ct.nii.gz",
    f"{SOURCE}/0effae9d718aab0c118ce1f8982dcd16b9e32a50/tests/reference_files/example_ct.nii.gz",
    "dbd3ae6d614d1d7ef3a46925c30c70038ed52da6b37fdd6afdc7b9b71387e3e1",
    size=2206612,
)
LABELS = Remote(
    "totalsegmentator/example_seg_fast_force_split.nii.gz",
    f"{SOURCE}/853cd2fea2e8870e473dba2f911b989a54b6e274/tests/reference_files/example_seg_fast_force_split.nii.gz",
    "e8097758e56e73099075b6caaebce23ef11bc6fad66a4ec3753b9406846558c7",
    size=112591,
)
LICENCE = "repository under Apache-2.0"
WINDOW = Window("HU", -200.0, 300.0)
BODY_HU = -300.0
NOISE_HU = 12.0  # drawn anew for each image: the scan's own noise is bent with it, and would betray the map
COARSE_MM, FINE_MM = (80.0, 7.0), (40.0, 2.5)  # distance of knots, root mean square of each component
LIMITS = (0.45, 0.35)  # largest stretch of either part: together below 1, so that no map folds
SUBJECT = "TotalSegmentator example"
NOTES = (
    "one real subject, bent by synthetic maps: pairs differ by the map alone, so that their spread is none of patients",
    "no image holds what the other lacks, nothing slides, and the maps are smooth: easier than two scans are",
    "labels were made by TotalSegmentator's network, not by hand",
)
_NAMED = re.compile(r'<Label Key="(\d+)"[^>]*><!\[CDATA\[(.*?)\]\]>')


@dataclass(frozen=True, kw_only=True)
class Params:
    """The options of the deformations."""

    images: int = 3  # bent images of the scan; every two of them are registered, in both directions
    seed: int = 0  # of everything; each image draws from the seed and its number

    def __post_init__(self) -> None:
        """Raise `DataError` for less than two images."""
        if self.images < 2:
            raise DataError(f"prepare: images must be at least 2, which make a pair, got {self.images}")


@dataclass(frozen=True)
class Anatomy:
    """The scan in HU, its labels and the mask of its body ``(D, H, W)``, their grid and affine, names of labels."""

    scan: Array
    labels: Array
    body: Array
    grid: Grid
    affine: Array
    names: Mapping[int, str]


def supply(params: Params) -> Supply:
    """Return that the scan and its labels are wanted, and what of them is there."""
    extent = Extent(params.images, params.images * (params.images - 1), 122 * 101 * 112)
    return supply_of(LICENCE, (SCAN, LABELS), extent)


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Download the scan and its labels, and write bent images with labels, landmarks and true displacements."""
    anatomy, writer = read_anatomy(), Writer(folder)
    chains = {f"bent{number + 1:02d}": bending((params.seed, number), anatomy.grid) for number in range(params.images)}
    for number, (case, chain) in enumerate(progress(list(chains.items()), "bent images", unit="image")):
        _write_image(writer, case, anatomy, chain, np.random.default_rng([params.seed, number, 1]))
    pairs = [Pair(*two) for two in permutations(chains, 2)]
    points = inner_points(anatomy)
    for pair in progress(pairs, "true displacements", unit="pair"):
        sides = chains[pair.fixed], chains[pair.moving]
        truth = true_displacement(*sides, anatomy.grid, centre=(0, 0, 0))
        writer.displacement(pair, truth, anatomy.affine)
        _write_landmarks(writer, pair, sides, points, anatomy.grid)
    writer.finish(_describe(name, params, anatomy, pairs, list(chains)))


def read_anatomy() -> Anatomy:
    """Read the scan and its labels; raise `DataError` where they do not lie alike or nothing is labelled."""
    paths = fetch_all((SCAN, LABELS))
    scan, labels = map(read_volume, paths)
    if fault := scan.placement.difference(labels.placement):
        raise DataError(f"{SCAN.name} and {LABELS.name}: {fault}; replace the files")
    values = np.rint(labels.array).astype(np.uint16)
    numbers = np.unique(values[values > 0]).tolist()
    if not numbers:
        raise DataError(f"{LABELS.name}: holds no label; replace the file")
    known = stored_names(paths[1])
    names = {number: known.get(number, f"label {number}") for number in numbers}
    grid = Grid(scan.array.shape, scan.spacing)
    return Anatomy(scan.array, values, body_of(scan), grid, scan.affine, names)


def stored_names(path: Path) -> dict[int, str]:
    """Return the names of labels that a NIfTI file carries in its extensions, in words; none where it has none."""
    image: Any = nib.load(path)
    texts = [bytes(each.get_content()).decode("utf-8", "replace") for each in image.header.extensions]
    return {int(key): title.replace("_", " ") for text in texts for key, title in _NAMED.findall(text)}


def body_of(scan: Volume) -> Array:
    """Return the mask of the patient: the largest piece of tissue, its holes filled, and no table."""
    pieces = np.empty(scan.array.shape, np.int32)
    ndimage.label(ndimage.binary_opening(scan.array > BODY_HU), output=pieces)
    sizes = np.bincount(pieces.ravel())[1:]
    if not len(sizes):
        raise DataError(f"{SCAN.name}: nothing above {BODY_HU:g} HU; is this a CT, in Hounsfield units?")
    largest = pieces == 1 + int(np.argmax(sizes))
    # Filled plane by plane: the scan cuts the lungs, so that they are open at its end.
    return np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(largest, 2, 0)], axis=2)


def bending(stream: tuple[int, ...], grid: Grid) -> Chain:
    """Draw the map from an image to the scan, in mm around the middle of the grid: smooth, and free of folds."""
    rng = np.random.default_rng(stream)
    extent = np.multiply(grid.shape, grid.spacing).tolist()
    fields = [
        random_field(rng, centre=(0, 0, 0), extent_mm=extent, knot_mm=knots, amplitude_mm=amplitude, limit=limit)
        for (knots, amplitude), limit in zip((COARSE_MM, FINE_MM), LIMITS, strict=True)
    ]
    return Chain((Deformation(tuple(fields)),))


def inner_points(anatomy: Anatomy) -> Array:
    """Return of each structure the place ``(3, n)``, mm, of the voxel that lies deepest in it: the scan's landmarks."""
    places: list[Array] = []
    boxes = ndimage.find_objects(anatomy.labels)
    for number in anatomy.names:
        box = boxes[number - 1]
        inside = np.pad(anatomy.labels[box] == number, 1)
        depth = np.asarray(ndimage.distance_transform_edt(inside, sampling=anatomy.grid.spacing))
        deepest = np.unravel_index(int(np.argmax(depth)), depth.shape)
        places.append(np.asarray(deepest) - 1 + [part.start for part in box])
    return anatomy.grid.to_mm(np.stack(places)).T


def _write_image(writer: Writer, case: str, anatomy: Anatomy, chain: Chain, rng: np.random.Generator) -> None:
    grid, middle = anatomy.grid, (np.asarray(anatomy.grid.shape) - 1) / 2
    columns = (3, 1, 1, 1)
    voxels = chain.on_grid(grid.axes) / np.reshape(grid.spacing, columns) + middle.reshape(columns)
    seen = np.all((voxels >= -0.5) & (voxels <= 2 * middle.reshape(columns) + 0.5), axis=0)
    image = sample(anatomy.scan, voxels, order=3) + NOISE_HU * correlated_noise(rng, grid.shape)
    body = sample(anatomy.body.astype(np.uint8), voxels, order=0) > 0
    writer.image(case, WINDOW.scale(image), anatomy.affine)
    writer.mask(case, body & seen, anatomy.affine)
    writer.labels(case, sample(anatomy.labels, voxels, order=0) * seen, anatomy.affine)


def _write_landmarks(writer: Writer, pair: Pair, sides: tuple[Chain, Chain], points: Array, grid: Grid) -> None:
    fixed, moving = (grid.to_voxels(chain.inverse(points, iterations=80)[-1].T) for chain in sides)
    seen = np.all([(side >= 0) & (side <= np.asarray(grid.shape) - 1) for side in (fixed, moving)], axis=(0, 2))
    if seen.any():
        writer.landmarks(pair, fixed[seen], moving[seen])


def _describe(name: str, params: Params, anatomy: Anatomy, pairs: list[Pair], cases: list[str]) -> Description:
    (coarse, large), (fine, small) = COARSE_MM, FINE_MM
    return Description(
        name=name,
        module="totalsegmentator",
        title="Abdomen CT of one subject (real scan, synthetic deformations)",
        anatomy="abdomen",
        modality="CT",
        synthetic="one real scan of one subject, bent by random smooth maps; no two scans are compared",
        licence=LICENCE,
        source="github.com/wasserth/TotalSegmentator tests/reference_files",
        parameters=asdict(params),
        preprocessing=(
            f"each image is the scan through a random smooth map: B-splines of {coarse:g} and {fine:g} mm between "
            f"knots, {large:g} and {small:g} mm root mean square a component, less where they would fold (seed "
            f"{params.seed}); read by cubic splines, labels by the nearest voxel",
            f"noise of {NOISE_HU:g} HU of its own for each image",
            WINDOW.text,
        ),
        intensity=WINDOW,
        shape=anatomy.grid.shape,
        spacing=anatomy.grid.spacing,
        orientation=Volume(anatomy.scan, anatomy.affine).orientation,
        labels=dict(anatomy.names),
        evaluated_labels=tuple(anatomy.names),
        subjects=dict.fromkeys(cases, SUBJECT),
        notes=NOTES,
        training=TrainingSplit(()),
        test=tuple(pairs),
    )
