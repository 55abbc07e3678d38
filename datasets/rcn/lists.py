"""What the preprocessed sets of recursive cascaded networks hold: files, scans, pairs, labels, terms.

Source: datasets/liver.json and datasets/brain.json of github.com/microsoft/Recursive-Cascaded-Networks; names of the
LPBA40 labels: Shattuck et al. 2008, doi:10.1016/j.neuroimage.2007.09.031.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

GRID = (128, 128, 128)
FOLDER = "rcn_hdf5"  # below the mirror and the cache
VOLUME = 128**3  # bytes of a scan or a segmentation, as far as can be told: no size is published


@dataclass(frozen=True)
class Archive:
    """An archive on Google Drive: what its link is called, its id there, and its name here: Drive's is not known."""

    title: str
    id: str
    file: str

    @property
    def url(self) -> str:
        """The page of the archive."""
        return f"https://drive.google.com/open?id={self.id}"


@dataclass(frozen=True)
class Part:
    """Scans of one origin: their file and the group inside it, the published names where a rule gives them, how many.

    ``whole``: the file holds nothing else, so that further groups are worth a word.
    """

    alias: str
    file: str
    count: int
    inside: str = ""
    scans: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class Collection:
    """One use of some parts. ``pairs`` is the number of test pairs that the paper has, 0 for training."""

    title: str
    anatomy: Literal["liver", "brain"]
    modality: str
    licence: str
    parts: tuple[Part, ...]
    rule: Literal["ordered", "twins", "atlas", "training"]
    pairs: int = 0
    atlas: str = ""
    labels: Mapping[int, str] = field(default_factory=dict[int, str])
    label_sets: Mapping[str, tuple[tuple[int, ...], ...]] = field(
        default_factory=dict[str, tuple[tuple[int, ...], ...]]
    )
    preprocessing: tuple[str, ...] = ()

    def subject(self, case: str) -> str:
        """Return whose scan a case is: a pig's two scans, before and after insufflation, share one subject."""
        return re.sub(r"-(pregas|aftergas)$", "", case)


_SIDED = {
    21: "superior frontal gyrus", 23: "middle frontal gyrus", 25: "inferior frontal gyrus", 27: "precentral gyrus",
    29: "middle orbitofrontal gyrus", 31: "lateral orbitofrontal gyrus", 33: "gyrus rectus", 41: "postcentral gyrus",
    43: "superior parietal gyrus", 45: "supramarginal gyrus", 47: "angular gyrus", 49: "precuneus",
    61: "superior occipital gyrus", 63: "middle occipital gyrus", 65: "inferior occipital gyrus", 67: "cuneus",
    81: "superior temporal gyrus", 83: "middle temporal gyrus", 85: "inferior temporal gyrus",
    87: "parahippocampal gyrus", 89: "lingual gyrus", 91: "fusiform gyrus", 101: "insular cortex",
    121: "cingulate gyrus", 161: "caudate", 163: "putamen", 165: "hippocampus",
}  # fmt: skip
LPBA_LABELS = {
    **{label + side: f"{('left', 'right')[side]} {name}" for label, name in _SIDED.items() for side in (0, 1)},
    181: "cerebellum",
    182: "brainstem",
}
# What is averaged over elsewhere: all; all but cerebellum and brainstem; seven merged regions (frontal, parietal,
# occipital and temporal lobe, cingulate gyrus, putamen, hippocampus), as Dual-PRNet has them, arXiv:1909.11966.
LPBA_SETS = {
    "lpba-56": tuple((label,) for label in LPBA_LABELS),
    "lpba-54": tuple((label,) for label in LPBA_LABELS if label < 181),
    "lpba-7": tuple(
        tuple(label for label in LPBA_LABELS if first <= label <= last)
        for first, last in ((21, 34), (41, 50), (61, 68), (81, 92), (121, 122), (163, 164), (165, 166))
    ),
}


def _numbers(first: int, last: int, *gaps: int) -> tuple[str, ...]:
    return tuple(str(n) for n in range(first, last + 1) if n not in gaps)


_PIGS = [
    *(f"2017_{n:02d}" for n in (2, 3, 4, 7, 8, 10, 11, 12, 13)),
    *(f"2018_{n:02d}" for n in (1, 8, 9, 11, 12, 13, 14, 15)),
]
_VESSEL_GAPS = (6, 152, 155, 226, 239, 249, 253, 257, 260, 283, 288, 295, 311, 405, 413, 449, 459)

