"""One pair by one method or by several: each one's files, and the table of all."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.metrics import METRICS
from datasets.case import Dataset
from datasets.files import Array, DataError, Volume, replacing
from datasets.own.resampling import intensities
from datasets.own.scans import Scan
from reports.drawing.pictures import write_picture
from reports.drawing.planes import planes
from reports.drawing.registration import draw_registration
from workflows.pair.about import About, Input, Number, Written
from workflows.pair.doubts import difference, scale_doubt, warning
from workflows.pair.fields import Field
from workflows.pair.grids import Grid, sizes, working_grid
from workflows.pair.judging import Truth, numbers
from workflows.pair.outputs import PICTURE, clear, described, made, of_others, working, write_about, write_results
from workflows.pair.registering import PAIR, Order, Outcome, prepare, run
from workflows.pair.remarks import headline, in_words, remarks
from workflows.pair.rule import Rule, doubt_of, origin_of, scale_of, seen_by
from workflows.pair.weights import warning_of

TABLE = "methods.csv"
SAME = "both images are the same: whatever moves one makes the pair worse"
logger = logging.getLogger(__name__)

UNDRAWN = re.compile("[^\u0000-\u052f]")  # letters that the font of a picture may lack
Scaled = tuple[Array, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Pair:
    """A user's pair: both images, what is known of it, and what is said of the grid that it is registered on."""

    fixed: Scan
    moving: Scan
    truth: Truth
    rule: Rule


@dataclass(frozen=True, eq=False)
class _Read:
    """A pair on a grid: both images in [0, 1], each with the two intensities that became 0 and 1."""

    pair: Pair
    rule: Rule
    grid: Grid
    images: tuple[Scaled, Scaled]


@dataclass(frozen=True, eq=False)
class _Ready:
    """A pair on a grid, as methods see it."""

    pair: Pair
    rule: Rule
    grid: Grid
    data: Dataset
    inputs: tuple[Input, Input]
    before: Field
    difference: str  # in what their modalities seem to differ
    doubts: Sequence[str]  # whatever the method

    @property
    def volumes(self) -> tuple[Volume, Volume]:
        return self.data.image(PAIR.fixed), self.data.image(PAIR.moving)

    def origin(self, order: Order) -> str:
        """Return whose grid it is, in words."""
        coarser = sorted(self.grid.shape) != sorted(self.pair.fixed.shape)
        return origin_of(self.rule, self.grid.as_scan.spacing, order.shrink, coarser=coarser)


def compare(pair: Pair, orders: Sequence[Order], out: Path, *, threads: int) -> str:
    """Run every method; return why the first one that failed did so, empty where all went well.

    Raises:
        DataError: an image has nothing to register; nothing is written then.
    """
    rules = [pair.rule.seen_by(each.seen, each.shrink or 1) for each in orders]
    read = {rule: _read(pair, rule) for rule in dict.fromkeys(rules)}
    with made(out), working(out) as work:
        ready = {rule: _prepared(each, work / f"data{i}") for i, (rule, each) in enumerate(read.items())}
        return _compared([(ready[rule], each) for rule, each in zip(rules, orders, strict=True)], out, work, threads)


def _compared(turns: Sequence[tuple[_Ready, Order]], out: Path, work: Path, threads: int) -> str:
    failed, rows = "", list[dict[str, object]]()
    folders = [out / each.by.method if len(turns) > 1 else out for _, each in turns]
    for (ready, each), folder in zip(turns, folders, strict=True):
        doubts = [*ready.doubts, warning(ready.difference, each.by.method, across=each.across)]
        doubts += [doubt_of(each.by.method, ready.rule, each.seen, each.shrink)] if each.shrink else []
        doubts += [warning_of(each.by.method, each.learned, phantom=each.phantom)]
        for doubt in (doubts := [doubt for doubt in doubts if doubt]):
            logger.warning("warning: %s", doubt)
        if each.told:
            logger.info("%s: %s", each.by.method, each.told)
        where = ready.origin(each)
        size = f"{' x '.join(map(str, ready.grid.shape))} voxels, {where}"
        logger.info("%s: registers %s; %s", each.by.method, size, f"{threads} thread{'s' * (threads > 1)}")
        try:
            outcome = run(each, ready.data, work / each.by.method, threads)
        except DataError as error:  # of its weights; the other methods go on
            failed = failed or f"{each.by.method}: {error}"
            rows.append({"method": each.by.method, "status": "failed"})
            clear(folder)
            continue
        found = _written(ready, outcome, folder, doubts)
        rows.append(_row(outcome, found))
        if outcome.status == "ok":
            logger.info("%s: %s, %s", each.by.method, _seconds(outcome), folder)
        else:
            logger.warning("%s: %s, %s", each.by.method, outcome.status, outcome.reason)
            failed = failed or f"{each.by.method}: {outcome.status}, {outcome.reason}"
    with replacing(out / TABLE) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
    if old := of_others(out, folders):
        logger.warning("warning: of an earlier call, and not in %s: %s", TABLE, ", ".join(old))
    return failed


