"""What each method costs: size, work, seconds and memory, as the profile runs it and at its paper's size."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pandas as pd

from benchmarks.results import RUN_LEVEL
from reports.overview.tables import name_cell
from reports.overview.timing import how_to_time
from reports.reading.run import Run
from reports.reading.summary import Sizes
from reports.reading.timed import Calls, Sought
from reports.tables.numbers import quantity
from reports.tables.table import NOTHING, Head, Table, Text

NOT_MEASURED = Text("not measured", muted=True)
COLUMNS = ("Parameters", "GMAC", "CPU, 1 thread (s)", "CPU, all threads (s)", "Memory (MiB)")


def cost_table(run: Run) -> Table:
    """Return a row for each contestant: its costs on the first data set that was timed, and at its paper's size."""
    places = _places(run)
    heads = [Head("Method", number=False), *(Head(title, place) for place in places.values() for title in COLUMNS)]
    sizes = Sizes(run.metrics)
    rows = [
        [name_cell(run, method), *(cell for place in places for cell in _cells(run, sizes, method, place))]
        for method in run.contestants
    ]
    return Table("Cost of one registration.", heads, rows, list(_notes(run, places)))


def _places(run: Run) -> dict[str, str]:
    """Return the sizes that the table has columns for: that of the papers only where something of it is known."""
    here = next((name for name in run.datasets if _is_timed(run, name)), "")
    of_papers = {RUN_LEVEL: "at the paper's size"} if run.networks or _is_timed(run, RUN_LEVEL) else {}
    timed = {here: f"on {run.titles[here]}"} if here else {}
    first = next(iter(run.datasets), "")
    return {**of_papers, **timed} or {first: f"on {run.titles.get(first, first)}"}


def _notes(run: Run, places: Collection[str]) -> Iterator[str]:
    if RUN_LEVEL in places:
        yield f"The paper's size: full width, {_grids(run)}; weights and images do not matter."
    if run.timing is None or run.timing.empty:
        yield how_to_time(run)
        return
    yield "Seconds: median of warm calls, or the only call (1 call); contended: some calls had other work beside them."
    yield "Not known: it is not known of some calls whether they had."
    yield "Memory: the most that a call took beyond what the libraries take, with all threads."


def frame_of_costs(table: Table) -> pd.DataFrame:
    """Return the table of costs for machines, as texts."""
    names = [", ".join(filter(None, [head.title, head.detail])) for head in table.heads]
    return pd.DataFrame([[cell.text for cell in row] for row in table.rows], columns=names)


def _cells(run: Run, sizes: Sizes, method: str, dataset: str) -> Iterator[Text]:
    """Yield the cells of a method at one size; ``dataset`` is `RUN_LEVEL` for the paper's."""
    network = run.networks.get(method)
    if dataset == RUN_LEVEL:
        numbers = (network.parameters, network.macs) if network else (None, None)
    else:
        numbers = tuple(sizes.get(dataset, method, metric) for metric in ("parameters", "macs"))
    parameters, macs = numbers
    yield NOTHING if parameters is None else Text(f"{parameters:,.0f}".replace(",", "\u202f"))
    yield NOTHING if macs is None else Text(f"{macs / 1e9:.2f}")
    single = run.timed.find(Sought(method, "cpu", dataset, threads=1))
    most = run.timed.find(Sought(method, "cpu", dataset))
    yield _seconds(single)
    yield _seconds(most)
    known = isinstance(most, Calls) and most.memory == most.memory
    yield Text(f"{most.memory:.0f}") if known and isinstance(most, Calls) else NOT_MEASURED


def _seconds(calls: Calls | str) -> Text:
    if isinstance(calls, str):
        return NOT_MEASURED
    if not len(calls.seconds):
        return Text(f"failed ({calls.failed})", muted=True, outcome=True)
    text = quantity("seconds", calls.median) + " (1 call)" * calls.once
    return Text(f"{text}, contended" if calls.contended else f"{text}, not known" if calls.unknown else text)


def _is_timed(run: Run, dataset: str) -> bool:
    return run.timing is not None and bool((run.timing.dataset == dataset).any())


def _grids(run: Run) -> str:
    """Return the grids of the calls at the papers' size."""
    if run.timing is None:
        return "not timed"
    grids = run.timing[run.timing["size"] == "paper"].grid.unique()
    return f"{' and '.join(sorted(grids)).replace('x', ' x ')} voxels" if len(grids) else "not timed"
