"""folder: data of a user's own, as Learn2Reg lays them out, or any folder that one CSV describes.

A configuration file beside the data names the folder, and what is to be said of it (docs/own-data.md). Nothing is
written before every file was looked at, and everything that is wrong is named at once; ``python -m workflows.check``
does that alone.

Licence: that of the data, which ``licence`` tells the report. Source: ``folder``, or ``collection`` below
WARPBENCH_MIRROR or the cache for the sets of the catalogue, whose ``obtain`` says where they are to be had.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from datasets.case import Writer
from datasets.description import Description, Window
from datasets.download import hand_placed, put_into
from datasets.files import Array, DataError
from datasets.own.examine import Examined, check_options, examine, splits
from datasets.own.options import Params
from datasets.own.placing import Key, laid
from datasets.own.resampling import frame, intensities, nearest_on, read_on
from datasets.own.scans import Scan, array_of, read_labels, read_scan
from datasets.own.sources import read_listing, source_of
from datasets.own.splits import check_listed
from datasets.placement import Placement
from datasets.problem import Problem, UnfitError, WrongError
from datasets.progress import progress
from datasets.supply import Piece, Supply
from datasets.values import PERCENTILES

logger = logging.getLogger(__name__)
T = TypeVar("T")


def supply(params: Params) -> Supply:
    """Return whether the folder is there, and all that its table or JSON names; no scan is opened.

    Raises:
        DataError: a folder that the user names is not there.
        WrongError: its table or JSON has a fault.
    """
    if params.folder is not None or not params.collection:
        place = source_of(params)
        _check_listing(params)
        return Supply(params.licence or "as the folder says", (Piece(str(place), "you", place=place),))
    there = next((place for place in hand_placed(params.collection) if place.is_dir()), None)
    if there is not None:
        _check_listing(params)
    piece = Piece(params.collection, "its makers", place=there)
    return Supply(params.licence, (piece,), put_into(params.collection), (params.obtain,))


def _check_listing(params: Params) -> None:
    try:
        listing = read_listing(params)
    except DataError as error:
        raise WrongError(str(error)) from error
    check_options(listing, params)
    check_listed(listing)
    if listing.problems:
        raise UnfitError(listing.source, listing.problems)


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Look at everything, then write every scan on its grid, and the truth of every pair.

    Raises:
        UnfitError: something is wrong with the data; ``problems`` of the error names all of it.
    """
    found = examine(params)
    for note in found.listing.notes:
        logger.warning("%s", note)
    if found.problems:
        raise UnfitError(found.listing.source, found.problems)
    writer = Writer(folder)
    for key, case in progress(list(found.places.names.items()), "writing", unit="scan"):
        _write(writer, found, key, case, params)
    for row, (fixed, moving) in found.points.items():
        writer.landmarks(found.pair(row), fixed, moving)
    writer.finish(_describe(found, params, name))


def _write(writer: Writer, found: Examined, key: Key, case: str, params: Params) -> None:
    item, grid = found.listing.items[key[0]], found.places.grid(key)
    original = read_scan(item.image)
    labels = read_labels(item.labels, original, flat=True) if item.labels else None
    mask = read_labels(item.mask, original, flat=True) if item.mask else None
    scan = laid(original, found.places.scans[key[0]])
    try:
        image, _ = intensities(_values(scan, grid), params.window)
    except DataError as error:
        writer.problems.append(Problem(str(item.image), str(error)))
        return
    writer.image(case, image, grid.affine)
    if labels is not None:
        writer.labels(case, _nearest(scan, labels, grid), grid.affine)
    if mask is not None:
        writer.mask(case, _nearest(scan, mask, grid) > 0, grid.affine)


def _values(scan: Scan, grid: Placement) -> Array:
    if not scan.placement.difference(grid):  # exactly as it is
        return array_of(scan.image).astype(np.float32)
    return read_on(frame(grid), scan)


def _nearest(scan: Scan, labels: object, grid: Placement) -> Array:
    lying = Scan(scan.path, labels)
    lying.image.CopyInformation(scan.image)
    return array_of(lying.image) if not scan.placement.difference(grid) else nearest_on(frame(grid), lying.image)


def _describe(found: Examined, params: Params, name: str) -> Description:
    listing, about = found.listing, splits(found)
    modality = params.modality or listing.modality
    unit = "HU" if "CT" in modality.replace(",", " ").split() else "units"
    window = Window(unit, *params.window) if params.window else None
    tested = [found.places.grid(key) for row in listing.of("test") for key in found.places.keys(row)]
    tested = tested or list(found.places.grids.values())
    spacing = _same(tuple(round(size, 6) for size in each.spacing) for each in tested)
    return replace(
        about,
        name=name,
        module="folder",
        title=params.title or listing.title or name,
        phantom=params.phantom,
        anatomy=params.anatomy,
        modality=modality,
        licence=params.licence or listing.licence,
        source=f"{listing.source.parent.name}/{listing.source.name}",  # where that lies is nobody else's business
        parameters={key: value for key, value in asdict(params).items() if value is not None and key != "folder"},
        preprocessing=tuple(_steps(found, params, window)),
        intensity=window,
        shape=_same(each.shape for each in tested) or (),
        spacing=spacing,
        spacings={} if spacing else _spacings(found),
        orientation=_same(each.orientation for each in tested) or (),
        labels=dict(found.labels),
        notes=tuple(listing.notes),
        learn2reg=params.learn2reg,
        primary=params.primary,
    )


def _same(values: Iterable[T]) -> T | None:
    """Return the value that all have, None where they differ."""
    different = list(dict.fromkeys(values))
    return different[0] if len(different) == 1 else None


def _spacings(found: Examined) -> dict[str, tuple[float, ...]]:
    rows = found.usable(found.listing.of("test"))
    return {found.pair(row).name: found.places.grid(found.places.keys(row)[0]).spacing for row in rows}


def _steps(found: Examined, params: Params, window: Window | None) -> Iterable[str]:
    if found.places.options.rule == "array":
        yield "voxel on voxel: of the headers only directions and sizes of voxels count"
    else:
        yield "the moving image read on the grid of the fixed one, linearly (labels: nearest), at the same places in mm"
    if params.spacing or params.shape:
        size = f"{params.spacing:g} mm" if params.spacing else f"{params.shape} voxels"
        yield f"resampled to {size} over the same field of view"
    if found.unit:
        yield f"landmarks read as {found.unit}"
    low, high = PERCENTILES
    yield window.text if window else f"percentiles {low:g} and {high:g} of each image mapped to 0 and 1"
