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

import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
from tqdm import tqdm

from datasets.case import Writer
from datasets.chest_ct.dicom import MODALITY, PATIENT, SERIES, DicomSeries, read_series, read_tags
from datasets.chest_ct.idc import BY_HAND, FOLDER, LIST, Offer, can_fetch, download, downloads, in_index
from datasets.chest_ct.lungs import WINDOW, Scan, field_of_view
from datasets.description import Description, TrainingSplit
from datasets.download import cache_folder, hand_placed, put_into
from datasets.files import DataError, read_volume, replacing, sha256, write_volume
from datasets.found import DICOM, holds_files, search
from datasets.grid import Grid
from datasets.originals import Stamp, note, stamp, unrecorded
from datasets.supply import Extent, Piece, Supply

logger = logging.getLogger(__name__)
PATIENTS = 1010
LICENCE = "CC BY 3.0; Armato et al. 2011, doi:10.1118/1.3528204"
SERIES_BYTES = 126_000_000  # on average
RULE = 1  # raise it when resized volumes come out differently, so that old ones are not used


@dataclass(frozen=True)
class Params:
    """The options of the import."""

    # folder that has DICOM files at any depth; else lidc below the mirror or the cache; else they are downloaded
    source: str | None = None
    subjects: int | None = None  # how many patients, the first by name; left out, all 1,010
    exclude: tuple[str, ...] = ()  # patients to leave out, such as LIDC-IDRI-0078
    shape: tuple[int, int, int] = (128, 128, 128)  # voxels to the patient's left, posterior and superior


def supply(params: Params) -> Supply:
    """Return how many series are there, as files or resized before; names of folders count, no file is opened."""
    wanted = (PATIENTS - len(params.exclude)) if params.subjects is None else params.subjects
    store = _Store(params.shape).folder
    kept = min(len(list(store.glob("*.nii.gz"))), wanted)
    filled = next(filter(_holds_series, hand_placed(FOLDER, params.source)), None)
    name = f"{wanted} CT series" + (f", of which {kept} are resized already" if kept else "")
    source, left = "collection lidc_idri of the Imaging Data Commons", (wanted - kept) * SERIES_BYTES
    whole = kept == wanted and (cache_folder() / FOLDER / LIST).exists()
    piece = Piece(name, source, left, filled or (store if whole else None), can_fetch())
    return Supply(LICENCE, (piece,), put_into(FOLDER), (BY_HAND,), Extent(wanted, 0, math.prod(params.shape)))


def _holds_series(place: Path) -> bool:
    """Return whether there are files below a place, apart from what is kept here itself."""
    return holds_files(place, besides=lambda name: name == LIST or name.startswith(("volumes-", ".downloads")))


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
            f"{params.source or cache_folder() / FOLDER}, or set `subjects: {len(offers)}` to train on these"
        )
    writer, store = Writer(folder), _Store(params.shape)
    known: dict[str, Resized] = {}
    for offer in tqdm(offers[:wanted], desc=name, unit="scan", disable=None):
        scan, facts = store.get(offer)
        known[offer.patient] = replace(facts, files={})  # those of a thousand patients would take 100 MB
        writer.image(offer.patient, WINDOW.scale(scan.values), scan.grid.affine)
        writer.mask(offer.patient, field_of_view(scan.grid, scan.grid), scan.grid.affine)
    writer.finish(_describe(name, store.shape, known, sorted(left_out)))


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
            shutil.rmtree(downloads(offer.uid), ignore_errors=True)
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
    return _one_a_patient(in_index())


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


def _series(offer: Offer) -> DicomSeries:
    return DicomSeries(offer.patient, offer.uid, offer.files or tuple(sorted(download(offer).glob("*.dcm"))))


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
        licence=LICENCE,
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
