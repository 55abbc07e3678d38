"""CREATIS lung 4DCT: the six patients with landmarks of "MedPhys11" (``creatis``) and the POPI model (``popi``).

Licence: research use, with acknowledgement of the Leon Berard Cancer Center and the CREATIS laboratory and a citation
(six patients: Vandemeulebroucke et al. 2011, doi:10.1118/1.3523619; POPI: Vandemeulebroucke et al. 2007). Files come
from www.creatis.insa-lyon.fr, described in github.com/open-vv/popi-model. For the six patients no checksums are
published: those found at the import are written to dataset.json, and ``checksums`` refuses any others. POPI's are known
by the SHA-512 of the SimpleITK notebooks, whose mirrors are asked too.

Landmarks are in mm, of the six patients in the world of the ``.mhd`` files, of POPI relative to its first voxel. Every
import compares their mean distance before registration with the published one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from datasets.archives import read_from_tar
from datasets.case import Pair, Writer
from datasets.chest_ct import pairs as chest_pairs
from datasets.chest_ct.lungs import Scan
from datasets.chest_ct.metaimage import parse_metaimage, read_metaimage
from datasets.chest_ct.pairs import Crop, Phase, distances
from datasets.description import Description, LungPair
from datasets.download import Remote, fetch_all, supply_of
from datasets.files import Array, DataError, parse_points
from datasets.grid import Grid
from datasets.originals import checksum_of
from datasets.supply import Extent, Supply

logger = logging.getLogger(__name__)

SITE = "https://www.creatis.insa-lyon.fr/~srit/POPI"
MIRRORS = (
    "https://s3.amazonaws.com/simpleitk/public/notebooks/SHA512/{checksum}",
    "https://data.kitware.com/api/v1/file/hashsum/sha512/{checksum}/download",
)
PROGRESSIVE, AUTHORS = "Eppenhof et al. 2020, Table II", "Vandemeulebroucke et al. 2011"


@dataclass(frozen=True)
class Patient:
    """Phases at end-inhale and end-exhale, number of landmarks, and mean distances (mm) that have been published."""

    inhale: str
    exhale: str
    landmarks: int
    published: Mapping[str, float]


@dataclass(frozen=True)
class Reading:
    """What the landmark files of a patient hold; the fields are those of `LungPair`."""

    phases: tuple[str, str]
    rows: tuple[int, int]
    published_mm: dict[str, float]
    reproduces: tuple[str, ...]
    note: str


# In the order of the progressive paper's rows. Its first row differs from the authors', who take phase 60 for `bl`
# where others take 50 for everyone; which of the two numbers comes out is written to dataset.json.
PATIENTS = {
    "bl": Patient("00", "60", 100, {PROGRESSIVE: 5.75, AUTHORS: 6.34}),
    "ng": Patient("00", "50", 100, {PROGRESSIVE: 13.98, AUTHORS: 14.00}),
    "dx": Patient("00", "50", 100, {PROGRESSIVE: 7.69, AUTHORS: 7.67}),
    "gt": Patient("00", "50", 100, {PROGRESSIVE: 7.34, AUTHORS: 7.33}),
    "mm2": Patient("00", "50", 107, {PROGRESSIVE: 7.13, AUTHORS: 7.09}),
    "bh": Patient("00", "50", 113, {PROGRESSIVE: 6.67, AUTHORS: 6.68}),
}
POPI = {"popi": Patient("10", "60", 41, {PROGRESSIVE: 6.29})}
POPI_FILES = {
    "Images/MetaImage/10-MetaImage.tar": "69644c7573a08c57ae4d57286e10e962c5e62472e1893f36bf3a2e8430ef4089"
    "fe4162375c3de73e00033114c5fa1653df49ffb3b38deaac8f1f3a8f6ff081b2",
    "Images/MetaImage/60-MetaImage.tar": "4e03e84a2cd80c7f24d0f224d66b3c3531690c5d95afc57fbe0ef8685aaa633a"
    "2c4c8ba304ce907d10d4c87b117acc46dd11503da27328e651726c5470347fb7",
    "Landmarks/10-Landmarks.pts": "d7fb0c5766a790c5df9c82ca4929fe09231f534b826b7e0032c088f69fc6a9cd"
    "3c146f7b69fd33d963cb6b64d53362bcfd03ccdb46361979b594129a5d635630",
    "Landmarks/60-Landmarks.pts": "317c9e163860aa474f54259226f3f2c362b5fbfcbe9379fbd4978a45658be397"
    "9bb8be7d81a85fc1b3497d3251731b31e69ef07ac98c0e80e41f644be9d64c4f",
}
# POPI's makers cut its slices of 512 x 512: 4 voxels of x and 19 of y before the first that they kept.
POPI_CUT, WHOLE_SLICE = (4, 19), (512, 512)
POPI_TAR, PHASE = 47_000_000, 90_000_000  # bytes of a phase, about
LICENCE = "research use; acknowledge the Leon Berard Cancer Center and CREATIS, cite their paper"
TITLES = {"creatis": "CREATIS 4DCT", "popi": "POPI model"}


@dataclass(frozen=True, kw_only=True)
class Params(Crop):
    """The options of the import; those of `Crop` say how pairs are prepared."""

    collection: Literal["creatis", "popi"] = "creatis"  # the six patients, or the POPI model
    bl_exhale: Literal[50, 60] = 60  # end-exhale phase of patient bl: 60 as its authors have it, 50 as in later uses
    tolerance_mm: float = 0.02  # how far the mean distance before registration may be from a published one
    checksums: Mapping[str, str] | None = None  # SHA-256 or SHA-512 by file name (bl/mhd/00.raw); others are refused


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Download and import one collection, in the order of the progressive paper's rows.

    Raises:
        DataError: a file cannot be had (the message says how to place it by hand), is damaged, or not the published
            one.
    """
    writer, files = Writer(folder), _Files(_remotes(params))
    pairs: dict[Pair, LungPair] = {}
    for tag, patient in tqdm(_patients(params).items(), desc=name, unit="pair", disable=None):
        inhale, exhale, reading = _read_pair(tag, patient, files, params.tolerance_mm)
        pair, found = chest_pairs.write_pair(writer, inhale, exhale, params, slices=_slices(tag, inhale.scan.grid))
        pairs[pair] = replace(found, **vars(reading))
    writer.finish(_describe(name, pairs, params, files.archives))


