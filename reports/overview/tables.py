"""The overview, label and timing tables: result rows in, tidy frames and printable tables out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks.metrics import METRICS
from benchmarks.ranking import Quote, primary, quote
from datasets.case import Dataset
from reports.reading import summary
from reports.reading.summary import Datasets, Methods
from reports.tables.numbers import direction, quantity
from reports.tables.table import NOTHING, Cell, Head, Table

NO_CUDA = "not measured: no CUDA device"
PARTIAL = "† Mean over the pairs that did not fail; not compared with the others."


def overview_frame(metrics: pd.DataFrame, datasets: Datasets, methods: Methods) -> pd.DataFrame:
    """Every number of the overview, one a row, parameters included."""
    frames = []
    for dataset in datasets.values():
        columns = [name for name, metric in METRICS.items() if metric.column]
        quotes = [found for metric in columns if (found := quote(metrics, dataset.name, metric))]
        frames += [summary.summarise(metrics, dataset, methods, quotes), _parameter_rows(metrics, dataset, methods)]
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=summary.SUMMARY)


def overview_tables(frame: pd.DataFrame, metrics: pd.DataFrame, datasets: Datasets, methods: Methods) -> list[Table]:
    """First the accuracy of every method on every data set, then one table per data set with cost and failures."""
    tables = [_accuracy_table(frame, metrics, datasets, methods)]
    return tables + [dataset_table(frame, metrics, dataset, methods) for dataset in datasets.values()]


def dataset_table(frame: pd.DataFrame, metrics: pd.DataFrame, dataset: Dataset, methods: Methods) -> Table:
    """All quoted metrics of one data set: a row for each method."""
    here = frame[(frame.dataset == dataset.name) & (frame.metric != "parameters")]
    quotes = [Quote(*key) for key in here[["metric", "protocol", "region"]].drop_duplicates().itertuples(index=False)]
    heads = [Head("Method", number=False), *(quote_head(quote) for quote in quotes)]
    heads += [Head("Pairs", "done"), Head("Failed", "pairs"), Head("Parameters", "of the network")]
    rows = []
    for method in summary.ordered(methods):
        cells = [quote_cell(_find(here, method, quote)) for quote in quotes]
        tried, failed, idle = summary.counts(metrics, dataset.name, method)
        if not tried + idle:  # the profile does not run it here
            continue
        done = Cell("not applicable" if idle and not tried else str(tried - failed), muted=not tried)
        size = summary.parameters(metrics, dataset.name, method)
        rows.append([Cell(_name(methods, method)), *cells, done, Cell(str(failed)), _count(size)])
    title = dataset.description.display_title
    caption = f"{title}: mean ± SD over pairs (time: median). Best method in bold, controls apart."
    return Table(caption, heads, rows, _partial_note(here))


def quote_head(quote: Quote) -> Head:
    """Column head: name, arrow, protocol and unit."""
    metric = METRICS[quote.metric]
    detail = quote.protocol if metric.unit == "1" else f"{quote.protocol}, {metric.unit}"
    return Head(f"{metric.short} {direction(metric.higher_is_better)}", detail)


def quote_cell(row: pd.Series | None) -> Cell:
    """``mean ± SD``, or the median for seconds; a dagger where some of the method's pairs failed."""
    if row is None or not row["n"]:
        return Cell("failed", muted=True) if row is not None and row["failed"] else NOTHING
    text = quantity(row["metric"], summary.shown(row))
    if row["statistic"] == "mean" and row["n"] > 1:
        text += f" ± {quantity(row['metric'], row['sd'])}"
    return Cell(text + (" †" if row["failed"] else ""), best=bool(row["best"]))


def label_frame(metrics: pd.DataFrame, datasets: Datasets, methods: Methods) -> pd.DataFrame:
    """Dice per evaluated label, one a row; the column ``label`` holds the structure's name."""
    frames = []
    for dataset in datasets.values():
        named = summary.label_quotes(metrics, dataset)
        found = summary.summarise(metrics, dataset, methods, [quote for _, quote in named])
        names = {quote.region: name for name, quote in named}
        found.insert(found.columns.get_loc("region") + 1, "label", found.region.map(names))
        frames.append(found)
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=[*summary.SUMMARY, "label"])


def label_table(frame: pd.DataFrame, dataset: Dataset, methods: Methods) -> Table | None:
    """Dice of each structure (rows) by each method (columns), or None where the data set has no labels."""
    here = frame[frame.dataset == dataset.name]
    if here.empty:
        return None
    shown = [method for method in summary.ordered(methods) if (here[here.method == method].n > 0).any()]
    heads = [Head("Structure", number=False), *(Head(_name(methods, method)) for method in shown)]
    rows = []
    for region, group in here.groupby("region", sort=False):
        cells = [quote_cell(_find(group, method, Quote("dice", group.protocol.iloc[0], region))) for method in shown]
        rows.append([Cell(str(group.label.iloc[0])), *cells])
    protocol = here.protocol.iloc[0]
    title = f"{dataset.description.display_title}: Dice ↑ per structure ({protocol}), mean ± SD over pairs."
    return Table(title, heads, rows, _partial_note(here))