# The released list leaves out SLIVER's scan 14; whether the file has it is for the import to find out.
_SLIVER = Part("sliver", "sliver_val.h5", 20, scans=_numbers(1, 20))
_LITS = Part("lits", "lits_val.h5", 131, scans=_numbers(0, 130))
_LSPIG = Part(
    "pigs", "lspig_val.h5", 34, scans=tuple(f"{pig}_{when}" for pig in _PIGS for when in ("aftergas", "pregas"))
)
_LPBA = Part("lpba", "lpba_val.h5", 40, scans=tuple(f"S{n:02d}" for n in range(1, 41)))
_LIVER_TRAINING = (
    Part("liver", "msd_dataset.h5", 70, "liver", _numbers(132, 201)),
    Part("hepaticvessel", "msd_dataset.h5", 443, "hepaticvessel", _numbers(1, 460, *_VESSEL_GAPS)),
    Part("pancreas", "msd_dataset.h5", 420, "pancreas", _numbers(1, 421, 11)),
    Part("youyi", "youyi_liver.h5", 92),
)
_BRAIN_TRAINING = (
    Part("lpba", "lpba_val.h5", 1, scans=("S01",), whole=False),
    Part("adni", "adni.h5", 66, scans=_numbers(1, 67, 6)),
    Part("abide", "abide.h5", 315),
    Part("abidef", "abidef.h5", 972),
    Part("adhd", "adhd.h5", 949),
)

_CROPPED = "as distributed: cropped around the liver, resampled to 128 x 128 x 128, the sides not in proportion"
_CT = (_CROPPED, "HU -25 to 265 mapped to 0 to 255, here divided by 255", "liver where the mask exceeds 128")
_MR = (
    "as distributed: skull removed, cropped, resampled to 128 x 128 x 128, the sides not in proportion",
    "intensities normalised to 0 to 255 in a way that is not stated, here divided by 255",
)
_UNSTATED = "none stated for the preprocessed file"

COLLECTIONS: Mapping[str, Collection] = {
    "sliver": Collection(
        "SLIVER", "liver", "CT", f"{_UNSTATED}; SLIVER07: research on liver segmentation, non-commercial, no copies",
        (_SLIVER,), "ordered", 380, labels={1: "liver"}, preprocessing=_CT,
    ),
    "lits": Collection(
        "LiTS", "liver", "CT", f"{_UNSTATED}; LiTS17: CC BY-NC-ND 4.0",
        (_LITS,), "ordered", 17030, labels={1: "liver"}, preprocessing=_CT,
    ),
    "lspig": Collection(
        "LSPIG", "liver", "CT", f"{_UNSTATED}; 17 pigs of a hospital, in no other release",
        (_LSPIG,), "twins", 34, labels={1: "liver"}, preprocessing=_CT,
    ),
    "lpba": Collection(
        "LPBA40", "brain", "T1 MR", f"{_UNSTATED}; LPBA40: LONI research licence",
        (_LPBA,), "atlas", 39, atlas="lpba-S01", labels=LPBA_LABELS, label_sets=LPBA_SETS, preprocessing=_MR,
    ),
    "liver-training": Collection(
        "Liver training (MSD, BFH)", "liver", "CT", f"{_UNSTATED}; MSD: CC BY-SA 4.0; BFH: of a hospital, unknown",
        _LIVER_TRAINING, "training", preprocessing=_CT[:2],
    ),
    "brain-training": Collection(
        "Brain training (ADNI, ABIDE, ADHD)", "brain", "T1 MR",
        f"{_UNSTATED}; ADNI: data use agreement; ABIDE, ADHD-200: INDI, non-commercial; LPBA40: LONI licence",
        _BRAIN_TRAINING, "training", atlas="lpba-S01", preprocessing=_MR,
    ),
}  # fmt: skip

_LIVER_TESTS = Archive('"SLIVER, LiTS, and LSPIG"', "1xQMmYk9S8En2k_uavytuHeeSmN253jKo", "liver-evaluation.zip")
_BRAIN_TESTS = Archive('"LPBA"', "19v5-qRF3KwA8Snf5ei-qtMv-nDYyXBzv", "brain-evaluation.zip")
_LIVER_SCANS = Archive('"MSD and BFH"', "17IiuM74HPj1fsWwkAfq-5Rc6r5vpxUJF", "liver-training.zip")
_BRAIN_SCANS = Archive('"ADNI, ABIDE, and ADHD"', "1rJtP9M1N3lSjNzJ5kIzRrrwPe1bWCfXB", "brain-training.zip")
DRIVE: Mapping[str, Archive] = {
    **dict.fromkeys(("sliver_val.h5", "lits_val.h5", "lspig_val.h5"), _LIVER_TESTS),
    "lpba_val.h5": _BRAIN_TESTS,
    **dict.fromkeys(("msd_dataset.h5", "youyi_liver.h5"), _LIVER_SCANS),
    **dict.fromkeys(("adni.h5", "abide.h5", "abidef.h5", "adhd.h5"), _BRAIN_SCANS),
}


def _volumes() -> Mapping[str, int]:
    """Return how many volumes each file holds: scans, and as many segmentations where there are any."""
    counts = dict.fromkeys(DRIVE, 0)
    for collection in COLLECTIONS.values():
        for part in collection.parts:
            if part.whole:
                counts[part.file] += part.count * (2 if collection.labels else 1)
    return counts


SIZES: Mapping[str, int] = {file: count * VOLUME for file, count in _volumes().items()}  # bytes of a file, about
