"""What the page says of numbers that another machine or another seed would change."""

import pandas as pd
import pytest

from reports.overview.spread import movable, spreads
from tests.reports.report_inputs import build, frame, make_run, row, rows_of, runs_frame, write_dataset


@pytest.fixture
def shells(tmp_path):
    return {"shells": write_dataset(tmp_path, "shells", phantom=True, n_pairs=2)}


def several(*means):
    """Rows of a network whose mean Dice with each seed is given, on pairs 0.1 to both sides of it."""
    rows = rows_of("shells", "identity", [0.4, 0.5]) + rows_of("shells", "syn", [0.7, 0.8])
    for seed, mean in enumerate(means):
        rows += [{**each, "seed": seed} for each in rows_of("shells", "net", [mean - 0.1, mean + 0.1])]
    return rows


@pytest.mark.fault(28)
def test_the_spread_over_seeds_is_reported(tmp_path, shells):
    report = build(tmp_path, frame(several(0.7, 0.8, 0.75)), shells)
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "Which numbers can move" in page
    assert "Dice 0.700 to 0.800 (Network &amp; co on Shells &lt;b&gt; phantom, 3 seeds)" in page
    table = pd.read_csv(report / "tables" / "seeds.csv")
    [found] = table.to_dict("records")
    assert (found["method"], found["metric"], found["seeds"], found["n"]) == ("net", "dice", 3, 2)
    assert (found["lowest"], found["highest"]) == pytest.approx((0.7, 0.8))


def test_seeds_are_compared_over_the_pairs_that_all_of_them_have(shells):
    rows = [each for each in several(0.7, 0.8) if not (each["seed"] == 1 and each["pair"] == "a__b0")]
    [spread] = spreads(make_run(frame(rows), shells))
    assert (spread.n, spread.lowest, spread.highest) == (1, pytest.approx(0.8), pytest.approx(0.9))


def test_one_seed_is_said_to_tell_nothing_of_chance(shells):
    run = make_run(frame(several(0.7)), shells, runs=runs_frame())
    assert spreads(run) == []
    assert "one seed, so that this run cannot tell" in movable(run, [])[-1]


def test_the_machine_that_networks_ran_on_is_named(shells):
    runs = runs_frame()
    runs.loc[runs.method == "net", "cpu"] = "A fast CPU"
    runs.loc[runs.method == "net", "threads"] = 3
    text = " ".join(movable(make_run(frame(several(0.7)), shells, runs=runs), []))
    assert "Numbers of networks (methods of the kind learned) depend on" in text
    assert "A fast CPU, threads: 3." in text
    assert "A CPU" not in text  # of the others


def test_a_run_without_networks_says_nothing_of_it(shells):
    runs = runs_frame()
    run = make_run(frame(rows_of("shells", "syn", [0.7])), shells, runs=runs[runs.method != "net"])
    assert movable(run, []) == []


def test_a_failed_seed_leaves_no_pair_in_common(shells):
    rows = [*several(0.7), row("shells", "a__b0", "net", "seconds", float("nan"), seed=1, status="failed", reason="x")]
    assert spreads(make_run(frame(rows), shells)) == []
