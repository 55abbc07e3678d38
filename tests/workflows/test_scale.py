"""The measurement of growth runs the real steps, and each of them does its work for every pair."""

import pandas as pd

from benchmarks.records import PairRecord, read_lines
from workflows.planning.layout import Layout
from workflows.timed.scale import DATASET, METHOD, measure

PAIRS = 5


def test_every_step_is_measured_on_every_pair(tmp_path):
    costs = list(measure(PAIRS, tmp_path))
    assert [cost.step for cost in costs] == ["register", "judge", "collect", "export", "report"]
    assert all(cost.pairs == PAIRS and cost.cpu > 0 and cost.memory > 0 for cost in costs)
    layout = Layout(tmp_path)
    records = layout.chunk(DATASET, METHOD, 0, 0).records
    assert [record.status for record in read_lines(records, PairRecord)] == ["ok"] * PAIRS
    metrics = pd.read_parquet(layout.metrics)
    assert metrics[metrics.metric == "dice"].pair.nunique() == PAIRS
    assert list(layout.report.rglob("index.html"))
