"""What is said of data of a user's own, before any image is read: files, pairs, splits, names of labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from datasets.own.words import GridRule, Split, Unit
from datasets.problem import Problem

_NAMED = re.compile(r"(.+)_(\d{4})_(\d{4})")  # a task, a patient and a scan of this patient, as Learn2Reg names images


@dataclass(frozen=True)
class Item:
    """One scan: the name of its case, its files, and whose it is."""

    case: str
    image: Path
    labels: Path | None = None
    mask: Path | None = None
    subject: str = ""


@dataclass(frozen=True)
class Row:
    """Two cases to be registered: which split they are in, their landmarks, and the place that says so.

    ``line`` is that of a table, 0 for other sources.
    """

    fixed: str
    moving: str
    split: Split
    where: str
    landmarks: tuple[Path, Path] | None = None
    line: int = 0

    @property
    def cases(self) -> tuple[str, str]:
        """The fixed and the moving case."""
        return self.fixed, self.moving


@dataclass
class Listing:
    """All that a folder or a table says.

    Attributes:
        source: the file that says it.
        items: every scan that is used, by its case.
        rows: the pairs, training pairs included.
        training: scans to train on that no row pairs; every two of them are a pair.
        labels: names of label values.
        title, licence, modality: as the source has them, where it does.
        unit: that its landmarks have by their form; None for a table, which may be of any program.
        grid: how its images lie to each other: by their headers, or voxel on voxel.
        lines: those of a table that name each case.
        problems: what is wrong with it.
        notes: departures that a reader of the numbers should know.
    """

    source: Path
    items: dict[str, Item] = field(default_factory=dict[str, Item])
    rows: list[Row] = field(default_factory=list[Row])
    training: list[str] = field(default_factory=list[str])
    labels: dict[int, str] = field(default_factory=dict[int, str])
    title: str = ""
    licence: str = ""
    modality: str = ""
    unit: Unit | None = None
    grid: GridRule = "header"
    lines: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    problems: list[Problem] = field(default_factory=list[Problem])
    notes: list[str] = field(default_factory=list[str])

    def of(self, split: Split) -> list[Row]:
        """Return the pairs of a split, in order."""
        return [row for row in self.rows if row.split == split]

    @property
    def judged(self) -> list[Row]:
        """The pairs that have a truth to be judged by: test and validation."""
        return [*self.of("test"), *self.of("validation")]

    @property
    def atlas(self) -> str:
        """The case that is the fixed image of every pair, of tests and of more than one training pair; or ""."""
        fixed = {row.fixed for row in self.rows}
        is_atlas = len(fixed) == 1 and self.of("training") and self.judged and not self.training
        return next(iter(fixed)) if is_atlas else ""

    def whose(self, case: str) -> str:
        """Return the subject of a case: what the source says, else the case itself."""
        return self.items[case].subject or case

    def fault(self, where: str, what: str) -> None:
        """Keep what is wrong somewhere."""
        problem = Problem(where, what)
        if problem not in self.problems:
            self.problems.append(problem)


def subject_of(case: str) -> str:
    """Return whose scan a case is by its name: of ``NLST_0101_0000`` and ``NLST_0101_0001`` it is one patient."""
    return f"{found[1]}_{found[2]}" if (found := _NAMED.fullmatch(case)) else case


def as_case(parts: Iterable[str]) -> str:
    """Return the name of a case, of the parts of a path; nothing is left in it that a name may not hold."""
    text = re.sub(r"[^\w.%#+~-]+", "-", "-".join(parts))
    return re.sub(r"_{2,}", "_", text).strip("_.- ") or "image"
