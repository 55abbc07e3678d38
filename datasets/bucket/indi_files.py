"""The public bucket ``fcp-indi``: which files of ABIDE and ADHD-200 it has, how they are called, where they lie here.

What FreeSurfer 5.1 made of ABIDE I is fetched file by file; the table of that preprocessing says of whom there is any.
Raw scans are fetched by the bucket's own client.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from datasets.download import Remote, hand_placed
from datasets.files import DataError, one_line
from datasets.found import search

FOLDER = "indi"  # below the mirror and the cache; a folder for each collection in it
BUCKET = "https://s3.amazonaws.com/fcp-indi/data/Projects"
FREESURFER = f"{BUCKET}/ABIDE_Initiative/Outputs/freesurfer/5.1"
_TABLE = "Phenotypic_V1_0b_preprocessed1.csv"
TABLE = Remote(f"{FOLDER}/abide1/{_TABLE}", f"{BUCKET}/ABIDE_Initiative/{_TABLE}", "")
VOLUMES = ("brain", "aseg")


@dataclass(frozen=True)
class Raw:
    """Raw scans of a collection: title, pattern of a file's path, the command that fetches all, their number."""

    title: str
    pattern: str
    command: str
    scans: int


RAW = {
    "abide2": Raw(
        "ABIDE II, raw T1",
        r"ABIDEII-(?P<site>[^/]+)/(?P<id>\d+)/session_1/anat_1/anat\.nii\.gz",
        "aws s3 sync --no-sign-request s3://fcp-indi/data/Projects/ABIDE2/RawData {folder} --exclude '*' --include "
        "'*/session_1/anat_1/anat.nii.gz'",
        1114,
    ),
    "adhd200": Raw(
        "ADHD-200, raw T1",
        r"(?P<site>[^/]+)/sub-(?P<id>\d+)/ses-1/anat/sub-\d+_ses-1_run-1_T1w\.nii\.gz",
        "aws s3 sync --no-sign-request s3://fcp-indi/data/Projects/ADHD200/RawDataBIDS {folder} --exclude '*' "
        "--include '*_ses-1_run-1_T1w.nii.gz'",
        973,
    ),
}


def chosen(names: Iterable[str], wanted: int) -> list[str]:
    """Return so many of some names, none where there are fewer: in the order of their SHA-256, which mixes sites."""
    ordered = sorted(names, key=lambda each: hashlib.sha256(each.encode()).hexdigest())
    return ordered[:wanted] if len(ordered) >= wanted else []


def listed(table: Path) -> list[str]:
    """Return the subjects of which FreeSurfer's output is there, by the table of ABIDE's preprocessing."""
    try:
        with open(table, newline="", encoding="utf-8", errors="replace") as stream:
            found = [row.get("FILE_ID") or "" for row in csv.DictReader(stream)]
    except csv.Error as error:
        raise DataError(f"{table}: not a readable table ({one_line(error)}); delete it and run again") from error
    names = [name for name in found if re.fullmatch(r"[A-Za-z0-9_]+", name) and name != "no_filename"]
    if not names:
        raise DataError(f"{table}: no column FILE_ID with names of subjects; delete it and run again")
    return list(dict.fromkeys(names))


def remotes(name: str) -> list[Remote]:
    """Return the two volumes of a subject in the bucket."""
    return [Remote(f"{FOLDER}/abide1/{name}/mri/{k}.mgz", f"{FREESURFER}/{name}/mri/{k}.mgz", "") for k in VOLUMES]


def freesurfer(source: str | None) -> dict[str, dict[str, Path]]:
    """Return the two volumes of each subject of which both are there; the first folder that has one gives it."""
    found = dict[str, dict[str, Path]]()
    for place in reversed(hand_placed(f"{FOLDER}/abide1", source)):
        for path in search(place, r"(brain|aseg)\.mgz"):
            if path.parent.name == "mri":
                found.setdefault(path.parent.parent.name, {})[path.name.partition(".")[0].lower()] = path
    return {name: files for name, files in found.items() if len(files) == len(VOLUMES)}


def raw_scans(collection: str, source: str | None) -> dict[str, Path]:
    """Return the raw scans of a collection by site and number, as the papers' files call them."""
    matches, found = re.compile(rf"(?:.*/)?{RAW[collection].pattern}").fullmatch, dict[str, Path]()
    for place in reversed(hand_placed(f"{FOLDER}/{collection}", source)):
        for path in search(place, r".*\.nii\.gz"):
            if match := matches(path.as_posix()):
                found[f"{match['site']}-{match['id']}"] = path
    return found