def timing_frame(timing: pd.DataFrame | None) -> pd.DataFrame:
    """Timing rows summed up per data set, method, device, threads and phase."""
    columns = ["dataset", "method", "device", "threads", "phase", "median", "q1", "q3", "minimum", "n", "failed"]
    if timing is None or timing.empty:
        return pd.DataFrame(columns=columns)
    rows = []
    for key, group in timing.groupby(columns[:5], dropna=False):
        good = group[group.status == "ok"].seconds.astype(float)
        spread = [*good.quantile([0.5, 0.25, 0.75]), good.min()]
        rows.append((*key, *spread, len(good), len(group) - len(good)))
    return pd.DataFrame(rows, columns=columns)


def timing_table(frame: pd.DataFrame, dataset: Dataset, methods: Methods) -> Table:
    """Warm median with quartiles and the first call, for each device and thread count; a column for CUDA always."""
    here = frame[frame.dataset == dataset.name]
    cpu = here[here.device == "cpu"]
    settings = [("cpu", threads) for threads in sorted(cpu.threads.unique())] or [("cpu", None)]
    gpu = here[here.device != "cpu"]
    settings += sorted({(str(row.device), row.threads) for row in gpu.itertuples()}) or [("cuda", None)]
    heads = [Head("Method", number=False)]
    for device, threads in settings:
        where = device.upper() if device != "cpu" or threads is None else f"CPU, {_threads(threads)}"
        heads += [Head(f"{where} ↓", "warm median (quartiles; n), s")]
        heads += [Head("First call ↓", "s")] if threads is not None else []
    rows = []
    for method in summary.ordered(methods):
        if methods[method].kind == "control":
            continue
        cells = [
            _timing_cell(here, method, setting, phase)
            for setting in settings
            for phase in (("warm",) if setting[1] is None else ("warm", "first"))
        ]
        rows.append([Cell(_name(methods, method)), *cells])
    return Table(f"{dataset.description.display_title}: seconds per registration, alone on the machine.", heads, rows)


def _timing_cell(here: pd.DataFrame, method: str, setting: tuple[str, Any], phase: str) -> Cell:
    device, threads = setting
    if threads is None:
        return Cell(NO_CUDA if device == "cuda" else "not measured", muted=True)
    chosen = here[(here.method == method) & (here.device == device) & (here.threads == threads)]
    rows = chosen[chosen.phase == phase]
    if rows.empty:
        return Cell("not measured", muted=True)
    row = rows.iloc[0]
    if not row.n:
        return Cell(f"failed ({row.failed})", muted=True)
    middle, low, high = (quantity("seconds", row[name]) for name in ("median", "q1", "q3"))
    return Cell(f"{middle} ({low} to {high}; {row.n})" if phase == "warm" else middle)


def _accuracy_table(frame: pd.DataFrame, metrics: pd.DataFrame, datasets: Datasets, methods: Methods) -> Table:
    heads, columns = [Head("Method", number=False)], []
    for dataset in datasets.values():
        quoted = primary(metrics, dataset)
        found = None if quoted is None else quote_head(quoted)
        detail = "no accuracy measured" if found is None else f"{found.title}, {found.detail}"
        heads.append(Head(dataset.description.display_title, detail))
        columns.append((dataset.name, quoted))
    rows = []
    for method in summary.ordered(methods):
        cells = [
            NOTHING if by is None else quote_cell(_find(frame[frame.dataset == name], method, by))
            for name, by in columns
        ]
        rows.append([Cell(_name(methods, method)), *cells])
    caption = "Accuracy of every method on every data set: mean ± SD over pairs. Best method in bold, controls apart."
    return Table(caption, heads, rows, _partial_note(frame))


def _parameter_rows(metrics: pd.DataFrame, dataset: Dataset, methods: Methods) -> pd.DataFrame:
    rows = []
    for method in summary.ordered(methods):
        size = summary.parameters(metrics, dataset.name, method)
        if size is not None:
            row = {"dataset": dataset.name, "phantom": dataset.description.phantom, "method": method}
            tried, failed, idle = summary.counts(metrics, dataset.name, method)
            rows.append({**row, "metric": "parameters", "protocol": "network", "region": "all", "unit": "1",
                         "higher_is_better": False, "statistic": "mean", "mean": float(size), "n": 1, "tried": tried,
                         "failed": failed, "not_applicable": idle, "best": False})  # fmt: skip
    return pd.DataFrame(rows, columns=summary.SUMMARY)


def _find(frame: pd.DataFrame, method: str, quote: Quote) -> pd.Series | None:
    rows = frame[(frame.method == method) & (frame.metric == quote.metric) & (frame.protocol == quote.protocol)]
    rows = rows[rows.region == quote.region]
    return rows.iloc[0] if len(rows) else None


def _partial_note(frame: pd.DataFrame) -> tuple[str, ...]:
    return (PARTIAL,) if ((frame.failed > 0) & (frame.n > 0) & (frame.metric != "parameters")).any() else ()


def _name(methods: Methods, method: str) -> str:
    label = methods[method].label
    return f"Before registration ({label.lower()})" if method == "identity" else label


def _count(size: int | None) -> Cell:
    return NOTHING if size is None else Cell(f"{size:,}".replace(",", "\u202f"))


def _threads(threads: Any) -> str:
    return f"{int(threads)} thread{'s' if int(threads) > 1 else ''}"
