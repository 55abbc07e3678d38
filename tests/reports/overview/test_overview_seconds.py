"""Seconds in the overview: whose calls count, which were alone, and what stands apart."""

from dataclasses import replace

import pandas as pd
import pytest

from reports.overview.costs import cost_table
from reports.overview.frontier import clock
from reports.overview.rows import timed_rows
from reports.overview.timing import timing_table, timings
from tests.reports.report_inputs import (
    HARDWARE,
    frame,
    make_run,
    rows_of,
    small_metrics,
    timing_frame,
    write_dataset,
)


def test_seconds_are_compared_by_the_timing_run_alone(built):
    found = pd.read_csv(built[0] / "tables" / "overview.csv")
    best = found[found.best & (found.metric == "seconds")]
    assert list(zip(best.dataset, best.method, best.protocol, strict=True)) == [("shells", "net", "timed")]
    text = (built[0] / "tables" / "overview.md").read_text(encoding="utf-8")
    assert "Time ↓<br>timing run, warm, all threads, s" in text
    assert "Time ↓<br>accuracy run, beside other work, s" in text


def test_only_calls_that_are_known_to_be_alone_and_all_finished_are_the_best(tmp_path):
    datasets = {"shells": write_dataset(tmp_path, "shells", phantom=True, n_pairs=3)}
    metrics = small_metrics()
    times = timing_frame()
    second = (times.method == "net") & (times["round"] == 2)  # of five warm calls
    for change in ({"contended": True}, {"contended": None}, {"status": "failed", "seconds": float("nan")}):
        changed = times.astype({"contended": object})
        changed.loc[second, list(change)] = list(change.values())
        run = make_run(metrics[metrics.dataset == "shells"], datasets, timing=changed)
        rows = timed_rows(run, datasets["shells"])
        assert [row.method for row in rows if row.best] == ["syn"], change
        assert [(row.tried, row.failed) for row in rows] == [(5, 0), (5, int("status" in change))]


def test_a_cell_says_that_it_is_not_known_whether_calls_were_alone(tmp_path):
    data, times = write_dataset(tmp_path, "shells", phantom=True, n_pairs=1), timing_frame()
    times = times.assign(contended=times.contended.where(times.method == "syn", None))
    run = make_run(frame(rows_of("shells", "identity", [0.5])), {"shells": data}, timing=times)
    texts = {row[0].text: [cell.text for cell in row if "not known" in cell.text] for row in cost_table(run).rows}
    assert {name: len(found) for name, found in texts.items()} == {"ANTs SyN": 0, "Network & co": 2}
    assert clock(run).endswith(" For 5 of 10 calls it is not known whether they had other work beside.")


@pytest.mark.fault(24)
def test_a_device_that_was_lost_while_methods_were_timed_is_named(tmp_path):
    data = write_dataset(tmp_path, "shells", phantom=True, n_pairs=1)
    lost = timing_frame().assign(device="cuda", status="unavailable", reason="no driver", seconds=float("nan"))
    timing = pd.concat([timing_frame(), lost[lost.method == "net"]])
    run = make_run(frame(rows_of("shells", "identity", [0.5])), {"shells": data}, timing=timing)
    table = timing_table(run, timings(timing), data)
    assert table.notes == [
        "Network & co on CUDA: not measured: no driver.",
        "Hardware: Some CPU, 2 cores; torch 2.8. CPU, 1 thread on cores 0, 1; CPU, 2 threads on cores 0, 1.",
    ]
    assert table.heads[-1].title.startswith("CUDA")


def shells_table(folder, timing):
    data = write_dataset(folder, "shells", phantom=True, n_pairs=1)
    return timing_table(make_run(frame(rows_of("shells", "identity", [0.5])), {"shells": data}), timings(timing), data)


def test_only_calls_known_to_be_undisturbed_are_called_alone(tmp_path):
    timing = timing_frame()
    assert "alone on the machine" in shells_table(tmp_path / "calm", timing).caption
    nobody_knows = shells_table(tmp_path / "unknown", timing.assign(contended=None))
    assert "alone" not in nobody_knows.caption
    assert "for 24 of 24 calls it is not known whether they were contended" in nobody_knows.caption
    timing.loc[(timing.method == "net") & (timing.threads == 1) & (timing["round"] == 2), "contended"] = True
    table = shells_table(tmp_path / "one", timing)
    assert table.caption.endswith("1 of 24 calls contended.")
    assert "; 5, 1 contended)" in table.rows[1][1].text
    assert table.notes[0].startswith("Contended: on one thread less than 97% of a core")


def test_there_are_no_quartiles_of_fewer_than_five_calls(tmp_path):
    timing = timing_frame()
    table = shells_table(tmp_path, timing[timing["round"] <= 3])
    assert table.rows[0][1].text == "9.01 (3)"


def test_seconds_of_different_hardware_share_no_column(tmp_path):
    elsewhere = timing_frame().assign(hardware=replace(HARDWARE, cpu="Other CPU").key, seconds=1.0)
    table = shells_table(tmp_path, pd.concat([timing_frame(), elsewhere]))
    titles = [head.title for head in table.heads if head.title.startswith("CPU")]
    assert sorted(titles) == [f"CPU, {n} ↓" for n in ("1 thread [1]", "1 thread [2]", "2 threads [1]", "2 threads [2]")]
    assert [note.split(",")[0] for note in table.notes] == ["Hardware [1]: Other CPU", "Hardware [2]: Some CPU"]
