"""The options of a phantom data set, and the check that they go together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Anatomy = Literal["liver", "brain", "lung"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """What is drawn, on which grid, and of how many subjects."""

    anatomy: Anatomy  # which template
    # inter_subject registers all ordered pairs of test subjects, intra_subject two scans of each subject in both
    # directions, atlas every subject (moving) to one atlas (fixed); the lung always registers inhale and exhale
    design: Literal["inter_subject", "intra_subject", "atlas"] = "inter_subject"
    # inter_subject: of each subject as fixed image only so many others are moved, those that follow it; left out, all
    partners: int | None = None
    shape: tuple[int, int, int]  # voxels to the left, posterior and superior
    spacing: tuple[float, float, float] | None = None  # mm; left out, the template's field of view fits the shape
    training: int  # number of training subjects
    test: int  # number of test subjects, none of them a training subject; the lung may have none, for training alone
    validation: int = 0  # number of subjects to choose options on, none of them a training or test subject
    difficulty: float = 1.0  # 0 to 1.5, how far subjects differ and how deeply they breathe; 1 resembles real data
    seed: int = 0  # of everything; each subject draws from the seed, its split and its number
    severity: tuple[float, ...] | None = None  # lung: mean landmark distance of each test pair, mm, times difficulty
    landmarks: int | tuple[int, ...] | None = None  # lung: exactly how many, for all test pairs or for each
    # lung: lungs draws each test pair, but no training pair, on a grid around its own lungs, which then decide its
    # spacing; varied draws every subject with a field of view between that and the whole chest
    crop: Literal["lungs", "varied"] | None = None
    title: str | None = None  # for readers; left out, it says anatomy and design

    def __post_init__(self) -> None:
        """Raise ValueError for options that are out of range or contradict each other."""
        if self.design == "intra_subject" and self.anatomy == "brain":
            raise ValueError("prepare: the brain has no second scan; use design 'inter_subject' or 'atlas'")
        if min(self.shape) < 16:
            raise ValueError(f"prepare: shape must be three numbers of at least 16, got {list(self.shape)}")
        if self.spacing is not None and min(self.spacing) <= 0:
            raise ValueError(f"prepare: spacing must be three positive numbers, got {list(self.spacing)}")
        least = 2 if self.design == "inter_subject" and self.anatomy != "lung" else 1
        if self.anatomy == "lung" and self.training > 0:
            least = 0  # a data set for training alone
        if self.training < 0 or self.test < least:
            raise ValueError(f"prepare: needs training >= 0 and test >= {least}, got {self.training} and {self.test}")
        if self.validation < 0 or 0 < self.validation < least:
            raise ValueError(f"prepare: validation must be 0 or at least {least}, got {self.validation}")
        if self.partners is not None and (self.partners < 1 or self.design != "inter_subject"):
            raise ValueError(f"prepare: partners, 1 or more, goes with design 'inter_subject', got {self.partners}")
        if not 0 <= self.difficulty <= 1.5:
            raise ValueError(f"prepare: difficulty must lie in [0, 1.5], got {self.difficulty}")
        self._check_lung()

    @property
    def subjects(self) -> int:
        """How many subjects are drawn, beside an atlas."""
        return self.training + self.validation + self.test

    @property
    def lung_options(self) -> list[str]:
        """The names of the options that are given and that only the lung has."""
        return [name for name in ("severity", "landmarks", "crop") if getattr(self, name) is not None]

    def landmarks_of(self, pair: int, default: int) -> int:
        """Return how many landmarks test pair number ``pair`` shall have."""
        return self.landmarks[pair] if isinstance(self.landmarks, tuple) else self.landmarks or default

    def _check_lung(self) -> None:
        if self.lung_options and self.anatomy != "lung":
            options = ", ".join(self.lung_options)
            raise ValueError(f"prepare: only the lung has the options {options}; anatomy is {self.anatomy!r}")
        if self.severity is not None and len(self.severity) != self.test:
            got = f"{self.test} in all, got {len(self.severity)}"
            raise ValueError(f"prepare: severity must give one distance a test pair, {got}")
        if not all(0 < mm < np.inf for mm in self.severity or ()):
            raise ValueError(f"prepare: severity must be positive distances in mm, got {list(self.severity or ())}")
        counts = self.landmarks if isinstance(self.landmarks, tuple) else (self.landmarks,) * self.test
        if len(counts) != self.test:
            got = f"{self.test} in all, got {len(counts)}"
            raise ValueError(f"prepare: landmarks must be one number, or one a test pair, {got}")
        if any(count is not None and count < 1 for count in counts):
            raise ValueError(f"prepare: landmarks must be at least 1, got {self.landmarks}")
        if self.crop and self.spacing:
            got = f"leave out spacing {list(self.spacing)}"
            raise ValueError(f"prepare: with crop each test pair has its own spacing; {got}")
