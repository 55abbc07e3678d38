"""LIDC-IDRI: 1,010 chest CT scans, one a patient, whole slices resized to one grid; for training alone.

Licence: CC BY 3.0 (Armato et al. 2011, doi:10.1118/1.3528204; data doi:10.7937/K9/TCIA.2015.LO9QL9SX). Either unpack or
download the collection by hand into ``lidc`` below WARPBENCH_MIRROR or the cache (any depth, one folder a series), or
let the package ``idc-index`` (pip install idc-index) fetch it series by series from the NCI Imaging Data Commons: 128
GB in all, of which one series at a time is on the disk. Resized volumes are kept in the cache, so that an import that
was interrupted goes on where it was.

Eight patients have two CT series; the paper (Eppenhof et al., doi:10.1109/TMI.2019.2953788), whose 1,010 images are one
a patient, does not say which it took. Here it is the first by SeriesInstanceUID.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tqdm import tqdm

from datasets.case import Writer
from datasets.chest_ct.dicom import MODALITY, PATIENT, SERIES, DicomSeries, read_series, read_tags
from datasets.chest_ct.lungs import WINDOW, Scan, field_of_view
from datasets.description import Description, TrainingSplit
from datasets.download import RETRIES, cache_folder, hand_placed
from datasets.files import DataError, one_line, read_volume, replacing, sha256, write_volume
from datasets.found import DICOM, search
from datasets.grid import Grid
from datasets.originals import Stamp, note, stamp, unrecorded

logger = logging.getLogger(__name__)
FOLDER = "lidc"  # below the mirror and the cache
PATIENTS = 1010
RULE = 1  # raise it when resized volumes come out differently, so that old ones are not used


@dataclass(frozen=True)
class Params:
    """The options of the import."""

    # folder that has DICOM files at any depth; else lidc below the mirror or the cache; else they are downloaded
    source: str | None = None
    subjects: int | None = None  # how many patients, the first by name; left out, all 1,010
    exclude: tuple[str, ...] = ()  # patients to leave out, such as LIDC-IDRI-0078
    shape: tuple[int, int, int] = (128, 128, 128)  # voxels to the patient's left, posterior and superior


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Import one CT series a patient, in the order of the patients' names.

    Raises:
        DataError: too few patients, or a series that cannot be had or read; what was finished before stays.
    """
    left_out = set(params.exclude)
    offers = _offers(params.source)
    if unknown := sorted(left_out - {offer.patient for offer in offers}):
        raise DataError(f"{name}: exclude names {', '.join(unknown)}, of whom there is no series")
    offers = [offer for offer in offers if offer.patient not in left_out]
    wanted = (PATIENTS - len(left_out)) if params.subjects is None else params.subjects
    if len(offers) < max(wanted, 1):
        raise DataError(
            f"{name}: {len(offers)} patients found, {wanted} wanted; complete the DICOM files below "
            f"{cache_folder() / FOLDER}, or set `subjects: {len(offers)}` to train on these"
        )
    writer, store = Writer(folder), _Store(params.shape)
    known: dict[str, Resized] = {}
    for offer in tqdm(offers[:wanted], desc=name, unit="scan", disable=None):
        scan, known[offer.patient] = store.get(offer)
        writer.image(offer.patient, WINDOW.scale(scan.values), scan.grid.affine)
        writer.mask(offer.patient, field_of_view(scan.grid, scan.grid), scan.grid.affine)
    writer.finish(_describe(name, store.shape, known, sorted(left_out)))


@dataclass(frozen=True)
class Offer:
    """A series that can be had: from its files, or (no ``files``) from the internet, and how many files it has."""

    patient: str
    uid: str
    count: int
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Resized:
    """Facts about a resized volume in the cache, kept as JSON beside it."""

    patient: str
    series: str
    slices: int
    notes: tuple[str, ...]
    spacing: tuple[float, ...]
    sha256: str
    files: dict[str, Stamp] = field(default_factory=dict[str, Stamp])  # by name, where they were placed by hand


