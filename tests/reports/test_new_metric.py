"""A metric is added by one function and one entry: it is measured, gated, tabled and explained."""

import numpy as np
import pytest

from benchmarks.evidence import Evidence, Value
from benchmarks.metrics import METRICS, Metric, evaluate
from benchmarks.regression import baseline
from tests.reports.report_inputs import build, frame, row, write_dataset


def largest_values(evidence):
    lengths = np.linalg.norm(evidence.displacement * np.reshape(evidence.spacing, (3, 1, 1, 1)), axis=0)
    yield Value("grid", "all", float(lengths.max()))


@pytest.fixture
def largest(monkeypatch):
    """Add the largest displacement to the metrics, the way that a contributor would."""
    entry = Metric(
        name="Largest displacement",
        symbol="max u",
        meaning="Length of the longest displacement of all voxels.",
        unit="mm",
        needs="displacement",
        compute=largest_values,
        protocols={"grid": "all voxels of the fixed grid, wherever they go"},
        decimals=1,
        column=True,
        tolerance=0.25,
    )
    monkeypatch.setitem(METRICS, "largest", entry)


@pytest.mark.usefixtures("largest")
def test_one_function_and_one_entry_make_a_metric(tmp_path):
    dataset, rows = write_dataset(tmp_path, "d", phantom=False, n_pairs=1), []
    for method, size in (("syn", 3.14), ("net", 2.0)):
        u = np.zeros((3, 5, 7, 9), np.float32)
        u[2, 1, 2, 3] = size
        measured = [each for each in evaluate(Evidence(u, spacing=(1, 1, 2))) if each["metric"] == "largest"]
        assert [each["unit"] for each in measured] == ["mm"]
        rows += [row("d", "a__b0", method, **each) for each in measured]
        rows.append(row("d", "a__b0", method, "seconds", 1.0))
    accepted = baseline.with_tolerances(baseline.numbers_of(frame(rows)), controls=[], before=None)
    assert accepted.metric.tolist() == ["largest", "largest"]
    assert accepted.tolerance.tolist() == [0.25, 0.25]
    report = build(tmp_path, frame(rows), {"d": dataset})
    table = (report / "tables" / "overview.md").read_text(encoding="utf-8")
    assert "max u ↓<br>grid, mm" in table
    assert [f" {text} |" in table for text in ("6.3", "**4.0**")] == [True, True]
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "Largest displacement (max u)" in page
    assert "all voxels of the fixed grid, wherever they go" in page
