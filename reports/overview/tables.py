"""The tables of the overview: accuracy of every method, all quoted metrics of a data set, Dice of each structure."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.metrics import METRICS
from benchmarks.ranking import Quote, primary
from datasets.case import Described
from reports.overview.rows import TIMED, Summary, find
from reports.reading.run import Run
from reports.reading.summary import Tally, parameters, still, tallies
from reports.tables.numbers import direction, quantity
from reports.tables.table import NOTHING, Head, Table, Text

CLOCKS = {True: "timing run, warm, all threads", False: "accuracy run, beside other work"}
PARTIAL = "† Mean over the pairs that did not fail; not compared with the others."


def accuracy_table(run: Run, rows: Sequence[Summary]) -> Table:
    """Return the accuracy of every method on every data set."""
    quotes = {name: primary(run.metrics, dataset) for name, dataset in run.datasets.items()}
    heads = [Head("Method", number=False), *(_data_head(run, name, quote) for name, quote in quotes.items())]
    here = {name: [row for row in rows if row.dataset == name] for name in quotes}
    lines = [
        [
            name_cell(run, method),
            *(quote_cell(find(here[name], method, wanted)) if wanted else NOTHING for name, wanted in quotes.items()),
        ]
        for method in run.ordered
    ]
    caption = "Accuracy of every method on every data set: mean ± SD over pairs. Best method in bold, controls apart."
    return Table(caption, heads, lines, (*_partial_note(rows), *run.unavailable_notes()))


def dataset_table(run: Run, rows: Sequence[Summary], dataset: Described) -> Table:
    """Return all quoted metrics of one data set, cost and failures: a row for each method."""
    here = [row for row in rows if row.dataset == dataset.name and row.metric != "parameters"]
    quotes, counts = list(dict.fromkeys(row.quote for row in here)), tallies(run.metrics, dataset.name)
    heads = [Head("Method", number=False), *map(quote_head, quotes)]
    heads += [Head("Pairs", "done"), Head("Failed", "pairs"), Head("Parameters", "of the network")]
    lines = [
        [
            name_cell(run, method),
            *(quote_cell(find(here, method, quote)) for quote in quotes),
            _done_cell(counts[method]),
            Text(str(counts[method].failed)),
            _size_cell(parameters(run.metrics, dataset.name, method)),
        ]
        for method in run.ordered
        if method in counts  # the profile need not run each method on each data set
    ]
    title = dataset.description.display_title
    caption = f"{title}: mean ± SD over pairs (time: median). Best method in bold, controls apart."
    return Table(
        caption, heads, lines, (*_partial_note(here), *run.unavailable_notes(dataset.name), *_still_notes(run, dataset))
    )


def label_table(run: Run, rows: Sequence[Summary], dataset: Described) -> Table | None:
    """Return the Dice of each structure (rows) by each method (columns), None where the data set has no labels."""
    here = [row for row in rows if row.dataset == dataset.name]
    if not here:
        return None
    shown = [method for method in run.ordered if any(row.method == method and row.n for row in here)]
    structures = {row.quote: row.label for row in here}
    lines = [
        [Text(label), *(quote_cell(find(here, method, quote)) for method in shown)]
        for quote, label in structures.items()
    ]
    heads = [Head("Structure", number=False), *(Head(name_cell(run, method).text) for method in shown)]
    title, protocol = dataset.description.display_title, here[0].protocol
    caption = f"{title}: Dice ↑ per structure ({protocol}), mean ± SD over pairs."
    return Table(caption, heads, lines, _partial_note(here))


def _still_notes(run: Run, dataset: Described) -> list[str]:
    """Say which methods have, on some pairs, exactly the numbers of no registration: they moved nothing there."""
    counts = still(run.metrics, dataset.name)
    return [
        f"{run.label(method)} left {counts[method]} of its pairs exactly as they were before registration."
        for method in run.contestants
        if counts.get(method)
    ]


def _data_head(run: Run, dataset: str, quote: Quote | None) -> Head:
    head = Head("", "") if quote is None else quote_head(quote)
    detail = "no accuracy measured" if quote is None else f"{head.title}, {head.detail}"
    return Head(run.datasets[dataset].description.display_title, detail)


def quote_head(quote: Quote) -> Head:
    """Return the head of a column: name, arrow, protocol and unit."""
    metric = METRICS[quote.metric]
    if quote.metric == "seconds":
        return Head(f"{metric.short} {direction(metric.higher_is_better)}", f"{CLOCKS[quote == TIMED]}, {metric.unit}")
    detail = quote.protocol if metric.unit == "1" else f"{quote.protocol}, {metric.unit}"
    return Head(f"{metric.short} {direction(metric.higher_is_better)}", detail)


def quote_cell(row: Summary | None) -> Text:
    """Return ``mean ± SD``, or the median alone as for seconds; a dagger where some of the method's pairs failed."""
    if row is None or not row.n:
        return Text("failed", muted=True) if row and row.failed else NOTHING
    text = quantity(row.metric, row.shown)
    if row.statistic == "mean" and row.n > 1:
        text += f" ± {quantity(row.metric, row.sd)}"
    return Text(text + (" †" if row.failed else ""), best=row.best)


def name_cell(run: Run, method: str) -> Text:
    """Return the first cell of a method's row."""
    label = run.label(method)
    return Text(f"Before registration ({label.lower()})" if method == "identity" else label)


def _done_cell(tally: Tally) -> Text:
    idle = tally.not_applicable and not tally.tried
    return Text("not applicable" if idle else str(tally.tried - tally.failed), muted=not tally.tried)


def _size_cell(size: int | None) -> Text:
    return NOTHING if size is None else Text(f"{size:,}".replace(",", "\u202f"))


def _partial_note(rows: Sequence[Summary]) -> tuple[str, ...]:
    return (PARTIAL,) if any(row.failed and row.n and row.metric != "parameters" for row in rows) else ()