class _Store:
    """Resized volumes in the cache: each is made once, and what was made survives a broken import."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.folder = cache_folder() / FOLDER / f"volumes-{'x'.join(map(str, shape))}-{RULE}"

    def get(self, offer: Offer) -> tuple[Scan, Resized]:
        """Return the volume of a series in Hounsfield units, and what is known of it."""
        image, about = (self.folder / f"{offer.uid}{ending}" for ending in (".nii.gz", ".json"))
        facts = _kept(about)
        files = _stamps(offer, facts)
        if facts is None or not _is_made_from(files, facts) or not image.exists() or facts.sha256 != sha256(image):
            facts = self._make(offer, image)
        if not about.exists() or facts.files != files:
            facts = replace(facts, files=files)
            with replacing(about) as temporary:
                temporary.write_bytes(msgspec.json.encode(facts))
        with unrecorded():
            volume = read_volume(image)
        origin = volume.affine[:3, 3] * (-1, -1, 1)
        return Scan(volume.array, Grid.from_origin(self.shape, volume.spacing, origin)), facts

    def _make(self, offer: Offer, image: Path) -> Resized:
        series = _series(offer)
        scan, notes = read_series(series, self.shape)
        # Half a Hounsfield unit is far below the noise, and integers take half the space.
        write_volume(image, np.rint(scan.values).clip(-32768, 32767).astype(np.int16), scan.grid.affine)
        spacing = tuple(round(size, 6) for size in scan.grid.spacing)
        facts = Resized(offer.patient, offer.uid, len(series.files), tuple(notes), spacing, sha256(image))
        if not offer.files:
            shutil.rmtree(_downloads(offer.uid), ignore_errors=True)
        return facts


def _kept(about: Path) -> Resized | None:
    try:
        return msgspec.json.decode(about.read_bytes(), type=Resized) if about.exists() else None
    except ValueError:  # cut short: made again
        return None


def _stamps(offer: Offer, facts: Resized | None) -> dict[str, Stamp]:
    """Return the state of a series' files; of one from the internet, whose files are gone, what is kept."""
    known = facts.files if facts else {}
    files = {path.name: stamp(path, known.get(path.name)) for path in offer.files}
    for path in offer.files:
        note(path, files[path.name])
    return files or known


def _is_made_from(files: Mapping[str, Stamp], facts: Resized) -> bool:
    made, now = ({name: file.sha256 for name, file in each.items()} for each in (facts.files, files))
    return made == now


def _offers(source: str | None) -> list[Offer]:
    """Return one series a patient, by name: of the first folder that has any, else of the IDC's index."""
    for place in hand_placed(FOLDER, source):
        if found := _in_folder(place):
            return _one_a_patient(found)
    if source is not None:
        raise DataError(f"{source}: no CT series in DICOM files below it; correct the option `source`")
    return _one_a_patient(_in_index())


def _one_a_patient(offers: Sequence[Offer]) -> list[Offer]:
    first: dict[str, Offer] = {}
    for offer in sorted(offers, key=lambda offer: (offer.patient, offer.uid)):
        first.setdefault(offer.patient, offer)
    return list(first.values())


def _in_folder(place: Path) -> list[Offer]:
    """Return the CT series below a folder, by a file of each folder: other modalities have folders of their own."""
    offers: list[Offer] = []
    skipped: list[str] = []
    for files in _by_folder(place).values():
        tags = next(filter(None, map(_tags, files)), None)
        if tags is None:  # the collection has structured reports too, which hold no image
            skipped.append(str(files[0].parent))
            continue
        modality, patient, uid = tags
        if modality == "CT":
            offers.append(Offer(patient, uid, len(files), tuple(files)))
    if skipped:
        logger.info("%d folders hold no image that can be read, such as %s", len(skipped), ", ".join(skipped[:3]))
    return offers


def _tags(path: Path) -> tuple[str, ...] | None:
    """Return modality, patient and series of a file; None where it holds no image, or none that can be read."""
    note(path)
    try:
        return read_tags(path, MODALITY, PATIENT, SERIES)
    except DataError:
        return None


