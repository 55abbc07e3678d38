"""Which numbers are quoted, and which pairs are shown of a method."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import ranking
from benchmarks.metrics import METRICS
from datasets.case import Pair


def rows_of(metric, values, *, protocol=None, pairs=None):
    """Return rows of one metric, a pair each."""
    about = METRICS[metric]
    row = {"dataset": "tiny", "method": "net", "seed": 0, "metric": metric, "region": about.region, "status": "ok"}
    row["protocol"] = protocol or next(iter(about.protocols))
    return [{**row, "pair": pair, "value": value} for pair, value in zip(pairs, values, strict=True)]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("dice", {"worst": "dark4", "median": "dark7", "best": "dark5"}),
        ("tre", {"worst": "dark3", "median": "dark1", "best": "dark6"}),
    ],
)
def test_worst_median_and_best_with_ties_by_name(make_dataset, metric, expected):
    data = make_dataset(dark=8, bright=0)
    pairs = [pair.name for pair in reversed(data.test_pairs)]
    frame = pd.DataFrame(rows_of(metric, [0.5, 0.2, 0.9, 0.2, 0.9, np.nan, 0.5, 0.7], pairs=pairs))
    ranked = ranking.ranked(frame, "tiny", "net", ranking.primary(frame, data))
    assert {each.rank: each.pair for each in ranked} == {rank: f"fixed__{case}" for rank, case in expected.items()}
    together = {pair.name for pair in data.test_pairs[: ranking.SIDE_BY_SIDE]}
    assert ranking.shown_pairs(frame, data, "net") == together | {each.pair for each in ranked}


def test_of_an_even_number_the_worse_middle_is_the_median():
    pairs = [f"a__b{i}" for i in range(4)]
    frame = pd.DataFrame(rows_of("dice", [0.7, 0.5, 0.9, 0.6], pairs=pairs))
    ranked = ranking.ranked(frame, "tiny", "net", ranking.quote(frame, "tiny", "dice"))
    assert [(each.rank, each.pair) for each in ranked] == [("worst", "a__b1"), ("median", "a__b3"), ("best", "a__b2")]
    assert [(each.seed, each.value) for each in ranked] == [(0, 0.5), (0, 0.6), (0, 0.9)]


def test_the_pairs_to_compare_are_those_that_share_most(make_dataset, monkeypatch):
    data = make_dataset(dark=2, bright=0)
    pairs = [Pair("a", "b"), Pair("c", "a"), Pair("c", "b"), Pair("c", "d"), Pair("b", "a")]
    data = replace(data, description=replace(data.description, test=tuple(pairs)))
    monkeypatch.setattr(ranking, "SIDE_BY_SIDE", 2)
    frame = pd.DataFrame(rows_of("dice", [0.5], protocol="nearest", pairs=["b__a"]))
    assert ranking.shown_pairs(frame, data, "net") == {"c__a", "c__b", "b__a"}


def test_nothing_to_rank_by_shows_everything(make_dataset):
    data = make_dataset(dark=8, bright=0)
    frame = pd.DataFrame(rows_of("folding_count", [1.0], pairs=["x"]))
    assert ranking.shown_pairs(frame, data, "net") == {pair.name for pair in data.test_pairs}
