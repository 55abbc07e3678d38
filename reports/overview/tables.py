"""The tables of the overview: accuracy of every method, all quoted metrics of a data set, Dice of each structure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from benchmarks.metrics import METRICS
from benchmarks.ranking import Quote, primary
from datasets.case import Described
from reports.overview.rows import TIMED, Summary, find
from reports.reading.run import NOT_MEASURED, Run, found_of
from reports.reading.summary import DRAWN, Tally, drawn, parameters, still, tallies
from reports.tables.numbers import direction, quantity
from reports.tables.table import NOTHING, Head, Table, Text

CLOCKS = {True: "timing run, warm, all threads", False: "accuracy run, beside other work"}
PARTIAL = "† Mean over the registrations that did not fail; not compared with the others."
BOLD = (
    "Bold: best over the pairs that all compared methods have, where better than before registration, no tie at zero; "
    "controls and methods with failed pairs are not compared."
)
INTERVAL = "±: half of the mean's 95 % interval over subjects and trainings; the SD over pairs is in the CSV file."
ONE_TRAINING = "Networks with one training: over subjects alone, another training may lie outside."


def accuracy_table(run: Run, rows: Sequence[Summary]) -> Table:
    """Return the accuracy of every method on every data set."""
    quotes = {name: primary(run.rows_of(dataset.name), dataset) for name, dataset in run.datasets.items()}
    absent = [each.dataset for each in run.lacking if any(name == each.dataset for name, _ in each.runs)]
    heads = [Head("Method", number=False), *(_data_head(run, rows, name, quote) for name, quote in quotes.items())]
    heads += [Head(name, "data missing") for name in absent]
    here = {name: [row for row in rows if row.dataset == name] for name in quotes}
    lines = [
        [
            name_cell(run, method),
            *(
                _lost_cell(run, name, method) or (quote_cell(find(here[name], method, wanted)) if wanted else NOTHING)
                for name, wanted in quotes.items()
            ),
            *(_lost_cell(run, name, method) or NOTHING for name in absent),
        ]
        for method in run.ordered
    ]
    caption = "Accuracy of every method on every data set: mean over pairs ± half of its 95 % interval. Best in bold."
    shown = [row for name, wanted in quotes.items() if wanted for row in here[name] if row.quote == wanted]
    lost = [*run.unavailable_notes(), *run.lacking_notes()]
    return Table(caption, heads, lines, (*_notes(run, shown, run.datasets.values()), *lost))


def dataset_table(run: Run, rows: Sequence[Summary], dataset: Described) -> Table:
    """Return all quoted metrics of one data set, cost and failures: a row for each method."""
    here = [row for row in rows if row.dataset == dataset.name and row.metric != "parameters"]
    quotes = list(dict.fromkeys(row.quote for row in here))
    counts = defaultdict(Tally, tallies(run.rows_of(dataset.name), dataset.name))
    heads = [Head("Method", number=False), *map(quote_head, quotes)]
    heads += [Head("Pairs", "done"), Head("Pairs", "failed"), Head("Parameters", "of the network")]
    lines = [
        [
            name_cell(run, method),
            *(quote_cell(find(here, method, quote)) for quote in quotes),
            _lost_cell(run, dataset.name, method) or _done_cell(counts[method]),
            Text(str(counts[method].failed)),
            _size_cell(parameters(run.rows_of(dataset.name), dataset.name, method)),
        ]
        for method in run.ordered
        # the profile need not run each method on each data set
        if method in counts or (dataset.name, method) in run.not_measured
    ]
    title = dataset.description.display_title
    caption = f"{title}: mean over {_extent(here)} ± half of its 95 % interval (time: median). Best in bold."
    notes = [*_notes(run, here, [dataset]), *run.unavailable_notes(dataset.name), *_still_notes(run, dataset)]
    notes += run.lacking_notes(dataset.name)
    notes += [note for method in run.ordered if method in counts for note in _given_notes(run, here, method)]
    return Table(caption, heads, lines, notes)


def _given_notes(run: Run, rows: Sequence[Summary], method: str) -> Iterator[str]:
    """Say what came with displacements made elsewhere, and where the truth speaks against how they are read."""
    about, mine = run.methods[method], [row for row in rows if row.method == method and row.n]
    if about.reported:
        yield f"{about.label}: {about.reported}, as reported with its displacements; not measured here."
    if read_as := found_of(run.runs, {row.dataset for row in mine}, method):
        yield f"{about.label}: its displacements were read as {read_as}."
    for row in [row for row in mine if METRICS[row.metric].judges_accuracy][:1] if about.kind == "given" else ():
        if (row.shown < row.before) if row.higher_is_better else (row.shown > row.before):
            yield (
                f"{about.label} is worse than before registration by {METRICS[row.metric].short}: "
                "its displacements may have been read by a convention that is not theirs."
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
    caption = f"{title}: Dice ↑ per structure ({protocol}), mean over {_extent(here)} ± half of its 95 % interval."
    return Table(caption, heads, lines, (*_notes(run, here, [dataset]),))


def _notes(run: Run, rows: Sequence[Summary], datasets: Collection[Described]) -> Iterator[str]:
    """Say by which rule numbers are bold, what an interval is over, and which numbers no registration made."""
    rows, datasets = [row for row in rows if row.quote != TIMED], list(datasets)
    yield BOLD
    for about in (dataset.description for dataset in datasets):
        if about.synthetic:
            yield f"{about.display_title}: {about.synthetic}."
    yield from dict.fromkeys(_common(run, row) for row in rows if 0 < row.compared < row.n)
    if any(row.failed and row.n for row in rows):
        yield PARTIAL
    if not all(math.isnan(row.half_width) for row in rows):
        yield INTERVAL
    if any(row.trainings == 1 for row in rows):
        yield ONE_TRAINING
    if any(map(drawn, datasets)) and "identity" in run.ordered and any(row.metric == "tre" for row in rows):
        yield DRAWN


def _common(run: Run, row: Summary) -> str:
    about = f"{METRICS[row.metric].short} on {run.titles[row.dataset]}"
    return f"{about}: compared over {row.compared} pairs, for not every method has all of them."


def _extent(rows: Sequence[Summary]) -> str:
    """Return over how many pairs of how many subjects numbers are."""
    n, subjects = max(((row.n, row.subjects) for row in rows if row.subjects), default=(0, 0))
    return "no pairs" if not n else f"{n} pair{'s' * (n != 1)} of {subjects} subject{'s' * (subjects != 1)}"


def _still_notes(run: Run, dataset: Described) -> list[str]:
    """Say which methods have, on some pairs, exactly the numbers of no registration: they moved nothing there."""
    counts = still(run.rows_of(dataset.name), dataset.name)
    return [
        f"{run.label(method)} left {counts[method]} of its pairs exactly as they were before registration."
        for method in run.contestants
        if counts.get(method)
    ]


def _data_head(run: Run, rows: Sequence[Summary], dataset: str, quote: Quote | None) -> Head:
    head = Head("", "") if quote is None else quote_head(quote)
    extent = _extent([row for row in rows if row.dataset == dataset and row.quote == quote])
    detail = "no accuracy measured" if quote is None else f"{head.title}, {head.detail}; {extent}"
    return Head(run.datasets[dataset].description.display_title, detail)


def quote_head(quote: Quote) -> Head:
    """Return the head of a column: name, arrow, protocol and unit."""
    metric = METRICS[quote.metric]
    if quote.metric == "seconds":
        return Head(f"{metric.short} {direction(metric.higher_is_better)}", f"{CLOCKS[quote == TIMED]}, {metric.unit}")
    detail = quote.protocol if metric.unit == "1" else f"{quote.protocol}, {metric.unit}"
    return Head(f"{metric.short} {direction(metric.higher_is_better)}", detail)


def quote_cell(row: Summary | None) -> Text:
    """Return the mean ± half of its interval, or the median alone as for seconds; a dagger where pairs failed."""
    if row is None or not row.n:
        return Text("failed", muted=True, outcome=True) if row and row.failed else NOTHING
    text = quantity(row.metric, row.shown)
    if row.statistic == "mean" and not math.isnan(row.half_width):
        text += f" ± {quantity(row.metric, row.half_width)}"
    return Text(text + (" †" if row.failed else ""), best=row.best)


def name_cell(run: Run, method: str) -> Text:
    """Return the first cell of a method's row."""
    label = run.label(method)
    return Text(f"Before registration ({label.lower()})" if method == "identity" else label)


def _done_cell(tally: Tally) -> Text:
    idle = tally.not_applicable and not tally.tried
    seeds = f" \N{MULTIPLICATION SIGN} {tally.seeds} seeds" if tally.seeds > 1 else ""
    return Text("not applicable" if idle else f"{tally.tried - tally.failed}{seeds}", muted=not tally.tried)


def _lost_cell(run: Run, dataset: str, method: str) -> Text | None:
    """Return what stands for the number of a run that lacked its data; None for another."""
    lost = (dataset, method) in run.not_measured
    return Text(NOT_MEASURED, muted=True, outcome=True) if lost else None


def _size_cell(size: int | None) -> Text:
    return NOTHING if size is None else Text(f"{size:,}".replace(",", "\u202f"))
