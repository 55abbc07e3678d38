"""The tables on disk."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import provenance, results
from benchmarks.rows import MetricRow, TimingRow

ROW = {
    "dataset": "phantom", "pair": "a__b", "method": "identity", "seed": 0, "metric": "dice", "protocol": "nearest",
    "region": "mean", "value": 0.5, "unit": "1", "status": "ok", "reason": "", "run": "0123456789ab",
}  # fmt: skip
FAILED = {**ROW, "pair": "c__d", "metric": "seconds", "value": float("nan"), "status": "timeout", "reason": "600 s"}


def rows(**changes):
    """Rows of two pairs and two seeds whose Dice and folding differ, with the given columns replaced."""
    table = []
    for number, (pair, seed) in enumerate(itertools.product(("a__b", "b__a"), (0, 1))):
        table.append({**ROW, "pair": pair, "seed": seed, "value": 0.5 + 0.1 * number, **changes})
        fold = {"metric": "folding_percent", "protocol": "central_grid", "region": "all", "value": 0.2, "unit": "%"}
        table.append({**ROW, "pair": pair, "seed": seed, **fold, **changes})
    return table


def test_round_trip_keeps_values_types_and_missing_values(tmp_path):
    path = tmp_path / "folder" / "metrics.parquet"
    results.write(path, [FAILED, ROW], "metrics")
    back = results.read(path, "metrics")
    assert list(back.columns) == list(results.COLUMNS["metrics"])
    assert back.iloc[0].to_dict() == ROW
    assert np.isnan(back.value[1])
    assert (back.seed.dtype, back.value.dtype) == (np.int64, np.float64)
    assert back.iloc[1].drop("value").to_dict() == {k: v for k, v in FAILED.items() if k != "value"}
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["metrics", "runs", "timing"])
def test_two_tables_without_rows_can_be_joined(kind):
    one, other = (results.decode(results.encode([], kind), kind, where="table") for _ in range(2))
    assert len(one.merge(other, on=list(results.KEYS[kind]), how="outer")) == 0


def test_tables_do_not_depend_on_the_order_of_rows(tmp_path):
    table = [{**row, "value": np.float64(row["value"])} for row in rows()]
    results.write(tmp_path / "one", table, "metrics")
    results.write(tmp_path / "two", pd.DataFrame(table[::-1])[sorted(ROW)], "metrics")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    results.write(tmp_path / "two", [{**row, "value": row["value"] + 1e-15} for row in table], "metrics")
    assert (tmp_path / "one").read_bytes() != (tmp_path / "two").read_bytes()


def test_rows_gathered_piece_by_piece_are_those_of_a_list(tmp_path, monkeypatch):
    table = [MetricRow(**row) for row in [*rows(), FAILED, {**ROW, "pair": "*", "metric": "macs", "value": 7}]][::-1]
    results.write(tmp_path / "list", table, "metrics")
    monkeypatch.setattr(results, "PIECE", 3)
    results.write(tmp_path / "gathered", results.gather(iter(table), "metrics"), "metrics")
    assert (tmp_path / "gathered").read_bytes() == (tmp_path / "list").read_bytes()
    results.write(tmp_path / "none", [], "metrics")
    results.write(tmp_path / "gathered", results.gather(iter(()), "metrics"), "metrics")
    assert (tmp_path / "gathered").read_bytes() == (tmp_path / "none").read_bytes()


def test_gathered_rows_that_break_the_schema_are_refused():
    with pytest.raises(results.ResultsError, match="there: 1 rows repeat a key, first phantom, a__b"):
        results.gather(iter([MetricRow(**ROW)] * 2), "metrics", where="there")
    with pytest.raises(results.ResultsError, match="column unit must be string, got 3"):
        results.gather(iter([MetricRow(**{**ROW, "unit": 3}), MetricRow(**FAILED)]), "metrics")


def test_gathered_rows_take_little_memory(monkeypatch):
    many = (
        MetricRow(**{**ROW, "pair": f"case{pair}__other", "seed": seed}) for pair in range(40) for seed in range(50)
    )
    monkeypatch.setattr(results, "PIECE", 100)
    taken = results.gather(many, "metrics").memory_usage(deep=True).sum()
    assert taken / 2000 < 40


def test_a_table_written_in_groups_is_read_as_one(tmp_path, monkeypatch):
    results.write(tmp_path / "whole", rows(), "metrics")
    monkeypatch.setattr(results, "GROUP", 3)
    results.write(tmp_path / "groups", rows(), "metrics")
    pd.testing.assert_frame_equal(*(results.read(tmp_path / name, "metrics") for name in ("groups", "whole")))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([ROW, {**ROW, "value": 0.6}], "repeat a key, first phantom, a__b, identity, 0, dice, nearest, mean"),
        ([{**ROW, "status": "crashed"}], "unknown status 'crashed'.*timeout"),
        ([{k: v for k, v in ROW.items() if k != "unit"}], "missing column unit"),
        ([{**ROW, "note": ""}], "unknown column note"),
        ([{**ROW, "seed": 0.5}], "column seed must be int64, got.*0.5"),
        ([{**ROW, "seed": True}], "column seed must be int64"),
        ([{**ROW, "value": "0.5"}], "column value must be double, got '0.5'"),
        (
            [ROW, {**ROW, "pair": "c__d", "value": np.inf}],
            r"column value must be finite or NaN, got inf in row 1 \(phantom, c__d, identity, 0, dice, nearest, mean\)",
        ),
        (
            [ROW, {**ROW, "pair": "c__d", "metric": "tre", "value": np.nan}],
            r"status ok and no value in row 1 \(phantom, c__d, identity, 0, tre, nearest, mean\); it was lost",
        ),
        ([{**ROW, "region": None}], "column region misses a value in row 0"),
        ([{**FAILED, "reason": ""}], "c__d of identity is timeout: it needs a reason"),
        ([{**FAILED, "value": 3.0}], "no value"),
    ],
)
def test_rows_that_break_the_schema_are_refused(tmp_path, table, message):
    with pytest.raises(results.ResultsError, match=message):
        results.write(tmp_path / "metrics.parquet", table, "metrics")
    assert not list(tmp_path.iterdir())


def test_a_metric_that_may_have_no_value_needs_none(tmp_path):
    """A label that one image alone has, the seconds of displacements made elsewhere."""
    table = [{**ROW, "region": "label_3", "value": np.nan}, {**ROW, "metric": "seconds", "value": np.nan}]
    results.write(tmp_path / "metrics.parquet", table, "metrics")
    assert results.read(tmp_path / "metrics.parquet", "metrics").value.isna().all()


def test_a_table_that_somebody_has_edited_is_refused_by_file_and_row(tmp_path):
    """Not by `write`: any tool can make a Parquet file."""
    path = tmp_path / "metrics.parquet"
    results.write(path, rows(), "metrics")
    sound = pd.read_parquet(path)
    for change, words in (
        (lambda frame: pd.concat([frame, frame.iloc[[2]]]), "1 rows repeat a key, first phantom, a__b, identity, 1"),
        (lambda frame: frame.assign(value=[*frame.value[:-1], np.inf]), "got inf in row 7 (phantom, b__a, identity, 1"),
        (lambda frame: frame.assign(metric="tre", region=list("abcdefgh"), value=np.nan), "no value in row 0 (phantom"),
    ):
        change(sound).to_parquet(path, index=False)
        with pytest.raises(results.ResultsError) as error:
            results.read(path, "metrics")
        assert str(error.value).startswith(f"{path}: ")
        assert words in str(error.value)


def test_a_refused_table_leaves_the_old_one(tmp_path):
    path = tmp_path / "metrics.parquet"
    results.write(path, [ROW], "metrics")
    with pytest.raises(results.ResultsError):
        results.write(path, [ROW, ROW], "metrics")
    assert len(results.read(path, "metrics")) == 1


def test_concat(tmp_path):
    for name, table in (("one", rows()[:3]), ("two", rows()[3:]), ("again", rows()[:1]), ("none", [])):
        results.write(tmp_path / name, table, "metrics")
    together = results.concat([tmp_path / "two", tmp_path / "none", tmp_path / "one"])
    pd.testing.assert_frame_equal(together, results.validate(rows(), "metrics"), check_dtype=False)
    with pytest.raises(results.ResultsError, match="3 metrics tables together: 1 rows repeat a key"):
        results.concat([tmp_path / "two", tmp_path / "one", tmp_path / "again"])
    assert list(results.concat([]).columns) == list(results.COLUMNS["metrics"])


def test_unusable_files_are_named(tmp_path):
    with pytest.raises(results.ResultsError, match=r"absent\.parquet: no such file"):
        results.read(tmp_path / "absent.parquet", "metrics")
    results.write(tmp_path / "cut", rows(), "metrics")
    (tmp_path / "cut").write_bytes((tmp_path / "cut").read_bytes()[:-20])
    with pytest.raises(results.ResultsError, match="cut: not a readable Parquet file"):
        results.read(tmp_path / "cut", "metrics")
    results.write(tmp_path / "metrics", rows(), "metrics")
    with pytest.raises(results.ResultsError, match="not a runs table"):
        results.read(tmp_path / "metrics", "runs")


def test_collected_provenance_fits_the_runs_table(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    about = provenance.collect(
        run="b",
        dataset="phantom",
        method="identity",
        seed=3,
        module="identity",
        params={"b": [1], "a": 2},
        device="cpu",
        threads=2,
        libraries=["numpy", "no-such-library"],
    )
    results.write(tmp_path / "runs.parquet", [about, replace(about, run="a")], "runs")
    back = results.read(tmp_path / "runs.parquet", "runs")
    assert list(back.run) == ["a", "b"]
    assert back.params[0] == '{"a":2,"b":[1]}'
    assert (back.commit[0], back.dirty[0]) == ("unknown", None)
    assert back.versions[0] == f'{{"no-such-library":"missing","numpy":"{np.__version__}"}}'
    with pytest.raises(results.ResultsError, match="repeat a key, first a"):
        results.validate([replace(about, run="a")] * 2, "runs")


def test_a_failed_call_has_no_seconds_in_the_timing_table(tmp_path):
    call = TimingRow(
        dataset="phantom", pair="a__b", method="identity", seed=0, grid="8x9x10", device="cpu", threads=1, round=0,
        phase="first", seconds=0.25, hardware="{}",
    )  # fmt: skip
    failed = replace(call, round=1, phase="warm", seconds=None, status="oom", reason="9 GB")
    results.write(tmp_path / "timing.parquet", [failed, call], "timing")
    back = results.read(tmp_path / "timing.parquet", "timing")
    assert back.seconds.tolist() == pytest.approx([0.25, np.nan], nan_ok=True)
    with pytest.raises(results.ResultsError, match=r"is oom: it needs a reason and no seconds, got .*0\.5"):
        results.validate([replace(failed, seconds=0.5)], "timing")
