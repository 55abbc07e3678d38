"""What each level of a growing network predicts of one synthetic pair, through training; below, results and truth.

Maps are of one component of the displacement, that to the patient's left, in voxels. A level whose weight is zero at an
iteration does not count then: it is drawn pale.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from datasets.files import Array
from reports.drawing.panels import Room, sheet, write
from reports.drawing.style import INK, PAPER, RULE, SOFT, style
from reports.paper.cast import PaperRun
from reports.reading.trainings import Training, find, others
from reports.tables.numbers import number

COLOURS = colormaps["RdBu_r"]
UNKNOWN = "#8a8a8a"  # no number
PALE = 0.3  # opacity of a level that does not count
SHOWN = 8  # iterations at most
DPI, WIDTH, GAP, LEFT, TOP, BOTTOM, APART = 150, 7.4, 0.05, 1.12, 0.72, 0.14, 0.12  # inches


@dataclass(frozen=True)
class Maps:
    """What a training left of one pair at each of k iterations; a network that does not grow has no ``levels``.

    ``result (k, rows, columns)``, ``truth (rows, columns)``, ``levels (k, L, rows, columns)``, ``alpha (k, L)``, all in
    voxels but the weights; ``ratio``: height over width of a voxel.
    """

    iteration: Array
    result: Array
    truth: Array
    ratio: float
    levels: Array | None
    alpha: Array | None

    def at(self, iteration: int) -> int | None:
        """Return where an iteration stands, None where nothing was kept of it."""
        places = np.flatnonzero(self.iteration == iteration)
        return int(places[0]) if len(places) else None


@dataclass(frozen=True)
class Panel:
    """A map ``(rows, columns)``, or why there is none; its weight where it is a level's."""

    values: Array | None
    weight: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Row:
    """Maps of a level, or results of a network, at several iterations."""

    title: str
    panels: Sequence[Panel]
    apart: bool = False  # whether a gap parts it from the row above


@dataclass(frozen=True)
class Options:
    """The options of an entry of this kind in a paper's YAML."""

    methods: tuple[str, ...]  # the first one grows; of the others results are shown at its iterations


def draw(paper_run: PaperRun, options: Options) -> tuple[Figure | None, str]:
    """Draw the figure; return it with what the run adds to its caption, or None and why nothing can be drawn."""
    method, *rest = options.methods
    training = find(paper_run.run.trainings, method, own=paper_run.own_data)
    maps, why = read_maps(training, method)
    if maps is None or isinstance(training, str):
        return None, why
    if maps.levels is None:
        return None, f"{method} left no maps of its levels"
    chosen = np.unique(np.linspace(0, len(maps.iteration) - 1, SHOWN).round().astype(int)).tolist()
    rows = [*_level_rows(training, maps, chosen), _result_row(paper_run.run.label(method), maps, chosen)]
    notes = [_about(training, maps, chosen)]
    for other in rest:
        row, note = _other_row(paper_run, other, maps, chosen, training)
        rows.append(row)
        notes.append(note)
    notes += others(paper_run.run.trainings, options.methods, training.dataset)
    top = _top(maps)
    heads = [f"{int(iteration):,}" for iteration in maps.iteration[chosen]]
    about = f"one synthetic pair, made from {paper_run.trained_on(training)}"
    return _draw(rows, heads, about, maps, top), " ".join(filter(None, [*notes, _legend(rows, top)]))


def read_maps(training: Training | str, method: str) -> tuple[Maps | None, str]:
    """Read what a training left in maps.npz, its iterations in order; or None and why there is nothing to show.

    Where there is no training its place is taken by the reason.
    """
    if isinstance(training, str):
        return None, training
    arrays = training.arrays("maps.npz")
    if arrays is None:
        reason = f": training {training.status}" if training.status != "ok" else ""
        return None, f"{method} left no maps{reason}"
    if lacking := [key for key in ("iteration", "result", "truth") if key not in arrays]:
        return None, f"the maps of {method} lack {', '.join(lacking)}"
    maps = _maps(arrays)
    if not _fits(maps):
        return None, f"the maps of {method} do not fit each other"
    return (maps, "") if len(maps.iteration) else (None, f"{method} left no maps")


