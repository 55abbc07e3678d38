"""Compare the accuracy of a run with a baseline.

    python -m benchmarks.regression results/<profile>/metrics.parquet benchmarks/baselines/ci.csv [--update]

Per (dataset, method, metric, protocol) the mean of the metric's quoted region over pairs and seeds is compared with
the baseline's. Exit code 0: none is worse by more than its tolerance; 1: some are, or are measured on fewer pairs than
they were; 2: there is no baseline, or not for every number measured, or a file cannot be read. ``--update`` writes the
baseline anew and keeps its tolerances. Metrics without a tolerance (seconds, memory) are left out, because they differ
from machine to machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from benchmarks import results
from benchmarks.metrics import METRICS

KEY = ["dataset", "method", "metric", "protocol"]
COLUMNS = [*KEY, "value", "n", "tolerance"]


class BaselineError(ValueError):
    """A baseline that cannot be compared with."""


def summarise(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return mean and number of the values behind each (dataset, method, metric, protocol) of a table."""
    quoted = metrics["metric"].map({n: metric.region for n, metric in METRICS.items() if metric.tolerance is not None})
    chosen = metrics[(metrics["region"] == quoted) & (metrics["status"] == "ok")]
    return chosen.dropna(subset="value").groupby(KEY, as_index=False).agg(value=("value", "mean"), n=("value", "count"))


def compare(measured: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """Join two summaries; ``verdict`` is worse, missing, fewer pairs, better or same, the worst first.

    Raises `BaselineError` when a measured number has no row in the baseline.
    """
    joined = baseline.merge(measured, on=KEY, how="outer", suffixes=("_baseline", ""), indicator=True)
    new = joined[joined["_merge"] == "right_only"]
    if len(new):
        first = ", ".join(new.iloc[0][KEY])
        raise BaselineError(f"no row for {len(new)} measured numbers (first {first}); accept them with --update")
    joined["verdict"] = [_verdict(row) for row in joined.to_dict("records")]
    order = {"worse": 0, "missing": 1, "fewer pairs": 2, "better": 3, "same": 4}
    return joined.sort_values("verdict", key=lambda verdicts: verdicts.map(order), kind="stable", ignore_index=True)


def read_baseline(path: Path) -> pd.DataFrame:
    """Read a baseline; raise `BaselineError` when it is missing or lacks columns."""
    try:
        baseline = pd.read_csv(path, dtype=dict.fromkeys(KEY, str), keep_default_na=False)
        baseline = baseline[COLUMNS].astype({"value": float, "n": int, "tolerance": float})
    except FileNotFoundError as error:
        raise BaselineError("no such file; make it with --update") from error
    except (KeyError, ValueError) as error:
        raise BaselineError(f"expected the columns {', '.join(COLUMNS)} ({error})") from error
    if baseline.duplicated(KEY).any():
        raise BaselineError(f"{', '.join(baseline[baseline.duplicated(KEY)].iloc[0][KEY])} occurs twice")
    return baseline


def update(measured: pd.DataFrame, path: Path) -> None:
    """Write a summary as the baseline, with the tolerances of the rows that were there."""
    kept = read_baseline(path).set_index(KEY)["tolerance"] if path.exists() else pd.Series(dtype=float)
    defaults = measured["metric"].map({name: metric.tolerance for name, metric in METRICS.items()})
    tolerance = [kept.get(tuple(key), default) for key, default in zip(measured[KEY].values, defaults, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = measured.assign(tolerance=tolerance)[COLUMNS].sort_values(KEY)
    table.to_csv(path, index=False, float_format="%.8g", lineterminator="\n")


def markdown(comparison: pd.DataFrame) -> str:
    """Return the comparison as a Markdown table."""
    head = [*KEY, "baseline", "measured", "tolerance", "verdict"]
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(['---'] * 4 + ['---:'] * 3 + ['---'])}|"]
    for row in comparison.to_dict("records"):
        numbers = [f"{row[name]:.6g}" for name in ("value_baseline", "value", "tolerance")]
        lines.append(f"| {' | '.join([*(row[name] for name in KEY), *numbers, row['verdict']])} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.regression", description="Compare the accuracy of a run with a baseline."
    )
    parser.add_argument("metrics", type=Path, help="metrics.parquet of the run")
    parser.add_argument("baseline", type=Path, help="baseline CSV")
    parser.add_argument("--update", action="store_true", help="write the baseline anew, keeping its tolerances")
    options = parser.parse_args(arguments)
    try:
        measured = summarise(results.read(options.metrics, "metrics"))
        if options.update:
            update(measured, options.baseline)
            return 0
        comparison = compare(measured, read_baseline(options.baseline))
    except BaselineError as error:
        sys.stderr.write(f"regression: {options.baseline}: {error}\n")
        return 2
    except results.ResultsError as error:
        sys.stderr.write(f"regression: {error}\n")
        return 2
    (out or sys.stdout).write(markdown(comparison) + "\n")
    return int(comparison["verdict"].isin(["worse", "missing", "fewer pairs"]).any())


def _verdict(row: Mapping[Hashable, Any]) -> str:
    if np.isnan(row["value"]):
        return "missing"
    gain = row["value"] - row["value_baseline"]
    gain = gain if METRICS[str(row["metric"])].higher_is_better else -gain
    allowed = row["tolerance"] + 1e-7 * abs(row["value_baseline"])  # the file keeps eight digits
    if gain < -allowed:
        return "worse"
    if row["n"] < row["n_baseline"]:
        return "fewer pairs"
    return "better" if gain > allowed else "same"


if __name__ == "__main__":
    sys.exit(main())