def supply(params: Params) -> Supply:
    """Return which files a collection is imported from, and which of them are there."""
    pairs = len(_patients(params))
    extent = Extent(2 * pairs, pairs, math.prod(params.shape))
    return supply_of(LICENCE, list(_remotes(params).values()), extent)


def _patients(params: Params) -> dict[str, Patient]:
    if params.collection == "popi":
        return POPI
    return {**PATIENTS, "bl": replace(PATIENTS["bl"], exhale=str(params.bl_exhale))}


def _remotes(params: Params) -> dict[str, Remote]:
    """Return the files of a collection by their names below its address, with a checksum where one is known."""
    named, below = dict[str, tuple[str, int]](), ""
    if params.collection == "popi":
        named = {file: (known, POPI_TAR if file.endswith(".tar") else 0) for file, known in POPI_FILES.items()}
    else:
        below = "MedPhys11/"
        for tag, patient in _patients(params).items():
            for phase in (patient.inhale, patient.exhale):
                named |= {f"{tag}/mhd/{phase}.mhd": ("", 0), f"{tag}/mhd/{phase}.raw": ("", PHASE)}
                named |= {f"{tag}/pts/{phase}.pts": ("", 0)}
    return {file: _remote(params, file, below, *about) for file, about in named.items()}


def _remote(params: Params, file: str, below: str, known: str, size: int) -> Remote:
    others = tuple(mirror.format(checksum=known) for mirror in MIRRORS) if known else ()
    wanted = (params.checksums or {}).get(file, known)
    return Remote(f"{params.collection}/{file}", f"{SITE}/{below}{file}", wanted, others, size)


class _Files:
    """The files of a collection, all fetched before the first is read, and their checksums."""

    def __init__(self, remotes: Mapping[str, Remote]) -> None:
        paths = fetch_all(list(remotes.values()))
        self.paths = dict(zip(remotes, paths, strict=True))
        self.archives = {file: checksum_of(path) for file, path in self.paths.items()}

    def get(self, file: str) -> Path:
        """Return a file by its name below the collection's address."""
        return self.paths[file]


