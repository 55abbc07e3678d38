"""The page on speed says what the runs that are kept have measured."""

import re
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
KEY = ["name", "grid", "threads", "precision", "peer"]


def test_the_numbers_of_the_page_are_those_of_the_runs():
    kept = pd.read_csv(ROOT / "reports" / "measured" / "bench" / "medians.csv").set_index(KEY)
    text = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (.+?) \| ([0-9 x]+) \| (\d+) \| (\w+) \| (.+?) \| (.+?) \| (\d+) \| .* \|$", text, re.MULTILINE
    )
    assert len(rows) == kept.ratio.notna().sum()
    for name, grid, threads, precision, peer, ratios, runs in rows:
        found = kept.loc[(name, grid.replace(" ", ""), int(threads), precision, peer)]
        said = [float(number) for number in re.findall(r"[\d.]+", ratios)]
        for number, measured in zip(said, (found.ratio, found.ratio_low, found.ratio_high), strict=True):
            assert abs(number - measured) <= 0.005 * measured + 0.5 * (measured >= 100), (name, peer)
        assert int(runs) == found.runs