def _maps(arrays: Mapping[str, Array]) -> Maps:
    iteration = np.atleast_1d(arrays["iteration"])
    order = np.argsort(iteration, kind="stable")
    kept = {
        key: arrays[key][order] if len(arrays[key]) == len(iteration) else arrays[key]
        for key in ("result", "levels", "alpha")
        if key in arrays
    }
    ratio = float(arrays.get("ratio", 1.0))
    levels, alpha = kept.get("levels"), kept.get("alpha")
    return Maps(iteration[order], kept["result"], arrays["truth"], ratio, levels, alpha)


def _fits(maps: Maps) -> bool:
    """Return whether shapes are as `Maps` says."""
    k = len(maps.iteration)
    shape = maps.truth.shape
    if len(shape) != 2 or maps.result.shape != (k, *shape) or not maps.ratio > 0:
        return False
    if maps.levels is None:
        return True
    return maps.alpha is not None and maps.alpha.ndim == 2 and maps.levels.shape == (*maps.alpha.shape, *shape)


def grid_name(shape: Sequence[float]) -> str:
    """Return a grid's size as text: 8³ for a cube."""
    sizes = [f"{n:g}" for n in shape]
    if len(sizes) == 3 and len(set(sizes)) == 1:
        return f"{sizes[0]}\N{SUPERSCRIPT THREE}"
    return " \N{MULTIPLICATION SIGN} ".join(sizes)


def _level_rows(training: Training, maps: Maps, chosen: Sequence[int]) -> list[Row]:
    """Return a row for each level, named by its grid, which is half of the next level's along every axis.

    The grid is that of the section where the training says no more.
    """
    if maps.levels is None or maps.alpha is None:
        return []
    shape, count = (training.about("synthetic.json") or {}).get("shape") or maps.truth.shape, maps.levels.shape[1]
    return [
        Row(
            grid_name([n / 2 ** (count - 1 - level) for n in shape]),
            [Panel(maps.levels[at, level], float(maps.alpha[at, level])) for at in chosen],
        )
        for level in range(count)
    ]


def _result_row(title: str, maps: Maps, chosen: Sequence[int]) -> Row:
    return Row(f"{title}: weighted sum", [Panel(maps.result[at]) for at in chosen], apart=True)


def _other_row(paper_run: PaperRun, method: str, maps: Maps, chosen: Sequence[int], first: Training) -> tuple[Row, str]:
    """Return the results of another network of the same seed and training data at the ``first`` one's iterations.

    Where there are none, the row is empty and the text says why.
    """
    training = find(paper_run.run.trainings, method, first.seed, own=first.dataset)
    other, why = read_maps(training, method)
    if isinstance(training, Training) and training.dataset != first.dataset:
        other, why = None, f"{method} was not trained on {first.dataset}"
    if other is not None and not _same_pair(maps, other):
        other, why = None, f"the maps of {method} are of another pair"
    if other is None:
        return Row(paper_run.run.label(method), [Panel(None, why="none") for _ in chosen]), f"Not shown: {why}."
    places = [other.at(int(maps.iteration[at])) for at in chosen]
    panels = [Panel(None, why="not kept") if place is None else Panel(other.result[place]) for place in places]
    return Row(paper_run.run.label(method), panels), ""


def _same_pair(maps: Maps, other: Maps) -> bool:
    return maps.truth.shape == other.truth.shape and np.allclose(maps.truth, other.truth, atol=1e-3, equal_nan=True)


def _top(maps: Maps) -> float:
    """Return the value at the end of the colour scale: the largest of the truth, or of the results where it is zero."""
    for values in (maps.truth, maps.result):
        found = np.abs(values[np.isfinite(values)])
        if found.size and found.max() > 0:
            return float(found.max())
    return 1.0


def colours(values: Array, top: float, *, pale: bool = False) -> Array:
    """Return colours ``(rows, columns, 3)`` of a map on the scale from -top to top; grey where it is no number."""
    finite = np.isfinite(values)
    shown = COLOURS(0.5 + 0.5 * np.where(finite, values, 0.0) / top)[..., :3]
    shown = np.where(finite[..., None], shown, to_rgb(UNKNOWN))
    return PALE * shown + (1 - PALE) * np.array(to_rgb(PAPER)) if pale else shown


