"""LIDC-IDRI from the Imaging Data Commons, by the package idc-index: its list of series, and one series at a time."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from datasets.download import cache_folder, put_into
from datasets.files import DataError, one_line
from datasets.transfer import RETRIES

logger = logging.getLogger(__name__)
FOLDER = "lidc"  # below the mirror and the cache
LIST = "series.json"  # there, once it was asked for
BY_HAND = (
    "pip install idc-index, which lets a run fetch them, or download the collection LIDC-IDRI by hand from the Cancer "
    "Imaging Archive, any names at any depth, one folder a series"
)


def can_fetch() -> bool:
    """Return whether the package is there that fetches series."""
    return find_spec("idc_index") is not None


@dataclass(frozen=True)
class Offer:
    """A series that can be had: from its files, or (no ``files``) from the internet, and how many files it has."""

    patient: str
    uid: str
    count: int
    files: tuple[Path, ...] = ()


def in_index() -> list[Offer]:
    """Return the CT series that the Imaging Data Commons has; the list is kept, so that later runs need no index."""
    path = cache_folder() / FOLDER / LIST
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
            f"there: {BY_HAND}; put them into {put_into(FOLDER)}"
        ) from error
    return client()


def downloads(uid: str) -> Path:
    """Return the folder that a series is fetched into."""
    return cache_folder() / FOLDER / ".downloads" / uid


def download(offer: Offer) -> Path:
    """Fetch one series, whole, from the Imaging Data Commons."""
    folder, reason, count, client = downloads(offer.uid), "", 0, _client()
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
