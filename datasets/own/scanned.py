"""Every file of a listing read once: where its scans lie, which labels they hold, and what is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.files import Array, DataError
from datasets.own.listing import Item, Listing
from datasets.own.scans import Scan, array_of, read_labels, read_scan
from datasets.own.words import hardly_within, outside
from datasets.placement import Placement
from datasets.progress import progress


@dataclass(frozen=True, eq=False)
class Seen:
    """A scan that was read: how it lies, its intensities from least to most, and the labels that its map holds.

    ``digest`` is that of its voxels: two scans with one are the same, whatever their files are called.
    """

    place: Placement
    low: float
    high: float
    labels: frozenset[int] = frozenset()
    digest: str = ""


def look(listing: Listing, window: tuple[float, float] | None) -> dict[str, Seen]:
    """Read each scan with its labels and its mask; return those that can be used, and keep what is wrong elsewhere."""
    seen = dict[str, Seen]()
    for item in progress(list(listing.items.values()), "reading", unit="scan"):
        if not item.image.exists():  # the listing says so
            continue
        try:
            scan = read_scan(item.image)
        except DataError as error:
            _keep(listing, item.image, error)
            continue
        seen[item.case] = _seen(listing, item, scan)
        if window:
            _check_window(listing, item, seen[item.case], sitk.GetArrayViewFromImage(scan.image), window)
    return seen


def _seen(listing: Listing, item: Item, scan: Scan) -> Seen:
    values = sitk.GetArrayViewFromImage(scan.image)
    labels = _held(listing, item.labels, scan)
    if item.mask is not None and _held(listing, item.mask, scan) == frozenset({0}):
        listing.fault(str(item.mask), "the mask is empty; leave it out, or correct it")
    digest = hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()
    return Seen(scan.placement, float(values.min()), float(values.max()), labels - {0}, digest)


def _held(listing: Listing, path: Path | None, scan: Scan) -> frozenset[int]:
    """Return the values in a label map or a mask, none where it is not there or cannot be used."""
    if path is None:
        return frozenset()
    try:
        values = array_of(read_labels(path, scan, flat=True))
    except DataError as error:
        _keep(listing, path, error)
        return frozenset()
    return frozenset(np.flatnonzero(np.bincount(values.ravel())).tolist())


def _check_window(listing: Listing, item: Item, seen: Seen, values: Array, window: tuple[float, float]) -> None:
    """Keep a window without any intensity of a scan, and note one that hardly has any."""
    if seen.low >= window[1] or seen.high <= window[0]:
        listing.fault(str(item.image), outside(seen.low, seen.high, window))
    elif what := hardly_within(values, window):
        listing.notes.append(f"{item.image}: {what}")


def _keep(listing: Listing, path: Path, error: DataError) -> None:
    listing.fault(str(path), str(error).removeprefix(f"{path}: "))


def unlike(seen: dict[str, Seen], cases: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Yield two cases whose intensities are of another scale, and the words for it: another modality, or unit."""
    for fixed, moving in cases:
        spans = [seen[case].high - seen[case].low for case in (fixed, moving)]
        if max(spans) > 100 * min(spans):
            ranges = [f"{seen[case].low:g} to {seen[case].high:g}" for case in (fixed, moving)]
            yield fixed, moving, f"intensities from {ranges[0]} and from {ranges[1]}: another modality or unit?"