def _by_folder(place: Path) -> dict[Path, list[Path]]:
    files: dict[Path, list[Path]] = {}
    for path in search(place, DICOM):
        files.setdefault(path.parent, []).append(path)
    return files


def _in_index() -> list[Offer]:
    """Return the CT series that the Imaging Data Commons has; the list is kept, so that later runs need no index."""
    path = cache_folder() / FOLDER / "series.json"
    if not path.exists():
        index = _client().index
        chosen = index[(index.collection_id == "lidc_idri") & (index.Modality == "CT")]
        rows = zip(chosen.PatientID, chosen.SeriesInstanceUID, chosen.instanceCount, strict=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(sorted([patient, uid, int(count)] for patient, uid, count in rows)), encoding="utf-8"
        )
    return [Offer(patient, uid, count) for patient, uid, count in json.loads(path.read_text(encoding="utf-8"))]


@cache
def _client() -> Any:
    try:
        client: Any = import_module("idc_index").IDCClient  # heavy, and needed by this one data set
    except ImportError as error:
        raise DataError(
            f"LIDC-IDRI: no DICOM files below {cache_folder() / FOLDER}, and the package that downloads them is not "
            "there: pip install idc-index, or put the files there by hand (collection LIDC-IDRI of the Cancer Imaging "
            "Archive), or below the folder lidc of one that WARPBENCH_MIRROR names"
        ) from error
    return client()


def _series(offer: Offer) -> DicomSeries:
    return DicomSeries(offer.patient, offer.uid, offer.files or tuple(sorted(_download(offer).glob("*.dcm"))))


def _downloads(uid: str) -> Path:
    return cache_folder() / FOLDER / ".downloads" / uid


def _download(offer: Offer) -> Path:
    """Fetch one series, whole, from the Imaging Data Commons."""
    folder, reason, count, client = _downloads(offer.uid), "", 0, _client()
    for _ in range(1 + RETRIES):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            client.download_from_selection(
                downloadDir=str(folder), seriesInstanceUID=[offer.uid], dirTemplate=None, show_progress_bar=False
            )
        except Exception as error:  # the package lets through whatever its many parts raise
            reason = f"; {type(error).__name__}: {one_line(error)}"
        count = len(list(folder.glob("*.dcm")))
        if count == offer.count:
            return folder
        logger.warning("%s: %d of %d files came%s", offer.patient, count, offer.count, reason)
    raise DataError(
        f"{offer.patient}: {count} of {offer.count} files of series {offer.uid} came{reason}; run again to go on from "
        "here, what was finished stays"
    )


def _describe(name: str, shape: Sequence[int], facts: Mapping[str, Resized], left_out: Sequence[str]) -> Description:
    notes = [f"{patient}: {note}" for patient, known in facts.items() for note in known.notes]
    for oddity in notes:
        logger.warning("%s", oddity)
    if len(facts) != PATIENTS:
        notes.insert(0, f"{len(facts)} patients, the paper has {PATIENTS}")
    return Description(
        name=name,
        module="lidc",
        title="LIDC-IDRI",
        anatomy="lung",
        modality="CT",
        licence="CC BY 3.0; Armato et al. 2011, doi:10.1118/1.3528204",
        source="LIDC-IDRI, doi:10.7937/K9/TCIA.2015.LO9QL9SX",
        preprocessing=(
            f"whole slices, not cropped, resized linearly to {tuple(shape)} voxels; sample k of n reads k * N / n",
            "one CT series a patient, the first by SeriesInstanceUID; below -1024 HU set to -1024",
            "field of view: a disc of 250/512 of a slice's width about its centre",
            WINDOW.text,
        ),
        intensity=WINDOW,
        shape=tuple(shape),
        spacings={patient: known.spacing for patient, known in facts.items()},  # each scan has its own
        orientation=("L", "P", "S"),
        subjects={patient: patient for patient in facts},
        series={patient: known.series for patient, known in facts.items()},
        excluded=tuple(left_out),
        notes=tuple(notes),
        training=TrainingSplit(tuple(facts)),
        test=(),
    )
