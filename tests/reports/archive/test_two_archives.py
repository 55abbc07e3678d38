"""Two archives compare row by row, and merge unless they contradict each other."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks import results
from reports.archive import lean
from reports.archive.compare import DIFFERS, ONE, OTHER, compare
from reports.archive.load import load
from reports.archive.merge import merged
from reports.archive.packed import Archive, ArchiveError, read, write
from reports.archive.rows import ROWS
from reports.overview import cases
from tests.reports.archive.archive_inputs import archived, with_rows, with_told
from tests.reports.report_inputs import HARDWARE
from workflows.configuration.sources import ROOT


@pytest.fixture
def pair(tmp_path):
    """Archives of two machines, which have one method in common."""
    return archived(tmp_path / "a", ("identity", "ldr-1")), archived(tmp_path / "b", ("identity", "rcn-1"))


def other_machine(timing):
    return timing.assign(hardware=replace(HARDWARE, cpu="Another CPU").key, seconds=2 * timing.seconds)


def test_what_either_has_is_in_both_together(pair, tmp_path):
    together = merged(*pair)
    write(tmp_path / "c.zip", together.manifest, together.content)
    run = load(read(tmp_path / "c.zip")).run
    assert list(run.methods) == ["identity", "ldr-1", "rcn-1"]
    assert set(run.metrics.method) == {"identity", "ldr-1", "rcn-1"}
    assert len(run.metrics) == len(run.metrics.drop_duplicates(list(results.KEYS["metrics"])))
    assert {name.split("/")[-1].split("-seed")[0] for name in run.pictures.content if "-seed" in name} == {
        "identity", "ldr-1", "rcn-1",
    }  # fmt: skip


@pytest.mark.parametrize(("profile", "about"), [("mini", "Later."), ("open", "Earlier. Later.")])
def test_of_one_profile_it_says_what_that_said_of_itself_last(pair, profile, about):
    one = with_told(pair[0], lambda told: told.update(profile="mini", about="Earlier."))
    other = with_told(pair[1], lambda told: told.update(profile=profile, about="Later."))
    assert json.loads(merged(one, other).content["run.json"])["about"] == about


def test_pictures_that_a_report_of_both_does_not_show_are_left_out(pair, monkeypatch):
    def shown(content):
        return {name for name in content if name.startswith("pictures/cases/") and "-seed" in name}

    before = shown(pair[0].content) | shown(pair[1].content)
    assert shown(merged(*pair).content) == before
    monkeypatch.setattr(cases, "MANY", 2)  # of three methods the worst case alone
    together = merged(*pair)
    run = load(Archive(pair[0].path, together.manifest, together.content)).run
    asked = {f"pictures/{each.name}" for each in cases.requests(run)}
    assert shown(together.content) == asked & before
    assert 3 == len(asked & before) < len(before)


def test_curves_keep_as_many_rows_as_in_one_archive_of_all_trainings(pair, monkeypatch):
    monkeypatch.setattr(lean, "TOGETHER", 20)
    monkeypatch.setattr(lean, "FEWEST", 2)
    curves = {name: data for name, data in merged(*pair).content.items() if name.endswith("curve.jsonl")}
    rows = [len(data.splitlines()) for data in curves.values()]
    assert rows
    assert all(0.5 * lean.rows_of(len(rows)) < count <= lean.rows_of(len(rows)) for count in rows)
    assert b'"iteration":49,' in next(iter(curves.values()))  # the last row stays the last


def test_an_archive_with_itself_is_itself(pair):
    together = merged(pair[0], pair[0])
    assert together.content == pair[0].content
    assert not together.remarks
    assert compare(pair[0], pair[0]).rows.empty


def test_medians_that_are_the_same_are_counted_and_not_listed(pair):
    def worse(metrics):
        return metrics.assign(value=metrics.value.where(metrics.metric != "dice", metrics.value - 0.01))

    def first_slower(timing):
        return timing.assign(seconds=timing.seconds.where(timing.method != "identity", 2 * timing.seconds))

    there = with_rows(pair[0], "metrics", worse)
    rows, seconds, _ = compare(pair[0], there).tables
    assert len(rows.rows) > 0
    assert [cell.text for row in seconds.rows for cell in row] == ["none"]
    assert "are the same in both" in seconds.notes[0]
    slower = compare(pair[0], with_rows(there, "timing", first_slower)).tables[1]
    assert {row[2].text for row in slower.rows} == {"identity"}


def test_seconds_of_two_machines_stay_apart(pair):
    there = with_rows(pair[1], "timing", other_machine)
    content = merged(pair[0], there).content
    rows = results.decode(content[ROWS["timing"]], "timing", where="test")
    by_machine = rows.groupby("hardware").seconds.sum()
    assert len(by_machine) == 2
    assert by_machine.max() == pytest.approx(2 * by_machine.min())


def test_seconds_of_a_registration_may_differ_as_they_are_of_the_machine(pair):
    def slower(metrics):
        return metrics.assign(value=metrics.value.where(metrics.metric != "seconds", 3 * metrics.value))

    content = merged(pair[0], with_rows(pair[1], "metrics", slower)).content
    rows = results.decode(content[ROWS["metrics"]], "metrics", where="test")
    both = rows[(rows.method == "identity") & (rows.metric == "seconds")]
    assert both.value.tolist() == pytest.approx([0.001 * 1000, 1.1, 1.2])


def test_the_same_run_with_other_numbers_is_refused_in_one_line(pair):
    def worse(metrics):
        return metrics.assign(value=metrics.value.where(metrics.metric != "dice", metrics.value - 0.01))

    with pytest.raises(ArchiveError) as error:
        merged(pair[0], with_rows(pair[1], "metrics", worse))
    assert "identity on shells, pair a__b0, seed 0 is not as in" in str(error.value)
    assert "nothing was written" in str(error.value)
    assert "\n" not in str(error.value)


def declared(day, budgets, bound="c0"):
    claims = {"ldr-aldk": {"aldk_raises_dice_1": bound}}
    return {"at": f"2026-01-{day:02d}", "commit": "a", "budgets": budgets, "margins": {}, "claims": claims}


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ([declared(1, "b0")], [declared(2, "b0")], [(2, "b0")]),
        ([declared(2, "b1")], [declared(1, "b0")], [(1, "b0"), (2, "b1")]),
        ([declared(1, "b0"), declared(3, "b2")], [declared(2, "b0")], [(1, "b0"), (3, "b2")]),
        ([declared(1, "b0")], [declared(2, "b0", bound="c1")], [(1, "b0"), (2, "b0")]),
        ([declared(1, "b0")], [], []),
    ],
)
def test_what_was_declared_for_either_is_told_in_the_order_of_time(pair, first, second, kept):
    one, other = (
        with_told(archive, lambda told, told_of=said: told.update(declared=told_of))
        for archive, said in zip(pair, (first, second), strict=True)
    )
    together = merged(one, other)
    found = json.loads(together.content["run.json"])["declared"]
    assert [(int(each["at"][-2:]), each["budgets"]) for each in found] == kept


def test_other_data_of_the_same_name_are_refused(pair, tmp_path):
    text = pair[1].content["run.json"].decode()
    digest = text.split('"images": "')[1][:64]
    changed = {**pair[1].content, "run.json": text.replace(digest, 64 * "0").encode()}
    with pytest.raises(ArchiveError, match="shells has other images or another truth"):
        merged(pair[0], Archive(pair[1].path, pair[1].manifest, changed))


def test_a_comparison_names_what_differs_and_what_either_lacks(pair):
    def nudged(metrics):
        hit = (metrics.method == "identity") & (metrics.metric == "dice") & (metrics.region == "mean")
        return metrics.assign(value=metrics.value.where(~hit, metrics.value + 0.25))

    found = compare(pair[0], with_rows(pair[1], "metrics", nudged))
    rows = found.rows
    assert set(rows[rows.verdict == ONE].method) == {"ldr-1"}
    assert set(rows[rows.verdict == OTHER].method) == {"rcn-1"}
    different = rows[rows.verdict == DIFFERS]
    assert len(different) == 3
    assert different.difference.tolist() == pytest.approx([0.25] * 3)


def test_the_command_line_writes_nothing_over_a_file(pair, tmp_path):
    (tmp_path / "kept.zip").write_text("mine")
    call = ["workflows.archive", "merge", str(pair[0].path), str(pair[1].path), "-o", str(tmp_path / "kept.zip")]
    done = subprocess.run([sys.executable, "-m", *call], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert (tmp_path / "kept.zip").read_text() == "mine"
