"""The table of speed ratios, from a pytest-benchmark file written by hand."""

import json

import pandas as pd
import pytest

from benchmarks import speed


def entry(group, who, median):
    return {"group": group, "stats": {"median": median}, "extra_info": {"who": who, "threads": 1, "device": "cpu"}}


def test_each_peer_is_compared_with_ours_of_its_group(tmp_path):
    entries = [
        entry("warp", "SimpleITK", 0.3),
        entry("warp", "ours", 0.2),
        entry("warp", "torch", 0.1),
        entry("dice", "ours", 0.5),
        entry("orphan", "torch", 1.0),
    ]
    path = tmp_path / "speed.json"
    path.write_text(json.dumps({"benchmarks": entries}))
    speed.main([str(path)])
    table = pd.read_csv(tmp_path / "speed.csv").set_index(["name", "peer"])
    assert list(pd.read_csv(tmp_path / "speed.csv").columns) == speed.COLUMNS
    assert table.loc[("warp", "SimpleITK"), "ratio"] == pytest.approx(1.5)
    assert table.loc[("warp", "torch"), "ratio"] == pytest.approx(0.5)
    assert len(table) == 3


def test_a_foreign_file_is_one_clear_line(tmp_path):
    path = tmp_path / "speed.json"
    path.write_text("{}")
    with pytest.raises(SystemExit, match=r"speed\.json: not a pytest-benchmark file"):
        speed.main([str(path)])
