"""The gate on accuracy: what differs from the accepted numbers is found, in both directions and pair by pair."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.regression import accuracy, baseline
from benchmarks.regression.findings import BaselineError
from benchmarks.results import RUN_LEVEL
from tests.benchmarks.regression_inputs import ROW

FOLD = {"metric": "folding_percent", "protocol": "central_grid", "region": "all", "value": 0.02, "unit": "%"}
SIZE = {"pair": RUN_LEVEL, "metric": "parameters", "protocol": "network", "region": "all", "value": 561318.0}
FAILED = {**ROW, "metric": "seconds", "region": "all", "value": np.nan, "status": "timeout", "reason": "600 s"}


def table():
    """Two pairs and the size of a network, and a control with the same pairs."""
    rows = [{**ROW, "pair": pair, "method": method} for pair in ("a__b", "b__a") for method in ("net", "identity")]
    rows += [{**ROW, **FOLD, "pair": pair} for pair in ("a__b", "b__a")]
    return pd.DataFrame([*rows, {**ROW, **SIZE}])


def changed(metric="dice", pair="a__b", method="net", **columns):
    """The table with some columns of one row replaced."""
    frame = table()
    chosen = (frame.metric == metric) & (frame.pair == pair) & (frame.method == method)
    assert chosen.sum() == 1
    for name, value in columns.items():
        frame.loc[chosen, name] = value
    return frame


def found_in(frame):
    """What a run has that is not as accepted."""
    return accuracy.compare(baseline.numbers_of(frame), accepted(), frame)


def accepted(metrics=None):
    numbers = baseline.numbers_of(table() if metrics is None else metrics)
    return baseline.with_tolerances(numbers, controls=["identity"], before=None)


def found(metrics, before=None):
    numbers = baseline.numbers_of(metrics)
    findings = accuracy.compare(numbers, accepted() if before is None else before, metrics)
    return [(each.verdict, each.method, each.pair, each.metric) for each in findings]


def test_the_same_numbers_are_no_finding():
    assert found(table()) == []


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"value": 0.494}, "worse"),
        ({"value": 0.506}, "better"),
        ({"value": 0.4951}, None),
        ({"value": 0.5049}, None),
        ({"method": "identity", "value": 0.500002}, "better"),
        ({"method": "identity", "value": 0.499998}, "worse"),
        ({"method": "identity", "value": 0.5000009}, None),
        ({"metric": "folding_percent", "value": 0.08}, "worse"),
        ({"metric": "parameters", "pair": RUN_LEVEL, "value": 561317.0}, "better"),
        ({"metric": "parameters", "pair": RUN_LEVEL, "value": 561319.0}, "worse"),
    ],
)
def test_a_number_may_move_by_its_tolerance_and_no_further_either_way(change, verdict):
    place = (change.get("method", "net"), change.get("pair", "a__b"), change.get("metric", "dice"))
    assert found(changed(**change)) == ([(verdict, *place)] if verdict else [])


def test_pairs_that_move_apart_are_seen_though_their_mean_stays():
    moved = changed(value=0.6)
    moved.loc[(moved.pair == "b__a") & (moved.metric == "dice") & (moved.method == "net"), "value"] = 0.4
    assert moved[moved.metric == "dice"].value.mean() == pytest.approx(0.5)
    assert {each[0] for each in found(moved)} == {"better", "worse"}


def test_folding_that_is_gone_everywhere_is_an_alarm_within_its_tolerance():
    assert accepted().set_index("metric").tolerance["folding_percent"].gt(0.02).all()
    assert found(changed(metric="folding_percent", value=0.0)) == []  # another pair still folds
    nowhere = table()
    nowhere.loc[nowhere.metric == "folding_percent", "value"] = 0.0
    assert found(nowhere) == [("vanished", "net", "a__b", "folding_percent")]


def test_a_failed_pair_is_missing_with_its_reason():
    metrics = pd.concat([changed(status="timeout", reason="600 s", value=np.nan), pd.DataFrame([FAILED])])
    finding = accuracy.compare(baseline.numbers_of(metrics), accepted(), metrics)[0]
    assert (finding.verdict, finding.pair, finding.reason) == ("missing", "a__b", "timeout: 600 s")


def test_a_new_method_is_told_and_no_alarm():
    metrics = pd.concat([table(), table().assign(method="other")])
    findings = accuracy.compare(baseline.numbers_of(metrics), accepted(), metrics)
    assert {each.verdict for each in findings} == {"new"}
    assert not any(each.alarming for each in findings)


@pytest.mark.parametrize(("metric", "perfect"), [("dice", 1.0), ("tre", 0.0), ("displacement_error", 0.0)])
def test_perfect_numbers_are_alarming_but_for_controls(metric, perfect):
    rows = [{**ROW, "metric": metric, "value": perfect, "method": method} for method in ("net", "truth")]
    findings = accuracy.too_good(baseline.numbers_of(pd.DataFrame(rows)), controls=["truth"])
    assert [(each.verdict, each.method) for each in findings] == [("too good", "net")]
    assert accuracy.too_good(baseline.numbers_of(table()), controls=[]) == []


def test_seconds_and_memory_are_left_out():
    clock = {"metric": "seconds", "protocol": "register", "region": "all", "value": 9.0, "unit": "s"}
    metrics = pd.concat([table(), pd.DataFrame([{**ROW, **clock}])])
    assert set(baseline.numbers_of(metrics).metric) == {"dice", "folding_percent", "parameters"}


@given(st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=1, max_size=6))
def test_a_baseline_comes_back_from_its_file_as_nothing_found(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("baseline")
    metrics = pd.DataFrame([{**ROW, "pair": f"p{k}__q", "value": value} for k, value in enumerate(values)])
    before = baseline.with_tolerances(baseline.numbers_of(metrics), controls=["net"], before=None)
    before["tolerance"] = 0.0
    baseline.write(folder / "smoke.csv", "smoke", before)
    back = baseline.read(folder / "smoke.csv", "smoke")
    assert accuracy.compare(baseline.numbers_of(metrics), back, metrics) == []


def test_a_baseline_of_another_profile_or_a_doubled_one_is_one_clear_line(tmp_path):
    path = tmp_path / "mini.csv"
    assert baseline.read(path, "mini") is None
    baseline.write(path, "smoke", accepted())
    with pytest.raises(BaselineError, match=r"mini\.csv: is of profile smoke, not of mini"):
        baseline.read(path, "mini")
    baseline.write(path, "mini", pd.concat([accepted(), accepted().head(1)]))
    with pytest.raises(BaselineError, match=r"phantom, identity, 0, a__b, dice, nearest occurs twice"):
        baseline.read(path, "mini")
    baseline.write(path, "mini", accepted())
    whole = path.read_text()
    path.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(BaselineError, match=r"has \d+ numbers of the \d+ that were accepted"):
        baseline.read(path, "mini")
    path.write_text("# profile mini\nnothing\n1\n")
    with pytest.raises(BaselineError, match="no baseline, expected the columns"):
        baseline.read(path, "mini")


def seeds(values_by_pair):
    rows = [
        {**ROW, "pair": pair, "seed": seed, "value": value}
        for pair, values in values_by_pair.items()
        for seed, value in enumerate(values)
    ]
    return baseline.numbers_of(pd.DataFrame(rows))


def test_tolerances_are_four_pooled_standard_deviations_over_seeds():
    first, second = [0.1, 0.2, 0.3, 0.4, 0.5], [0.5] * 5  # variances 0.025 and 0
    spread = baseline.with_spread(accepted(), seeds({"a__b": first, "b__a": second}))
    by = spread.set_index(["method", "metric"]).tolerance
    assert by["net", "dice"].tolist() == pytest.approx([4 * np.sqrt(0.0125)] * 2)
    unchanged = accepted().set_index(["method", "metric"]).tolerance
    for place in [("identity", "dice"), ("net", "folding_percent"), ("net", "parameters")]:
        assert by[place].tolist() == unchanged[place].tolist()


def test_fewer_than_five_seeds_give_no_tolerance():
    with pytest.raises(BaselineError, match="net ran with 4 seeds; a tolerance takes 5"):
        baseline.with_spread(accepted(), seeds({"a__b": [0.1, 0.2, 0.3, 0.4]}))
    with pytest.raises(BaselineError, match="no method ran with more than one seed"):
        baseline.with_spread(accepted(), seeds({"a__b": [0.1]}))


def test_accepted_tolerances_outlast_new_numbers():
    before = accepted()
    before.loc[before.metric == "dice", "tolerance"] = 0.25
    numbers = baseline.numbers_of(pd.concat([changed(value=0.45), table().assign(method="new")]))
    after = baseline.with_tolerances(numbers, ["identity"], before).set_index(["method", "metric"]).tolerance
    assert set(after["net", "dice"]) == {0.25}
    assert set(after["new", "dice"]) == {0.005}
    assert set(after["identity", "dice"]) == {baseline.EXACT}


@pytest.mark.parametrize(
    ("here", "there", "verdict"),
    [
        ({"value": 0.4}, {"value": 0.4}, "as before"),  # another machine, or an older fault
        ({"value": 0.4}, {"value": 0.5}, "worse"),  # this state's doing
        ({"value": 0.4}, {"value": 0.45}, "worse"),  # the machine's, and more of this state's
        ({"value": 0.4}, {"value": np.nan, "status": "failed"}, "worse"),  # it had failed: nothing to be like
        (
            {"value": np.nan, "status": "failed"},
            {"value": np.nan, "status": "failed"},
            "missing",
        ),  # nothing was measured
        ({"value": 0.494}, {"value": 0.4951}, "worse"),  # a small step that leaves what is accepted
    ],
)
def test_what_the_older_state_has_on_this_machine_too_is_told_and_not_red(here, there, verdict):
    head, base = changed(**here), changed(**there)
    as_there = baseline.with_tolerances(baseline.numbers_of(base), ["identity"], accepted())
    since = accuracy.compare(baseline.numbers_of(head), as_there, head)
    [found] = accuracy.as_before(found_in(head), found_in(base), since)
    assert found.verdict == verdict
    assert found.alarming == (verdict != "as before")


def test_a_control_and_a_perfect_number_stay_red_beside_an_older_state():
    moved = changed(method="identity", value=0.5 + 1e-5)
    [found] = accuracy.as_before(found_in(moved), [], [])
    assert found.verdict in ("worse", "better")
    perfect = accuracy.too_good(baseline.numbers_of(changed(value=1.0)), ["identity"])
    assert accuracy.as_before(perfect, perfect, []) == perfect


@pytest.mark.parametrize(("column", "value"), [("value", np.nan), ("value", np.inf), ("tolerance", np.inf)])
def test_a_number_that_is_not_finite_is_no_baseline(column, value, tmp_path):
    odd = accepted()
    odd[column] = value
    baseline.write(tmp_path / "mini.csv", "mini", odd)
    with pytest.raises(BaselineError, match=r"expected finite numbers|no baseline"):
        baseline.read(tmp_path / "mini.csv", "mini")