def _read(pair: Pair, rule: Rule) -> _Read:
    grid = working_grid(pair.fixed, pair.moving, rule)
    images = _image(grid, rule, pair, moving=False), _image(grid, rule, pair, moving=True)
    return _Read(pair, rule, grid, images)


def _image(grid: Grid, rule: Rule, pair: Pair, *, moving: bool) -> Scaled:
    scan = pair.moving if moving else pair.fixed
    try:
        return intensities(grid.read(scan, moving=moving), rule.window, rule.levels)
    except DataError as error:
        unlike = sizes(pair.fixed, pair.moving)
        raise DataError(f"{scan.path}: {error}{f'; {unlike}' if unlike else ''}") from error


def _prepared(read: _Read, folder: Path) -> _Ready:
    pair, grid, ((fixed, low), (moving, high)) = read.pair, read.grid, read.images
    still = grid.back(np.zeros((3, *grid.shape), np.float32), pair.fixed)
    inputs = described(pair.fixed, low), described(pair.moving, high)
    unlike = sizes(pair.fixed, pair.moving)  # then one image shows but a part of the other, and says nothing of it
    differ = "" if unlike else difference((pair.fixed, pair.moving), (fixed, moving))
    same = SAME if np.array_equal(fixed, moving) else ""
    scales = [scale_doubt(scan, pair.rule.window) for scan in (pair.fixed, pair.moving)]
    doubts = [doubt for doubt in (unlike, same, *scales) if doubt]
    return _Ready(pair, read.rule, grid, prepare(folder, grid.affine, fixed, moving), inputs, still, differ, doubts)


def _written(ready: _Ready, outcome: Outcome, folder: Path, doubts: Sequence[str]) -> list[Number]:
    """Write what a method gave, and what was done; return the numbers."""
    files, found, pair, order = list[Written](), list[Number](), ready.pair, outcome.order
    remarked = list[str]()
    if (before := clear(folder)) not in ("", order.by.method):
        logger.warning("warning: %s had the results of %s, of an earlier call; they are replaced", folder, before)
    if outcome.displacement is not None:
        field = ready.grid.back(outcome.displacement, pair.fixed)
        files = write_results(folder, field, pair.fixed, pair.moving)
        found = numbers(field, ready.before, pair.fixed, pair.truth, offset=ready.grid.offset)
        remarked = remarks(order.by.method, found, pair.truth.labels)
        _draw(ready, outcome.displacement, folder / PICTURE, _title(order, pair))
        files.append(Written(name=PICTURE, what="two planes of the pair before and after, on the grid of the method"))
    spacing = ready.grid.as_scan.spacing
    about = About(
        fixed=ready.inputs[0],
        moving=ready.inputs[1],
        align=pair.rule.align,
        offset=ready.grid.offset,
        grid=ready.grid.shape,
        grid_spacing=spacing,
        grid_from=ready.origin(order),
        seen_spacing=seen_by(order.shrink, spacing),
        intensities=scale_of(ready.rule),
        method=order.by.method,
        weights=str(order.weights or ""),
        weights_sha256=outcome.run.checkpoint_sha,
        status=outcome.status,
        reason=outcome.reason,
        seconds=outcome.seconds,
        refine_seconds=outcome.refine_seconds,
        warnings=[*doubts, *remarked],
        run=outcome.run,
        numbers=found,
        files=files,
    )
    write_about(folder, about)
    _tell(found, remarked)
    return found


def _tell(found: Sequence[Number], warnings: Sequence[str]) -> None:
    for each in headline(found):
        before = "" if each.before is None else f" (before: {in_words(each.metric, each.before)})"
        logger.info("  %s: %s%s", METRICS[each.metric].name, in_words(each.metric, each.value), before)
    for each in warnings:
        logger.warning("warning: %s", each)


def _title(order: Order, pair: Pair) -> str:
    """Return what a picture shows; a refinement is part of what made it."""
    steps = (order.by.refine or {}).get("steps")
    refined = f", then {steps} steps of refinement" if steps else ""
    fixed, moving = (UNDRAWN.sub("?", scan.name) for scan in (pair.fixed, pair.moving))
    return f"{order.by.method}{refined}: {moving} on {fixed}"


def _draw(ready: _Ready, displacement: Array, path: Path, title: str) -> None:
    write_picture(draw_registration(planes(*ready.volumes, displacement), title), path)


def _seconds(outcome: Outcome) -> str:
    refined = outcome.refine_seconds
    return f"{outcome.seconds or 0:.1f} s" + ("" if refined is None else f", {refined:.1f} of them refining")


def _row(outcome: Outcome, found: Sequence[Number]) -> dict[str, object]:
    """Return a method's row of the table of all."""
    cells = {f"{each.metric} ({each.protocol})": each.value for each in headline(found)}
    seconds = {"seconds": outcome.seconds, "refine_seconds": outcome.refine_seconds}
    return {"method": outcome.order.by.method, "status": outcome.status, **seconds, **cells}
