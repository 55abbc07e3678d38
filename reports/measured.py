"""What a run measured for a cell of a paper's table: the value in printed units, its interval, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.metrics import METRICS
from benchmarks.statistics import Statistic, bootstrap_interval
from datasets.case import Dataset, Pair
from reports import summary
from reports.overview import display_title
from reports.paper import Entry, PaperRun, find
from reports.summary import RUN_LEVEL, Quote

RESAMPLES = 1000
NAN = float("nan")


@dataclass(frozen=True)
class Measured:
    """A measured number in printed units, or the ``reason`` why there is none.

    ``full`` is the number of parameters at the paper's width where that is on record; ``narrow`` says that the network
    that was run has another width, ``failed`` how many registrations a mean leaves out. Seconds have their ``threads``
    and, where another method was timed in the row's place, ``timed_as``.
    """

    dataset: str
    stand_in: bool
    metric: str
    protocol: str
    statistic: str
    value: float = NAN
    low: float = NAN
    high: float = NAN
    n: int | None = None
    failed: int = 0
    narrow: bool = False
    full: int | None = None
    threads: int | None = None
    timed_as: str = ""
    notes: tuple[str, ...] = ()
    reason: str = ""


class Reader:
    """Reads the rows of a run for cells of a paper; each selection of rows is made once."""

    def __init__(self, run: PaperRun) -> None:
        self.run = run
        self._registrations = dict(list(summary.registrations(run.metrics).groupby(["dataset", "method"])))
        self._sizes = run.metrics[(run.metrics.pair == RUN_LEVEL) & (run.metrics.status == "ok")]
        self._series: dict[tuple[str, Quote], dict[str, pd.Series]] = {}

    def cell(self, table: Entry, row: Entry, column: Entry) -> Measured:
        """What was measured for one cell."""
        base = find(table["columns"], column["gain_of"]) if "gain_of" in column else column
        blank = self._blank(base, "mean difference" if "gain_of" in column else "mean")
        dataset = self.run.datasets.get(column["dataset"])
        methods = [row["method"]]
        if "gain_of" in column:
            methods.append(find(table["rows"], row["gain_over"])["method"])
        if dataset is None:
            title = self.run.paper.datasets[column["dataset"]]["title"]
            return replace(blank, reason=f"no data set plays {title} in this profile")
        if absent := [method for method in methods if method not in self.run.methods]:
            return replace(blank, reason=f"method {absent[0]} is not in this profile")
        if "device" in column:
            return self._seconds(blank, dataset, row, column)
        if column.get("metric") == "parameters":
            return self._size(blank, dataset, row["method"])
        return self._mean(blank, dataset, methods, base)

    def _blank(self, column: Entry, statistic: str) -> Measured:
        """A cell without a number yet."""
        dataset, metric = self.run.datasets.get(column["dataset"]), column["metric"]
        protocol = column.get("protocol") or {"seconds": "all threads", "parameters": "network"}.get(metric, "")
        statistic = {"seconds": "median", "parameters": "count"}.get(metric, statistic)
        stand_in = dataset is not None and self.run.is_stand_in(column["dataset"])
        return Measured(dataset.name if dataset else "", stand_in, metric, protocol, statistic)

    def _mean(self, blank: Measured, dataset: Dataset, methods: list[str], column: Entry) -> Measured:
        """Mean over pairs of one method, or of the paired differences between two."""
        region = column.get("region") or METRICS[blank.metric].headline
        quote = Quote(blank.metric, blank.protocol, region)
        series, notes, failed = [], [], 0
        for method in methods:
            found = self._per_pair(dataset, quote, method)
            if found is None:
                return replace(blank, reason=self._why_none(dataset, method, quote))
            lost, note = self._losses(dataset, method, len(found))
            failed, notes = failed + lost, notes + note
            series.append(found)
        values = series[0] if len(series) == 1 else (series[0] - series[1]).dropna()
        if values.empty:
            return replace(blank, reason=f"{methods[0]} and {methods[1]} have no pair in common")
        values = values * column.get("factor", 1)
        low, high = _interval(values, dataset, np.mean)
        if np.isnan(low):
            notes = [*notes, "no interval: too few subjects to resample"]
        narrow = any(self._narrow(dataset, method) for method in methods)
        return replace(
            blank, value=float(values.mean()), low=low, high=high, n=len(values), failed=failed, narrow=narrow,
            notes=tuple(notes),
        )  # fmt: skip

    def _seconds(self, blank: Measured, dataset: Dataset, row: Entry, column: Entry) -> Measured:
        """Median of the warm calls with the most threads, of the row's method or of the one that is timed for it."""
        timing, device = self.run.timing, column["device"]
        if timing is None or timing.empty:
            return replace(blank, reason="timing not run")
        timing = timing[timing.device.str.startswith(device)]
        if timing.empty:
            return replace(blank, reason="no CUDA device" if device == "cuda" else f"no timing on {device} in this run")
        timing = timing[timing.dataset == dataset.name]
        if timing.empty:
            return replace(blank, reason=f"timing not run on {display_title(dataset)}")
        method = row["method"]
        if "timed_as" in row and method not in set(timing.method):
            method = row["timed_as"]
        timing = timing[timing.method == method]
        if timing.empty:
            return replace(blank, reason=f"timing not run for {method}")
        warm = timing[(timing.threads == timing.threads.max()) & (timing.phase == "warm")]
        good = warm[warm.status == "ok"].seconds.astype(float)
        if good.empty:
            return replace(blank, reason=f"no timed call finished: {_first_reason(warm if len(warm) else timing)}")
        low, high = bootstrap_interval(good, np.median, RESAMPLES, np.random.default_rng(0))
        notes = []
        if len(good) < len(warm):
            notes.append(f"{len(warm) - len(good)} of {len(warm)} timed calls failed")
        if macs := self._number(dataset, method, "full_macs"):
            notes.append(f"{macs / 1e9:.1f} GMAC at the paper's width and grid")
        return replace(
            blank, value=float(good.median()), low=low, high=high, n=len(good), failed=len(warm) - len(good),
            narrow=self._narrow(dataset, method), threads=int(timing.threads.max()),
            timed_as=method if method != row["method"] else "", notes=tuple(notes),
        )  # fmt: skip

    def _size(self, blank: Measured, dataset: Dataset, method: str) -> Measured:
        """Parameters of the network that was run; what data set it ran on does not matter, its width does."""
        size, full = (self._number(dataset, method, metric) for metric in ("parameters", "full_parameters"))
        if size is None:
            if self.run.methods[method]["kind"] != "learned":
                return replace(blank, reason="no network", stand_in=False)
            return replace(blank, reason=self._why_none(dataset, method, Quote("parameters", blank.protocol, "all")))
        narrow = full is not None and full != size
        notes = () if full is not None else ("the size at the paper's width is not on record",)
        return replace(
            blank, value=size, full=None if full is None else int(full), narrow=narrow, stand_in=False, notes=notes
        )

    def _per_pair(self, dataset: Dataset, quote: Quote, method: str) -> pd.Series | None:
        key = (dataset.name, quote)
        if key not in self._series:
            self._series[key] = summary.per_pair(self.run.metrics, dataset.name, quote)
        return self._series[key].get(method)

    def _losses(self, dataset: Dataset, method: str, done: int) -> tuple[int, list[str]]:
        """How many registrations failed, and the note that says so; also pairs without a value that did not fail."""
        rows = self._registrations.get((dataset.name, method))
        if rows is None:
            return 0, []
        failed, idle = rows[~rows.status.isin(["ok", "not_applicable"])], (rows.status == "not_applicable").sum()
        notes = []
        if len(failed):
            notes.append(f"{len(failed)} of {len(rows) - idle} registrations of {method} failed and are left out")
        without = rows[rows.status == "ok"].pair.nunique() - done
        if without > 0:
            notes.append(f"registered pairs of {method} without a value: {without}")
        return len(failed), notes

    def _why_none(self, dataset: Dataset, method: str, quote: Quote) -> str:
        """Why a method that is in the profile has no value on a data set."""
        rows, title = self._registrations.get((dataset.name, method)), display_title(dataset)
        if rows is None:
            return f"{method} is not run on {title}"
        if (rows.status == "ok").any():
            protocol = f" ({quote.protocol})" if quote.protocol else ""
            return f"no {quote.metric}{protocol} of {method} on {title} is on record"
        return f"no registration of {method} on {title} finished: {_first_reason(rows)}"

    def _number(self, dataset: Dataset, method: str, metric: str) -> float | None:
        rows = self._sizes[(self._sizes.metric == metric) & (self._sizes.dataset == dataset.name)]
        rows = rows[rows.method == method].value
        return float(rows.iloc[0]) if len(rows) else None

    def _narrow(self, dataset: Dataset, method: str) -> bool:
        size, full = (self._number(dataset, method, metric) for metric in ("parameters", "full_parameters"))
        return size is not None and full is not None and size != full


def _interval(values: pd.Series, dataset: Dataset, statistic: Statistic) -> tuple[float, float]:
    """95 % bootstrap interval over pairs; subjects are resampled, for pairs that share one are not independent."""
    names: Mapping[str, Any] = dataset.about.get("subjects", {})
    pairs = [Pair.from_name(str(name)) for name in values.index]
    subjects = [[names.get(case, case) for case in (pair.fixed, pair.moving)] for pair in pairs]
    return bootstrap_interval(values, statistic, RESAMPLES, np.random.default_rng(0), subjects=subjects)


def _first_reason(rows: pd.DataFrame) -> str:
    failed = rows[rows.status != "ok"]
    reason = " ".join(str(failed.iloc[0].reason).split()) if len(failed) else ""
    return reason or "no reason recorded"
