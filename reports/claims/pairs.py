"""The rows of a claim over pairs: one number a pair and seed, of all methods of its contrast together.

Rows have ``dataset``, ``pair``, ``seed`` (NaN where nothing was drawn, as no method of the contrast is trained) and
``value``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from datasets.files import Array
from reports.claims.contents import Claim
from reports.claims.sources import Sources
from reports.reading import trainings

PLACE = ["dataset", "pair", "seed"]
BEFORE = "identity"  # the method whose number is the one before registration


def read(sources: Sources, claim: Claim) -> pd.DataFrame | str:
    """Return the rows of a claim, of the pairs and seeds that all its methods have, or why there are none."""
    rows = _snapshots(sources, claim) if claim.kind == "roughness" else _registrations(sources, claim)
    if isinstance(rows, str):
        return rows
    if claim.kind == "slope":
        rows = _slopes(sources, claim, rows)
        if rows.empty:
            return "a slope needs three pairs with different numbers before registration"
    return _alike(rows) if claim.average == "datasets" else rows


def _registrations(sources: Sources, claim: Claim) -> pd.DataFrame | str:
    parts = []
    for dataset in sources.names(claim):
        values = [sources.values(dataset, method, claim.measure) for method in claim.methods]
        for method, series in zip(claim.methods, values, strict=True):
            if series.empty:
                return f"no {claim.measure.metric} of {method} on {sources.run.titles[dataset]} is on record"
        total = _together(claim, values)
        if total.empty:
            return f"no pair and seed in common on {sources.run.titles[dataset]}"
        parts.append(total.reset_index().assign(dataset=dataset))
    rows = pd.concat(parts)
    return rows.reindex(columns=[*PLACE, "value"])


def _together(claim: Claim, values: Sequence[pd.Series]) -> pd.Series:
    """Return the contrast where all methods have a value; one of pairs alone counts in each seed of the others."""
    total = (values[0] * claim.weights[0]).rename("value")
    for series, weight in zip(values[1:], claim.weights[1:], strict=True):
        left, right = total.reset_index(), (series * weight).rename("other").reset_index()
        both = left.merge(right, on=[key for key in ("pair", "seed") if key in left and key in right])
        index = [key for key in ("pair", "seed") if key in both]
        total = both.assign(value=both.value + both.other).set_index(index).value
    return total


def _snapshots(sources: Sources, claim: Claim) -> pd.DataFrame | str:
    """Return how far each pair's error moves between snapshots of a training's second half, as a contrast."""
    own = trainings.choose(sources.run.trainings, claim.methods, sources.paper_run.own_data)
    moves = []
    for method in claim.methods:
        trained = [each for each in sources.run.trainings if (each.method, each.dataset) == (method, own)]
        found = {each.seed: _moves(each.rows("snapshots.jsonl"), sources.names(claim)) for each in trained}
        kept = {seed: steps for seed, steps in found.items() if len(steps)}
        if not kept:
            return f"no snapshots of {method} on these data sets"
        moves.append(pd.concat(kept, names=["seed"]) * claim.measure.factor)
    total = sum(series * weight for series, weight in zip(moves, claim.weights, strict=False))
    rows = pd.Series(total).dropna().rename("value").reset_index()
    return rows if len(rows) else "the methods have no snapshots of one pair and seed"


def _moves(rows: pd.DataFrame | None, names: Sequence[str]) -> pd.Series:
    """Return the mean absolute step of the error, by data set and pair, over the second half of the snapshots."""
    if rows is None or not {"iteration", "dataset", "pair", "mean"} <= set(rows):
        return pd.Series(dtype=float)
    rows = rows[rows.dataset.isin(list(names))].drop_duplicates(["iteration", "dataset", "pair"], keep="last")
    late = rows[rows.iteration > rows.iteration.max() / 2].sort_values("iteration")
    steps = {place: np.abs(np.diff(group["mean"])) for place, group in late.groupby(["dataset", "pair"])}
    found = {place: float(moved.mean()) for place, moved in steps.items() if len(moved)}
    return pd.Series(found, dtype=float).rename_axis(["dataset", "pair"]) if found else pd.Series(dtype=float)


def _slopes(sources: Sources, claim: Claim, rows: pd.DataFrame) -> pd.DataFrame:
    """Return jackknife values of the slope over pairs, seed by seed: their mean is the slope, but for its bias."""
    names = ["dataset", "pair"]
    before = pd.concat(
        {name: sources.values(name, BEFORE, claim.measure) for name in sources.names(claim)}, names=names
    )
    both = rows.join(before.rename("before"), on=names).dropna(subset="before")
    found = [
        group.assign(value=_jackknife(group.before.to_numpy(), group.value.to_numpy()))
        for _, group in both.groupby("seed", dropna=False)
        if len(group) > 2 and np.ptp(group.before) > 0
    ]
    return pd.concat(found) if found else both.iloc[:0]


def _jackknife(x: Array, y: Array) -> Array:
    n, whole = len(x), _slope(x, y)
    without = np.array([_slope(np.delete(x, place), np.delete(y, place)) for place in range(n)])
    return n * whole - (n - 1) * without


def _slope(x: Array, y: Array) -> float:
    deviation = x - x.mean()
    return float(deviation @ y / (deviation @ deviation))


def _alike(rows: pd.DataFrame) -> pd.DataFrame:
    """Return values with the mean of the data sets' means, and with the spread inside of each of them alone."""
    sets = rows.groupby("dataset").value
    means, sizes = sets.transform("mean"), sets.transform("size")
    share = len(rows) / (rows.dataset.nunique() * sizes)
    return rows.assign(value=float(sets.mean().mean()) + share * (rows.value - means))
