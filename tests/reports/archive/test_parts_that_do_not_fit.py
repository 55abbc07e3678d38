"""An archive whose rows break their rules, or whose parts name what others lack, is refused in one line at reading."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.archive.compare import compare
from reports.archive.load import load
from reports.archive.merge import merged
from reports.archive.opened import opened
from reports.archive.packed import ArchiveError, write
from tests.reports.archive.archive_inputs import archived, with_rows, with_told
from workflows.archive.given import archive as given
from workflows.configuration.sources import ROOT


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return archived(tmp_path_factory.mktemp("sound"))


def first_value(value):
    def change(metrics):
        hit = metrics.index == int(np.argmax(metrics.metric == "dice"))
        return metrics.assign(value=metrics.value.mask(hit, value))

    return change


def no_mean(metrics):
    return metrics.assign(value=metrics.value.mask((metrics.metric == "dice") & (metrics.region == "mean")))


def first(**parts):
    """Change parts of the first row."""

    def change(rows):
        return pd.concat([rows.iloc[:1].assign(**parts), rows.iloc[1:]])

    return change


def twice(rows):
    return pd.concat([rows, rows[rows.index < 2]])


@pytest.mark.parametrize(("kind", "change", "words"), [
    ("metrics", twice, "rows/metrics.parquet: 2 rows repeat a key, first shells, a__b0, identity, 0, dice"),
    ("timing", twice, "rows/timing.parquet: 2 rows repeat a key, first shells, a__b0"),
    ("runs", twice, "rows/runs.parquet: 2 rows repeat a key, first run-identity"),
    ("metrics", first_value(np.inf), "rows/metrics.parquet: column value must be finite or NaN, got inf"),
    ("metrics", no_mean, "mean has status ok and no value, and its labels have"),
    ("metrics", first_value(1.5), "is 1.5, which it cannot be"),
    ("metrics", first_value(-0.2), "is -0.2, which it cannot be"),
    ("metrics", lambda rows: rows.iloc[:0], "rows/metrics.parquet has no rows"),
    ("metrics", first(status="fine"), "unknown status 'fine', expected one of ok"),
    ("metrics", first(status="failed"), "needs a reason and no value"),
    ("metrics", first(dataset="elsewhere"), "rows/metrics.parquet names the data set elsewhere, which run.json does"),
    ("metrics", first(method="nobody"), "rows/metrics.parquet names the method nobody, which run.json does"),
    ("metrics", first(pair="a__zz"), "rows/metrics.parquet has the pair a__zz, which is no test pair of shells"),
    ("metrics", first(run="lost"), "rows/runs.parquet lacks the run lost of identity on shells, seed 0"),
    ("metrics", first(seed=7), "rows/runs.parquet lacks the run run-identity of identity on shells, seed 7"),
    ("timing", first(method="nobody"), "rows/timing.parquet names the method nobody"),
    ("runs", first(dataset="elsewhere"), "rows/runs.parquet names the data set elsewhere"),
])  # fmt: skip
def test_rows_that_cannot_be_are_refused(sound, kind, change, words):
    refused(with_rows(sound, kind, change), words)


@pytest.mark.parametrize("kind", ["metrics", "runs", "timing"])
def test_an_archive_without_one_of_its_tables_is_refused(sound, kind):
    content = {name: data for name, data in sound.content.items() if name != f"rows/{kind}.parquet"}
    refused(replace(sound, content=content), f"lacks rows/{kind}.parquet")


def cast(told):
    told["papers"]["ldr-aldk"]["sliver"] = "nowhere"


def of_another_name(told):
    told["datasets"][0]["description"]["name"] = "spheres"
    told["papers"].clear()


def forgotten(told):
    told["methods"] = [each for each in told["methods"] if each[0] != "ldr-1"]


def network(told):
    told["networks"].append({"method": "nobody", "timed_as": "ldr-1", "parameters": 1, "macs": 1})


def unavailable(told):
    told["unavailable"].append({"dataset": "elsewhere", "method": "ldr-1", "seed": 0, "reason": "none"})


def doubled(part):
    return lambda told: told[part].append(told[part][0])


@pytest.mark.parametrize(("change", "words"), [
    (cast, "sliver of the paper ldr-aldk is played by nowhere, a data set that run.json does not describe"),
    (of_another_name, "rows/metrics.parquet names the data set shells, which run.json does not describe"),
    (forgotten, "names the method ldr-1, which run.json does not describe"),
    (network, "a network names the method nobody, which run.json does not describe"),
    (unavailable, "what was unavailable names the data set elsewhere, which run.json does not describe"),
    (doubled("methods"), "run.json has the method identity 2 times"),
    (doubled("datasets"), "run.json has the data set shells 2 times"),
    (doubled("trainings"), "run.json has the training trainings/shells/ldr-1/seed0 2 times"),
])  # fmt: skip
def test_names_of_what_is_not_there_are_refused(sound, change, words):
    refused(with_told(sound, change), words)


def refused(archive, words):
    """Every way to read the archive ends in the same line, which names it."""
    lines = set()
    for way in (opened, load, lambda it: compare(it, it), lambda it: merged(it, it)):
        with pytest.raises(ArchiveError) as error:
            way(archive)
        lines.add(str(error.value))
    (line,) = lines
    assert line.startswith(f"{archive.path}: ")
    assert words in line
    assert "\n" not in line


def test_a_paper_has_no_data_set_of_a_made_name(sound):
    changed = with_told(sound, lambda told: told["papers"]["ldr-aldk"].update(nonsense="shells"))
    with pytest.raises(ArchiveError, match="the paper ldr-aldk has no data set nonsense to be played"):
        load(changed)


def test_the_command_line_and_a_report_of_it_are_refused_before_work(sound, tmp_path):
    broken = with_rows(sound, "metrics", twice)
    write(tmp_path / "twice.zip", broken.manifest, broken.content)
    call = [sys.executable, "-m", "workflows.archive", "show", str(tmp_path / "twice.zip")]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "2 rows repeat a key" in done.stderr
    with pytest.raises(ArchiveError, match="2 rows repeat a key"):
        given(str(tmp_path / "twice.zip"))


@pytest.mark.parametrize("path", ["runs/mine/archive.zip", "runs/mine", "kept/mine.zip"])
def test_the_report_of_an_archive_lies_where_the_command_line_says(path, tmp_path):
    call = [sys.executable, "-m", "workflows.archive.given", str(tmp_path / path)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "mine", done.stderr
