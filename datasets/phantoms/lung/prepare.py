"""The lung phantom: pairs of chest CT scans of one subject, end-inhale (fixed) and end-exhale (moving).

The exhale scan is drawn from a subject's anatomy (`phantoms.lung.anatomy`). The inhale scan is drawn from the same
anatomy at the displaced points, ``fixed(x) = moving(x + u(x))``, so that ``u`` is exact (`phantoms.lung.breathing`);
lung tissue is as much thinner as its volume is larger. Bore and table are drawn in the scanner's frame and never move.
Phases, number of landmarks and depth of breathing follow the ten DIR-Lab cases (DOI 10.1088/0031-9155/54/7/001), or
are set pair by pair; test scans can be cropped to the lungs, as DOI 10.1109/TMI.2019.2953788 crops real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from datasets.case import Pair, Writer
from datasets.chest_ct.lungs import WINDOW
from datasets.description import Description, TrainingSplit
from datasets.geometry import Array
from datasets.grid import Grid
from datasets.phantoms.lung.anatomy import NAMES
from datasets.phantoms.lung.landmarks import EXTENT_MM
from datasets.phantoms.lung.pair import LANDMARKS, MARGIN_MM, BreathingPair, draw_pair, field_of_view

LUNGS = (1, 2)
NOISE_HU = 18.0
SEVERITY_MM = (7.0, 10.5, 4.2, 14.5, 8.5, 5.5, 12.5, 7.8, 9.5, 6.2)  # mean landmark distance of test pair 0, 1, ...
_SPLITS = {"train": 0, "test": 1}


def prepare(
    writer: Writer,
    *,
    shape: Sequence[int],
    spacing: Sequence[float] | None,
    training: int,
    test: int,
    difficulty: float,
    seed: int,
    severity: Sequence[float] | None = None,
    landmarks: int | Sequence[int] | None = None,
    crop: str | None = None,
    show: Callable[[str], None] | None = None,
) -> Description:
    """Write ``training`` and ``test`` subjects, two scans each, and return what dataset.json says about them.

    Args:
        writer: receives images, field-of-view masks, and for test pairs labels, landmarks and true displacements.
        shape: ``(D, H, W)``, voxels to the left, to posterior and to superior.
        spacing: mm; None fits `EXTENT_MM` to ``shape``.
        training: number of subjects whose pairs, in both directions, are for training.
        test: number of subjects whose pair (fixed inhale, moving exhale) is registered.
        difficulty: scales how deeply they breathe; 1 is as deep as in DIR-Lab.
        seed: each subject's random numbers come from it, the split and the subject's number.
        severity: mean landmark distance in mm of test pair 0, 1, ...; None takes `SEVERITY_MM` in turn, as training
            pairs always do.
        landmarks: how many each test pair has; None is `LANDMARKS`, or as many as there are.
        crop: ``lungs`` draws each test pair on a grid around its own lungs, ``varied`` every subject with a field of
            view anywhere between that and the whole chest, as scans of many scanners have; None draws whole chests.
        show: called with a line of progress after each subject.

    With any of the last three options a test pair has exactly so many landmarks, and these move by the distance asked
    for; without them they may be fewer, and the distance is that of all branchings of the lung vessels.

    Raises:
        ValueError: when a lung would nearly fold, when there are too few landmarks, and for options that `check`
            refuses.
    """
    check(spacing=spacing, test=test, severity=severity, landmarks=landmarks, crop=crop)
    sizes = spacing or [extent / n for extent, n in zip(EXTENT_MM, shape, strict=True)]
    chest = Grid(tuple(int(n) for n in shape), tuple(float(s) for s in sizes))
    own = _own_options(test, severity, landmarks, crop)
    pairs: dict[str, list[Pair]] = {"train": [], "test": []}
    distances, grids = {}, {}
    for split, number in [("train", k) for k in range(training)] + [("test", k) for k in range(test)]:
        rng = np.random.default_rng([seed, _SPLITS[split], number])
        options = {"tre_mm": SEVERITY_MM[number % len(SEVERITY_MM)], **(own[number] if split == "test" else {})}
        if crop == "varied":
            options["crop"] = np.random.default_rng([seed, _SPLITS[split], number, 1]).random()
        scans = draw_pair(rng, chest, **{**options, "tre_mm": difficulty * options["tre_mm"]})
        pair = Pair(f"{split}{number:02d}_inhale", f"{split}{number:02d}_exhale")
        _write(writer, pair, scans, rng, truth=split == "test")
        pairs[split].append(pair)
        grids[pair] = scans.grid
        if split == "test":
            distances[pair.name] = round(scans.tre_before, 3)
        if show:
            show(f"{pair.name}: {scans.tre_before:.1f} mm before registration")
    about = _describe(chest, pairs, distances)
    return _describe_crop(about, pairs, grids, crop) if crop else about


def check(
    *,
    spacing: Sequence[float] | None,
    test: int,
    severity: Sequence[float] | None = None,
    landmarks: int | Sequence[int] | None = None,
    crop: str | None = None,
) -> None:
    """Raise ``ValueError`` for options of `prepare` that no lung phantom can have, or that contradict each other."""
    if severity is not None and len(severity) != test:
        raise ValueError(f"prepare: severity must give one distance a test pair, {test} in all, got {len(severity)}")
    if not all(0 < mm < np.inf for mm in severity or ()):
        raise ValueError(f"prepare: severity must be positive distances in mm, got {list(severity)}")
    counts = [landmarks] * test if landmarks is None or isinstance(landmarks, int) else list(landmarks)
    if len(counts) != test:
        raise ValueError(f"prepare: landmarks must be one number, or one a test pair, {test} in all, got {len(counts)}")
    if landmarks is not None and min(counts, default=1) < 1:
        raise ValueError(f"prepare: landmarks must be at least 1, got {landmarks}")
    if crop not in (None, "lungs", "varied"):
        raise ValueError(f"prepare: crop must be 'lungs', 'varied' or left out, got {crop!r}")
    if crop and spacing is not None:
        raise ValueError(f"prepare: with crop each test pair has its own spacing; leave out spacing {list(spacing)}")


def _own_options(
    test: int, severity: Sequence[float] | None, landmarks: int | Sequence[int] | None, crop: str | None
) -> list[dict[str, Any]]:
    """What is said of each test pair by itself, as options of `draw_pair`."""
    if severity is None and landmarks is None and crop is None:
        return [{}] * test
    counts = LANDMARKS if landmarks is None else landmarks
    counts = [counts] * test if isinstance(counts, int) else counts
    options = [{"landmarks": count, "crop": float(crop == "lungs"), "exact": True} for count in counts]
    return options if severity is None else [{"tre_mm": mm, **o} for mm, o in zip(severity, options, strict=True)]


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
    cases = {case: case.split("_")[0] for pair in pairs["train"] + pairs["test"] for case in (pair.fixed, pair.moving)}
    return Description(
        name="",
        title="Lung phantom, breathing pairs",
        source="drawn by datasets/phantoms/lung/prepare.py",
        preprocessing=(
            f"drawn on the grid; no resampling, no alignment ({grid.shape} voxels)",
            "fixed is end-inhale, moving end-exhale; lung density follows the volume",
            "intensity window -1024 to 1000 HU mapped to [0, 1]",
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
