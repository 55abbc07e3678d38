"""DIR-Lab 4DCT landmarks: ten lung CT pairs, 300 landmarks each at end-inhale (T00) and end-exhale (T50).

Licence and source: research use after the form of the Emory radiation oncology group, no redistribution
(Castillo et al. 2009, DOI 10.1088/0031-9155/54/7/001). A checked copy of the landmarks with corrections is DIR-QA
(github.com/deshanyang/DIR-QA, GPL-3.0). Both files are read here into one convention: zero-based voxel coordinates
``(n, 3)`` in array axes (to the patient's left, to posterior, from superior to inferior).

Every import recomputes the mean distance between the two phases and refuses a case that misses the published one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from datasets.files import Array, DataError


@dataclass(frozen=True)
class Case:
    """Geometry of a case (x, y, z) and its published distance before registration (mm; population SD)."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    tre_mean: float
    tre_sd: float


CASES = {
    1: Case((256, 256, 94), (0.97, 0.97, 2.5), 3.89, 2.78),
    2: Case((256, 256, 112), (1.16, 1.16, 2.5), 4.34, 3.90),
    3: Case((256, 256, 104), (1.15, 1.15, 2.5), 6.94, 4.05),
    4: Case((256, 256, 99), (1.13, 1.13, 2.5), 9.83, 4.85),
    5: Case((256, 256, 106), (1.10, 1.10, 2.5), 7.48, 5.50),
    6: Case((512, 512, 128), (0.97, 0.97, 2.5), 10.89, 6.96),
    7: Case((512, 512, 136), (0.97, 0.97, 2.5), 11.03, 7.42),
    8: Case((512, 512, 128), (0.97, 0.97, 2.5), 14.99, 9.00),
    9: Case((512, 512, 128), (0.97, 0.97, 2.5), 7.92, 3.97),
    10: Case((512, 512, 120), (0.97, 0.97, 2.5), 7.30, 6.34),
}
TOLERANCE_MM = 0.01


def read_text(path: Path) -> Array:
    """Read a landmark file of the DIR-Lab packs: three one-based integers a row, separated by white space."""
    rows = []
    for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append([float(value) for value in line.split()[:3]])
        except ValueError as error:
            raise DataError(f"{path}, line {number}: expected three numbers, got {line!r}") from error
        if len(rows[-1]) != 3:
            raise DataError(f"{path}, line {number}: expected three numbers, got {line!r}")
    if not rows:
        raise DataError(f"{path}: no landmarks")
    return np.asarray(rows) - 1.0


def read_dirqa(path: Path) -> tuple[Array, Array]:
    """Read inhale and exhale landmarks from a DIR-QA file, whose columns are (y, x, z), one-based."""
    try:
        content = loadmat(path)
        inhale, exhale = content["landmark_dirlab_EI"], content["landmark_EE"]
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (KeyError, ValueError, OSError, TypeError, MatReadError) as error:
        raise DataError(f"{path}: not a DIR-QA landmark file ({error})") from error
    return tuple(points[:, [1, 0, 2]].astype(np.float64) - 1.0 for points in (inhale, exhale))


def distances(inhale: Array, exhale: Array, spacing: tuple[float, float, float]) -> Array:
    """Distance in mm of each landmark pair, ``(n,)``, from voxel coordinates ``(n, 3)``."""
    return np.linalg.norm((np.asarray(inhale) - np.asarray(exhale)) * np.asarray(spacing), axis=1)


def check_case(number: int, inhale: Array, exhale: Array) -> None:
    """Refuse landmarks that do not reproduce the case's published mean distance within 0.01 mm.

    This proves files, spacing and row order; it cannot see a swap of the two in-plane axes, whose spacing is equal.
    """
    if number not in CASES:
        raise DataError(f"DIR-Lab case {number}: there are cases 1 to 10")
    case = CASES[number]
    if inhale.shape != exhale.shape or inhale.shape[1:] != (3,):
        raise DataError(f"DIR-Lab case {number}: {inhale.shape} inhale and {exhale.shape} exhale landmarks")
    for phase, points in (("inhale", inhale), ("exhale", exhale)):
        if np.any(points < 0) or np.any(points > np.asarray(case.shape) - 1):
            raise DataError(f"DIR-Lab case {number}: {phase} landmarks outside the volume {case.shape}")
    mean = float(distances(inhale, exhale, case.spacing).mean())
    if abs(mean - case.tre_mean) > TOLERANCE_MM:
        raise DataError(
            f"DIR-Lab case {number}: landmarks are {mean:.3f} mm apart before registration, published is "
            f"{case.tre_mean} mm; the files are swapped, cut, or not one-based"
        )