def _read_pair(tag: str, patient: Patient, files: _Files, tolerance_mm: float) -> tuple[Phase, Phase, Reading]:
    """Read both phases of a patient, with as many landmarks as both have, and which published distance these give."""
    read = _read_popi if tag == "popi" else _read_patient
    (inhale, here), (exhale, there) = (read(tag, phase, files) for phase in (patient.inhale, patient.exhale))
    rows, count = (len(here), len(there)), min(len(here), len(there))
    note = ""
    if rows != (patient.landmarks, patient.landmarks):
        note = f"{tag}: {rows[0]} and {rows[1]} landmarks, published are {patient.landmarks}; {count} are used"
        logger.warning("%s", note)
    here, there = here[:count], there[:count]
    met = _check_distance(tag, patient, distances(here, there), tolerance_mm)
    phases = Phase(f"{tag}-{patient.inhale}", inhale, here), Phase(f"{tag}-{patient.exhale}", exhale, there)
    return *phases, Reading((patient.inhale, patient.exhale), rows, dict(patient.published), tuple(met), note)


def _read_patient(tag: str, phase: str, files: _Files) -> tuple[Scan, Array]:
    scan = read_metaimage(files.get(f"{tag}/mhd/{phase}.mhd"), files.get(f"{tag}/mhd/{phase}.raw"))
    return scan, _read_points(files.get(f"{tag}/pts/{phase}.pts"))


def _read_popi(_: str, phase: str, files: _Files) -> tuple[Scan, Array]:
    points = _read_points(files.get(f"Landmarks/{phase}-Landmarks.pts"))
    archive = files.get(f"Images/MetaImage/{phase}-MetaImage.tar")
    # Whatever the files are called: header and data do not always agree on that.
    header, data = (read_from_tar(archive, ending) for ending in (".mhd", ".raw"))
    scan = parse_metaimage(header, data, f"{archive}, .mhd", f"{archive}, .raw")
    return scan, points + scan.grid.origin  # POPI's landmarks count from the first voxel


def _read_points(path: Path) -> Array:
    """Read a ``.pts`` file: x, y and z in mm, ``(n, 3)``, one point a row."""
    return parse_points(path.read_text(encoding="utf-8", errors="replace"), str(path))


def _check_distance(tag: str, patient: Patient, distance: Array, tolerance_mm: float) -> list[str]:
    """Return the published distances that the landmarks reproduce; refuse them when it is none."""
    mean = float(distance.mean())
    met = [where for where, published in patient.published.items() if abs(mean - published) <= tolerance_mm]
    if not met:
        known = " or ".join(f"{published:.2f} mm ({where})" for where, published in patient.published.items())
        raise DataError(
            f"{tag}, phases {patient.inhale} and {patient.exhale}: landmarks are {mean:.3f} mm apart before "
            f"registration, published is {known}; delete the .pts files and run again, or check the phases "
            "(option `tolerance_mm` for another tolerance)"
        )
    logger.info("%s: %.2f +- %.2f mm before registration, as in %s", tag, mean, distance.std(), "; ".join(met))
    return met


def _slices(tag: str, grid: Grid) -> Grid | None:
    """Return the scanner's whole slices, as far as they are known."""
    if tag == "popi":
        cut = np.array([*POPI_CUT, 0]) * grid.spacing
        return Grid.from_origin((*WHOLE_SLICE, grid.shape[2]), grid.spacing, np.asarray(grid.origin) - cut)
    return grid if grid.shape[:2] == WHOLE_SLICE else None


def _describe(name: str, pairs: Mapping[Pair, LungPair], params: Params, archives: Mapping[str, str]) -> Description:
    shared = chest_pairs.describe(name, pairs, params)
    notes = [facts.note for facts in pairs.values() if facts.note]
    notes += [
        f"{pair.name}: {facts.before_mm:.2f} mm before registration, as in {', '.join(facts.reproduces)}"
        for pair, facts in pairs.items()
        if PROGRESSIVE not in facts.reproduces
    ]
    steps = ["field of view: the bore's disc in slices of 512 x 512 (POPI: before they were cut), else all"]
    if params.collection == "popi":
        steps.append("all 41 landmarks, as in the paper; POPI's makers leave out the last, an image artefact")
    return replace(
        shared,
        module="creatis",
        collection=params.collection,
        title=TITLES[params.collection],
        licence=LICENCE,
        source=f"{SITE}, described in github.com/open-vv/popi-model",
        preprocessing=(*shared.preprocessing, *steps, *notes),
        notes=tuple(notes),
        archives=dict(sorted(archives.items())),
    )
