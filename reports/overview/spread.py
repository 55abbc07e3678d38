"""Which numbers of a run hold for its machine and its seeds alone, and by how much seeds move them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import pandas as pd

from benchmarks.metrics import METRICS
from benchmarks.ranking import Quote, primary, values
from datasets.case import Described
from reports.reading.run import Run
from reports.tables.numbers import quantity


@dataclass(frozen=True)
class Spread:
    """The lowest and the highest mean of a method on a data set among ``seeds`` seeds, over the same ``n`` pairs."""

    dataset: str
    method: str
    metric: str
    protocol: str
    region: str
    seeds: int
    n: int
    lowest: float
    highest: float


def spreads(run: Run) -> list[Spread]:
    """Return the spread of each method that several seeds were run of on a data set, by the metric that ranks there."""
    rows = []
    for dataset in run.datasets.values():
        if wanted := primary(run.rows_of(dataset.name), dataset):
            rows += _of_dataset(run, dataset, wanted)
    return rows


def spread_frame(rows: Sequence[Spread]) -> pd.DataFrame:
    """Return the rows as a frame to be written."""
    return pd.DataFrame([vars(row) for row in rows], columns=[each.name for each in fields(Spread)])


def movable(run: Run, rows: Sequence[Spread]) -> list[str]:
    """Return the sentences that say which numbers can move, where, and by how much; none where no network was run."""
    learned = [name for name in run.contestants if run.methods[name].kind == "learned"]
    trained = run.runs[run.runs.method.isin(learned)]
    if trained.empty:
        return []
    chips = sorted({str(row.cpu if row.device == "cpu" else row.gpu) for row in trained.itertuples()})
    threads = " and ".join(str(count) for count in sorted(set(map(int, trained.threads))))
    return [
        "The same command on the same machine gives the same numbers, but for seconds and memory.",
        "Numbers of networks (methods of the kind learned) depend on the kind of processor, on the number of "
        "threads and on the versions of the libraries too: each rounds sums in its own way, and training adds these "
        f"differences up. Here it was {', '.join(chips)}, threads: {threads}. The controls, and the metrics of a given "
        "displacement, do not depend on them; docs/determinism.md has measurements.",
        _widest(run, [each for each in rows if each.method in learned]),
    ]


def _of_dataset(run: Run, dataset: Described, wanted: Quote) -> Iterator[Spread]:
    found = values(run.rows_of(dataset.name), dataset.name, wanted)
    for method in run.contestants:
        table = found[found.method == method].pivot_table(index="pair", columns="seed", values="value").dropna()
        if table.shape[1] > 1 and len(table):
            means = table.mean()
            yield Spread(
                dataset=dataset.name,
                method=method,
                **vars(wanted),
                seeds=len(means),
                n=len(table),
                lowest=float(means.min()),
                highest=float(means.max()),
            )


def _widest(run: Run, rows: Sequence[Spread]) -> str:
    """Say by how much the first weights and the order of the pairs move a network's mean."""
    if not rows:
        return "Each network was run with one seed, so that this run cannot tell how far chance moves its numbers."
    told = []
    for metric in dict.fromkeys(row.metric for row in rows):
        row = max((row for row in rows if row.metric == metric), key=lambda each: each.highest - each.lowest)
        low, high = (quantity(metric, value) for value in (row.lowest, row.highest))
        unit = "" if METRICS[metric].unit == "1" else f" {METRICS[metric].unit}"
        told.append(
            f"{METRICS[metric].name} {low} to {high}{unit} ({run.label(row.method)} on {run.titles[row.dataset]}, "
            f"{row.seeds} seeds)"
        )
    return f"Another seed moves a network's mean too; the widest here: {'; '.join(told)}."