def _draw(rows: Sequence[Row], heads: Sequence[str], about: str, maps: Maps, top: float) -> Figure:
    """Draw the rows, the truth and the scale on one pair of axes in inches."""
    count = len(heads)
    ratio = maps.ratio * maps.truth.shape[0] / maps.truth.shape[1]
    side = min(1.0, (WIDTH - LEFT) / count - GAP, 1.3 / ratio)
    high = side * ratio
    height = TOP + (len(rows) + 1) * (high + GAP) + 2 * APART + BOTTOM
    size = (max(LEFT + count * (side + GAP), 4.6), height)
    with style():
        figure, axes = sheet(*size, DPI)
        _heads(axes, heads, about, side, height)
        y = height - TOP
        for row in rows:
            y -= high + GAP + APART * row.apart
            _row(axes, row, y, (side, high), top)
        y -= high + GAP + APART
        _row(axes, Row("truth", [Panel(maps.truth)]), y, (side, high), top)
        start = LEFT + side + 0.35
        _scale(Room(axes, start, y + high / 2, min(2.3, size[0] - start - 0.2), 0.12), top)
    return figure


def _heads(axes: Axes, heads: Sequence[str], about: str, side: float, height: float) -> None:
    write(axes, 0.06, height - 0.16, "Displacement to the patient's left", fontsize=9, fontweight="bold")
    write(axes, 0.06, height - 0.34, about, fontsize=8, color=SOFT)
    write(axes, LEFT - 0.09, height - TOP + 0.06, "iteration", ha="right", fontsize=8)
    for place, head in enumerate(heads):
        write(axes, LEFT + place * (side + GAP) + side / 2, height - TOP + 0.06, head, ha="center", fontsize=8)


def _row(axes: Axes, row: Row, y: float, room: tuple[float, float], top: float) -> None:
    side, high = room
    title = textwrap.fill(row.title, 17)
    write(axes, LEFT - 0.09, y + high / 2, title, ha="right", fontsize=8 if len(row.title) < 17 else 7)
    for place, panel in enumerate(row.panels):
        _panel(Room(axes, LEFT + place * (side + GAP), y, side, high), panel, top)


def _panel(room: Room, panel: Panel, top: float) -> None:
    counts = panel.weight is None or panel.weight > 0
    if panel.values is None:
        room.explain(panel.why, 10)
    else:
        room.show(colours(panel.values, top, pale=not counts))
    room.frame(*((INK, 1.0) if panel.weight and counts else (RULE, 0.8)))
    if panel.weight is not None and 0 < panel.weight < 1:
        ground = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8}
        right = room.x + room.width - 0.05
        write(room.axes, right, room.y + 0.08, number(panel.weight, 2), ha="right", fontsize=6.5, bbox=ground)


def _scale(room: Room, top: float) -> None:
    """Draw the colour scale, beside the truth."""
    room.show(colours(np.linspace(-top, top, 255)[None], top))
    room.frame()
    for place, value in ((0, -top), (0.5, 0.0), (1, top)):
        write(room.axes, room.x + place * room.width, room.y - 0.1, number(value, 1), ha="center")
    write(room.axes, room.x + room.width / 2, room.y + 0.22, "voxels", ha="center")


def _about(training: Training, maps: Maps, chosen: Sequence[int]) -> str:
    """Return which network and which section these are."""
    parts = [f"Networks of seed {training.seed}. Middle coronal section, head on top, patient's right on the left."]
    if len(chosen) < len(maps.iteration):
        parts.append(f"{len(chosen)} of {len(maps.iteration)} kept iterations.")
    if training.status != "ok":
        parts.append(f"The training of {training.method} {training.status}.")
    return " ".join(parts)


def _legend(rows: Sequence[Row], top: float) -> str:
    """Return what frames, pale panels, colours at the ends and grey mean."""
    parts = ["Dark frame: the level counts at that iteration, with the weight written in it or with 1."]
    parts.append("Pale: its weight is 0 then. Below the levels: their weighted sum.")
    values = [panel.values for row in rows for panel in row.panels if panel.values is not None]
    finite = [array[np.isfinite(array)] for array in values]
    if any(array.size and np.abs(array).max() > 1.001 * top for array in finite):
        parts.append("The scale ends at the largest true value; values beyond have the colour of its end.")
    if any(array.size < whole.size for array, whole in zip(finite, values, strict=True)):
        parts.append("Grey: not a number.")
    return " ".join(parts)
