"""The accepted numbers of a profile: a CSV file with a value and a tolerance for each pair, method and metric.

Its first line is a comment with the name of the profile and how many numbers follow, so that the baseline of another
one, and half of one, are told from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from benchmarks.metrics import METRICS
from benchmarks.regression.findings import DIGITS, GROUP, KEY, BaselineError
from benchmarks.results import RUN_LEVEL
from datasets.files import replacing

COLUMNS = [*KEY, "value", "tolerance"]
EXACT = 1e-6  # what a control may differ by: nothing is learned or optimised, so that only rounding is left
SEEDS = 5  # fewer say too little of a spread
SPREADS = 4.0  # standard deviations over seeds that a number may differ by
_MARK = "# profile "


def numbers_of(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of a metrics table that the gate looks at: `KEY` and ``value``.

    These are the quoted region of each metric that has a tolerance (seconds and memory have none), and whatever is of
    a whole run, such as the size of a network. Failed registrations have no number.
    """
    looked_at = {name: metric.region for name, metric in METRICS.items() if metric.tolerance is not None}
    quoted = metrics["region"] == metrics["metric"].map(looked_at)
    chosen = metrics[(quoted | (metrics["pair"] == RUN_LEVEL)) & (metrics["status"] == "ok")]
    return chosen.dropna(subset="value")[[*KEY, "value"]].sort_values(KEY, ignore_index=True)


def with_tolerances(numbers: pd.DataFrame, controls: Collection[str], before: pd.DataFrame | None) -> pd.DataFrame:
    """Return numbers as a baseline: with the tolerances that their groups had ``before``, else those of the metrics.

    Sizes must be met exactly, ``controls`` but for rounding.
    """
    kept = {} if before is None else before.groupby(GROUP)["tolerance"].max().to_dict()
    tolerances = [
        _tolerance(pair, metric, EXACT if method in controls else kept.get((dataset, method, metric, protocol)))
        for dataset, method, pair, metric, protocol in zip(
            *(numbers[name] for name in ("dataset", "method", "pair", "metric", "protocol")), strict=True
        )
    ]
    return numbers.assign(tolerance=tolerances)[COLUMNS]


def with_spread(baseline: pd.DataFrame, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return a baseline whose tolerances are four standard deviations over seeds, where ``seeds`` has them.

    The variance over seeds is taken for each pair and averaged over the pairs of a group. A tolerance never
    shrinks: what no seed moves may still be rounded otherwise by another processor. Raises `BaselineError` for two to
    four seeds, and where no method of the baseline has more than one.
    """
    counts = seeds.groupby("method")["seed"].nunique()
    if not (counts[counts.index.isin(baseline["method"])] > 1).any():
        raise BaselineError(f"no method ran with more than one seed; a tolerance takes {SEEDS} or more: add to `seeds`")
    if len(few := counts[(counts > 1) & (counts < SEEDS)]):
        raise BaselineError(
            f"{few.index[0]} ran with {few.iloc[0]} seeds; a tolerance takes {SEEDS} or more: add to `seeds`"
        )
    drawn = seeds[seeds["method"].isin(counts[counts >= SEEDS].index) & (seeds["pair"] != RUN_LEVEL)]
    variances = drawn.groupby([*GROUP, "pair"])["value"].var(ddof=1)
    spread = (SPREADS * variances.groupby(GROUP).mean() ** 0.5).to_dict()
    tolerances = [
        max(tolerance, spread[group]) if group in spread and pair != RUN_LEVEL else tolerance
        for group, pair, tolerance in zip(
            baseline[GROUP].itertuples(index=False, name=None), baseline["pair"], baseline["tolerance"], strict=True
        )
    ]
    return baseline.assign(tolerance=tolerances)


def read(path: Path, profile: str) -> pd.DataFrame | None:
    """Return the baseline of a profile, None where the file is missing.

    Raises `BaselineError` where it is none, is of another profile, lacks numbers, has one twice, or one that is not
    finite.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            head = stream.readline().strip()
            frame = pd.read_csv(stream, dtype=dict.fromkeys(KEY, str), keep_default_na=False)
        frame = frame[COLUMNS].astype({"seed": int, "value": float, "tolerance": float})
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError) as error:
        raise BaselineError(f"{path}: no baseline, expected the columns {', '.join(COLUMNS)} ({error})") from error
    known = re.fullmatch(rf"{_MARK}(.*): (\d+) numbers", head)
    if known is None or known[1] != profile:
        whose = f"profile {known[1]}" if known else "no profile"
        raise BaselineError(f"{path}: is of {whose}, not of {profile}; delete it, or accept anew")
    if len(frame) != int(known[2]):
        raise BaselineError(
            f"{path}: has {len(frame)} numbers of the {known[2]} that were accepted; take it back whole"
        )
    for row in frame.to_dict("records"):
        if not (math.isfinite(row["value"]) and 0 <= row["tolerance"] < math.inf):
            where = ", ".join(str(row[name]) for name in KEY)
            odd = f"{row['value']} and the tolerance {row['tolerance']}"
            raise BaselineError(f"{path}: {where} has the value {odd}; expected finite numbers")
    if (twice := frame.duplicated(KEY)).any():
        raise BaselineError(f"{path}: {', '.join(map(str, frame.loc[twice, KEY].iloc[0]))} occurs twice")
    return frame


def write(path: Path, profile: str, baseline: pd.DataFrame) -> None:
    """Write the baseline of a profile, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        stream.write(f"{_MARK}{profile}: {len(baseline)} numbers\n")
        baseline[COLUMNS].sort_values(KEY).to_csv(stream, index=False, float_format=f"%.{DIGITS}g", lineterminator="\n")


def _tolerance(pair: str, metric: str, known: float | None) -> float:
    if pair == RUN_LEVEL:
        return 0.0
    return (METRICS[metric].tolerance or 0.0) if known is None else known
