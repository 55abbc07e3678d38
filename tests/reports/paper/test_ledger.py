"""The ledger: each verdict with a case of its own, and numbers by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.statistics import generalisation
from reports.paper.contents import Cell, Column, Row
from reports.paper.ledger import COLUMNS, counts, judge, ledger_frame, ledger_table, shown
from reports.paper.printed import Printed
from reports.paper.verdicts.judging import VERDICTS
from reports.tables.numbers import MINUS
from tests.reports.paper.ledger_inputs import BOTH, TIMES, cell
from tests.reports.paper.paper_inputs import csv_frame, dice_rows, make_run, size_rows, timing, varied
from tests.reports.report_inputs import failed_row, row


def redescribed(paper_run, key, **changes):
    data = paper_run.datasets[key]
    return varied(paper_run, plays={key: replace(data, description=replace(data.description, **changes))})


def seeded(dataset, means, method="net", pairs=3):
    """A training a mean, every pair of it alike."""
    return [
        each | {"seed": seed} for seed, mean in enumerate(means) for each in dice_rows(dataset, method, [mean] * pairs)
    ]


def printed_as(row, column, printed, value):
    cells = csv_frame()
    cells.loc[(cells.row == row) & (cells.column == column), ["printed", "value"]] = printed, value
    return cells


def test_every_printed_cell_is_in_the_ledger_once(tmp_path):
    judged = judge(make_run(tmp_path, BOTH, plays={"one": "one"}))
    found = ledger_frame(judged)
    assert tuple(found.columns) == COLUMNS
    keys = ["table", "row", "column"]
    assert found[keys].values.tolist() == csv_frame()[keys].values.tolist()
    assert not found.duplicated(keys).any()
    assert set(found.verdict) <= set(VERDICTS)
    assert ((found.measured != "") | found.note.ne("")).all()
    assert sum(sum(each.verdicts.values()) for each in counts(judged)) == len(found)
    assert {each.kind for each in counts(judged)} == set(found.kind) == {"result", "size"}


def test_mean_gain_and_difference_by_hand(tmp_path):
    rows = dice_rows("one", "syn", [0.60, 0.70, 0.80]) + dice_rows("one", "net", [0.70, 0.76, None])
    paper_run = make_run(tmp_path, rows, plays={"one": "one"})
    plain, gain = cell(paper_run, "plain", "one_dice"), cell(paper_run, "taught", "one_dice_gain")
    assert plain.measured.value == pytest.approx(70.0)
    assert plain.measured.n == 3
    # pairs b0 and b1 have both: 10 and 6 points
    assert gain.measured.value == pytest.approx(8.0)
    assert gain.measured.n == 2
    assert gain.difference == pytest.approx(8.0 - 3.4)
    assert gain.measured.statistic == "mean difference"
    assert "1 of 3 registrations of net failed and are left out" in gain.note
    assert "failed" not in plain.note


def test_a_mean_without_the_pairs_that_failed_is_not_compared(tmp_path):
    rows = dice_rows("one", "syn", [0.70, 0.70, 0.70]) + dice_rows("one", "net", [0.912, 0.912, None])
    paper_run = make_run(tmp_path, rows, plays={"one": "one"})
    for column in ("one_dice", "one_dice_gain"):
        found = cell(paper_run, "taught", column)
        assert found.verdict == "incomplete"
        assert "1 of 3 registrations of net failed and are left out (first: out of luck)" in found.note
    assert cell(paper_run, "plain", "one_dice").verdict == "agrees"
    elsewhere = [{**each, "dataset": "shells"} for each in rows]
    stand_in = make_run(tmp_path / "2", elsewhere, plays={"one": "shells"})
    assert cell(stand_in, "taught", "one_dice").verdict == "reduced"


def test_a_gain_is_over_the_same_seeds(tmp_path):
    rows = [
        row("one", "a__b0", method, metric, value, seed=seed)
        for method, seed, dice in (("syn", 0, 0.5), ("net", 0, 0.6), ("net", 1, 0.9))
        for metric, value in (("seconds", 1.0), ("dice", dice))
    ]
    paper_run = make_run(tmp_path, rows, plays={"one": "one"})
    assert cell(paper_run, "taught", "one_dice").measured.value == pytest.approx(75)
    assert "of 1 draw: 0" in cell(paper_run, "taught", "one_dice_gain").note
    assert cell(paper_run, "taught", "one_dice_gain").measured.value == pytest.approx(10)


def test_a_number_is_the_mean_over_its_trainings_on_the_pairs_that_all_have(tmp_path):
    rows = [row("one", "a__b0", "net", "dice", v, seed=s) for s, v in ((0, 0.2), (1, 0.4))]
    rows += [row("one", "a__b1", "net", "dice", 0.5)]
    found = cell(make_run(tmp_path, rows, plays={"one": "one"}), "taught", "one_dice")
    measured = found.measured
    assert (measured.value, measured.n, measured.trainings) == (pytest.approx((20 + 40) / 2), 1, 2)
    assert "without 1 pair that not all trainings have" in found.notes


def test_trainings_without_a_pair_in_common_have_no_mean(tmp_path):
    rows = [row("one", f"a__b{s}", "net", "dice", 0.5, seed=s) for s in (0, 1)]
    measured = cell(make_run(tmp_path, rows, plays={"one": "one"}), "taught", "one_dice").measured
    assert measured.reason == "no pair that all trainings have"


def test_an_interval_is_over_trainings_on_the_papers_pairs_and_over_subjects_on_others(tmp_path):
    """Three trainings with means 90, 91 and 92, each pair alike: t of the means; elsewhere pairs vary, and seeds."""
    means = (0.90, 0.91, 0.92)
    own = make_run(tmp_path, seeded("one", means), plays={"one": "one"})
    found = cell(own, "taught", "one_dice")
    half = stats.t.ppf(0.975, 2) * np.std([90, 91, 92], ddof=1) / np.sqrt(3)
    assert (found.measured.interval, found.measured.trainings) == ("reproduction", 3)
    assert (found.measured.low, found.measured.high) == pytest.approx((91 - half, 91 + half))
    assert found.half_width == pytest.approx(half * stats.t.ppf(0.95, 2) / stats.t.ppf(0.975, 2))
    other = make_run(tmp_path / "other", seeded("shells", means), plays={"one": "shells"})
    found = cell(other, "taught", "one_dice")
    wanted = generalisation(found.measured.sample, level=0.95)
    assert found.measured.interval == "generalisation"
    assert (found.measured.low, found.measured.high) == pytest.approx((wanted.low, wanted.high))
    assert sorted(found.measured.sample.values) == pytest.approx(sorted([90, 91, 92] * 3))


def test_other_data_are_a_stand_in_even_where_the_number_agrees(tmp_path):
    rows = dice_rows("shells", "syn", [0.69, 0.70, 0.71])
    paper_run = make_run(tmp_path, rows, plays={"one": "shells"})
    found = cell(paper_run, "plain", "one_dice")
    assert (found.verdict, found.stand_in, found.measured.dataset) == ("reduced", True, "shells")
    assert "on Shells <b> phantom, which plays ONE" in found.note
    assert found.difference == pytest.approx(0.0)


def test_a_narrower_network_is_a_stand_in_but_has_its_papers_size(tmp_path):
    paper_run = make_run(tmp_path, BOTH + size_rows("one", "net", 40_000, 561_318), plays={"one": "one"})
    for column in ("one_dice", "one_dice_gain"):
        assert cell(paper_run, "taught", column).verdict == "reduced"
        assert "net narrower than the paper's" in cell(paper_run, "taught", column).note
    assert not cell(paper_run, "plain", "one_dice").stand_in
    size = cell(paper_run, "taught", "params")
    assert (size.verdict, size.measured.value, size.stand_in) == ("agrees", 561_318, False)
    assert size.note == "561,318 rounds to the printed 0.56M; 40,000 in the network that was run"


@pytest.mark.parametrize(("size", "verdict", "words"), [
    (561_318, "agrees", "561,318 rounds to the printed 0.56M"),
    (569_999, "agrees", "569,999 is cut, though not rounded, to the printed 0.56M"),
    (555_001, "agrees", "555,001 rounds to the printed 0.56M"),
    (554_999, "differs", "554,999 does not give the printed 0.56M"),
    (570_000, "differs", "570,000 does not give the printed 0.56M"),
])  # fmt: skip
def test_sizes_at_full_width_round_or_cut_to_the_printed_digits(tmp_path, size, verdict, words):
    """A size is of the network: that a stand-in was measured does not matter."""
    paper_run = make_run(tmp_path, size_rows("shells", "net", size, size), plays={"one": "shells"})
    found = cell(paper_run, "taught", "params")
    assert (found.verdict, found.stand_in) == (verdict, False)
    assert words in found.note


def test_a_size_without_the_full_one_says_so(tmp_path):
    found = cell(make_run(tmp_path, size_rows("one", "net", 30_000), plays={"one": "one"}), "taught", "params")
    assert found.verdict == "reduced"
    assert "the size at the paper's width is not on record" in found.note


def test_blanks_and_corrupt_cells_keep_what_was_measured(tmp_path):
    times = pd.concat([TIMES, timing("syn", [0.3], device="cuda")])
    paper_run = make_run(
        tmp_path, dice_rows("two", "syn", [0.5, 0.5]), plays={"one": "one", "two": "two"}, timing=times
    )
    blank, corrupt = cell(paper_run, "plain", "gpu"), cell(paper_run, "plain", "two_dice")
    assert (blank.verdict, blank.measured.value) == ("not printed", 0.3)
    assert (corrupt.verdict, corrupt.measured.value) == ("unreadable", 50.0)
    assert "in print: two numbers in one cell" in corrupt.note
    assert np.isnan(blank.difference)
    assert np.isnan(corrupt.difference)
    size = cell(paper_run, "plain", "params")
    assert (size.verdict, size.note) == ("not printed", "not measured: no network")


def test_why_a_number_was_not_measured(tmp_path):
    rows = dice_rows("one", "net", [None, None])
    paper_run = make_run(tmp_path, rows, plays={"one": "one"}, methods=("net",))
    reasons = {
        ("plain", "one_dice"): "method syn is not in this profile",
        ("taught", "one_dice_gain"): "method syn is not in this profile",
        ("taught", "two_dice"): "no data set plays TWO in this profile",
        ("taught", "one_dice"): "no registration of net on one finished: out of luck",
        ("taught", "cpu"): "timing not run",
    }
    paper_run = redescribed(paper_run, "one", title="one")
    for key, reason in reasons.items():
        assert (cell(paper_run, *key).verdict, cell(paper_run, *key).note) == ("not measured", reason)
        assert np.isnan(cell(paper_run, *key).measured.value)


def test_why_a_method_of_the_profile_has_no_number(tmp_path):
    rows = [row("one", "a__b0", "syn", "seconds", 1.0), failed_row("two", "a__b0", "net", "not_applicable", "no atlas")]
    paper_run = make_run(tmp_path, rows, plays={"one": "one", "two": "two"})
    assert cell(paper_run, "plain", "one_dice").note == "no dice (linear_thr128) of syn on Real shells is on record"
    assert cell(paper_run, "taught", "one_dice").note == "net is not run on Real shells"
    assert cell(paper_run, "taught", "two_dice").note == "no registration of net on Real shells finished: no atlas"
    assert cell(paper_run, "taught", "params").note == "net is not run on Real shells"


def test_a_metric_that_misses_on_some_pairs_says_so(tmp_path):
    rows = [*dice_rows("one", "syn", [0.7, 0.7]), row("one", "a__b2", "syn", "seconds", 1.0)]
    found = cell(make_run(tmp_path, rows, plays={"one": "one"}), "plain", "one_dice")
    assert found.measured.n == 2
    assert "registered pairs of syn without a value: 1" in found.note


def test_the_ledger_repeats_and_does_not_depend_on_the_order_of_rows(tmp_path):
    paper_run = make_run(tmp_path, BOTH, plays={"one": "one"}, timing=TIMES)
    other = make_run(tmp_path / "2", BOTH[::-1], plays={"one": "one"}, timing=TIMES.iloc[::-1])
    pd.testing.assert_frame_equal(ledger_frame(judge(paper_run)), ledger_frame(judge(other)))


@pytest.mark.parametrize(("value", "how", "text"), [
    (59025.4, {"decimals": 0}, "59\u202f025"), (-1234.0, {"decimals": 0}, f"{MINUS}1\u202f234"),
    (0.0312, {}, "0.0312"), (748.2, {}, "748"), (0.0, {}, "0"), (561318.0, {"decimals": 2, "suffix": "M"}, "0.56M"),
    (3.44, {"decimals": 1, "signed": True}, "+3.4"), (-0.04, {"decimals": 1, "signed": True}, "0.0"),
    (0.04, {"decimals": 1, "signed": True}, "0.0"), (20.0, {"decimals": 0, "signed": True}, "+20"),
])  # fmt: skip
def test_numbers_for_readers(value, how, text):
    cell = Cell(table=1, row=Row("a", ["A"], "A"), column=Column("b", "B"), printed=Printed(), unit="mm", **how)
    assert shown(value, cell) == text


def test_the_ledger_for_readers(tmp_path):
    found = ledger_table(judge(make_run(tmp_path, BOTH, plays={"one": "one"})), "Ledger")
    rows = {(each[1].text, each[2].text): [cell.text for cell in each] for each in found.rows}
    gain = rows["Taught, Net_work", "ONE gain"]
    assert gain[3:5] == ["+3.4", "+21.0"]
    assert gain[6] == "+17.6"
    assert rows["Plain, None", "ONE Dice (%)"][6] == "0.0"
    assert all(len(row) == len(found.heads) for row in found.rows)
