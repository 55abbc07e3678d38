"""The lung phantom: pairs of chest CT scans of one subject, end-inhale (fixed) and end-exhale (moving).

The exhale scan is drawn from a subject's anatomy (`phantoms.lung.anatomy`). The inhale scan is drawn from the same
anatomy at the displaced points, ``fixed(x) = moving(x + u(x))``, so that ``u`` is exact (`phantoms.lung.breathing`);
lung tissue is as much thinner as its volume is larger. Bore and table are drawn in the scanner's frame and never move.
Phases, number of landmarks and depth of breathing follow the ten DIR-Lab cases (DOI 10.1088/0031-9155/54/7/001), or
are set pair by pair; test scans can be cropped to the lungs, as DOI 10.1109/TMI.2019.2953788 crops real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from datasets.case import Pair, Writer
from datasets.chest_ct.lungs import WINDOW
from datasets.description import Description, TrainingSplit, cases_of
from datasets.geometry import Array
from datasets.grid import Grid
from datasets.phantoms.lung.anatomy import NAMES
from datasets.phantoms.lung.landmarks import EXTENT_MM
from datasets.phantoms.lung.pair import LANDMARKS, MARGIN_MM, BreathingPair, draw_pair, field_of_view
from datasets.phantoms.options import Params

LUNGS = (1, 2)
NOISE_HU = 18.0
SEVERITY_MM = (7.0, 10.5, 4.2, 14.5, 8.5, 5.5, 12.5, 7.8, 9.5, 6.2)  # mean landmark distance of test pair 0, 1, ...
_SPLITS = {"train": 0, "test": 1, "validation": 3}


@dataclass(frozen=True)
class Breath:
    """How one pair is drawn: the options of `draw_pair`."""

    tre_mm: float
    landmarks: int = LANDMARKS
    crop: float = 0.0
    exact: bool = False


def prepare_pairs(writer: Writer, params: Params, *, show: Callable[[str], object] | None = None) -> Description:
    """Write the training and test subjects, two scans each, and return what dataset.json says about them.

    ``show`` is called with a line of progress after each subject. With any of the options that only the lung has, a
    test pair has exactly so many landmarks, and these move by the distance asked for; without them they may be fewer,
    and the distance is that of all branchings of the lung vessels.

    Raises:
        ValueError: a lung would nearly fold, or there are too few landmarks.
    """
    sizes = params.spacing or [extent / n for extent, n in zip(EXTENT_MM, params.shape, strict=True)]
    chest = Grid(params.shape, tuple(map(float, sizes)))
    counts = {"train": params.training, "test": params.test, "validation": params.validation}
    pairs: dict[str, list[Pair]] = {split: [] for split in counts}
    distances: dict[str, float] = {}
    grids: dict[Pair, Grid] = {}
    for split, number in [(split, number) for split, count in counts.items() for number in range(count)]:
        rng = np.random.default_rng([params.seed, _SPLITS[split], number])
        scans = draw_pair(rng, chest, **vars(_breath(params, split, number)))
        pair = Pair(f"{split}{number:02d}_inhale", f"{split}{number:02d}_exhale")
        _write(writer, pair, scans, rng, truth=split != "train")
        pairs[split].append(pair)
        grids[pair] = scans.grid
        if split != "train":
            distances[pair.name] = round(scans.tre_before, 3)
        if show:
            show(f"{pair.name}: {scans.tre_before:.1f} mm before registration")
    described = _describe(chest, pairs, distances)
    return _describe_crop(described, pairs, grids, params.crop) if params.crop else described


def _breath(params: Params, split: str, number: int) -> Breath:
    """Return how a pair is drawn; only test pairs follow the options of the lung, but all the ``varied`` crop."""
    own = bool(params.lung_options) and split != "train"
    asked = params.severity if split == "test" and params.severity else SEVERITY_MM
    crop = float(own and params.crop == "lungs")
    if params.crop == "varied":
        crop = float(np.random.default_rng([params.seed, _SPLITS[split], number, 1]).random())
    landmarks = params.landmarks_of(number, LANDMARKS) if own and split == "test" else LANDMARKS
    return Breath(params.difficulty * asked[number % len(asked)], landmarks, crop, exact=own)


def _write(writer: Writer, pair: Pair, scans: BreathingPair, rng: np.random.Generator, *, truth: bool) -> None:
    affine, mask = scans.grid.affine, field_of_view(scans.grid)
    for case, values in ((pair.fixed, scans.fixed), (pair.moving, scans.moving)):
        writer.image(case, WINDOW.scale(values + _noise(rng, scans.grid) * mask), affine)
        writer.mask(case, mask, affine)
    if truth:
        writer.labels(pair.fixed, scans.fixed_labels, affine)
        writer.labels(pair.moving, scans.moving_labels, affine)
        writer.displacement(pair, scans.displacement, affine)
        writer.landmarks(pair, scans.fixed_landmarks, scans.moving_landmarks)


def _noise(rng: np.random.Generator, grid: Grid) -> Array:
    grain = ndimage.gaussian_filter(rng.standard_normal(grid.shape).astype(np.float32), 0.5)
    return NOISE_HU * grain / grain.std()


def _describe(grid: Grid, pairs: dict[str, list[Pair]], severity: dict[str, float]) -> Description:
    both = [p for pair in pairs["train"] for p in (pair, Pair(pair.moving, pair.fixed))]
    cases = {case: case.split("_")[0] for case in cases_of(pair for split in pairs.values() for pair in split)}
    return Description(
        name="",
        title="Lung phantom, breathing pairs",
        source="drawn by datasets/phantoms/lung/prepare.py",
        preprocessing=(
            f"drawn on the grid; no resampling, no alignment ({grid.shape} voxels)",
            "fixed is end-inhale, moving end-exhale; lung density follows the volume",
            WINDOW.text,
        ),
        intensity=WINDOW,
        shape=grid.shape,
        spacing=grid.spacing,
        orientation=("L", "P", "S"),
        labels=NAMES,
        evaluated_labels=LUNGS,
        primary="tre",  # two lungs overlap well before registration; their vessels do not
        subjects=cases,
        training=TrainingSplit(tuple(case for case in cases if case.startswith("train")), "listed", list=tuple(both)),
        validation=tuple(pairs["validation"]),
        test=tuple(pairs["test"]),
        severity=severity,
    )


def _describe_crop(
    about: Description, pairs: Mapping[str, Sequence[Pair]], grids: Mapping[Pair, Grid], crop: str
) -> Description:
    """Say what cropping changes: the data set has no one spacing, but each pair has its own."""
    said = {
        "test": f"test scans: cropped to the lungs of both scans and {MARGIN_MM:g} mm more on each side",
        "train": "training scans: whole chests",
        "validation": "validation scans: cropped as test scans are",
    }
    if crop == "varied":
        said = dict.fromkeys(said, "fields of view between the lungs and the whole chest, at random")
    first = [f"{said[split]}, {_sizes([grids[p] for p in pairs[split]])}" for split in said if pairs[split]]
    spacings = {pair.name: grid.spacing for pair, grid in grids.items()}
    return replace(about, preprocessing=(*about.preprocessing, *first), spacing=None, spacings=spacings)


def _sizes(grids: Sequence[Grid]) -> str:
    spacing = np.array([grid.spacing for grid in grids])
    ranges = zip(spacing.min(axis=0), spacing.max(axis=0), strict=True)
    return f"voxels of {' x '.join(f'{low:.2f} to {high:.2f}' for low, high in ranges)} mm"
