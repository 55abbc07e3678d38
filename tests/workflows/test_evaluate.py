"""What is kept of a judged chunk, and what judging it a second time does."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from benchmarks import ranking, results
from benchmarks.measures import consistency
from datasets.case import Pair, Truth, open_dataset
from datasets.files import DataError, read_displacement, write_displacement
from tests.workflows.evaluate_inputs import DARK, kept, registered_chunk, spec
from tests.workflows.pipeline_inputs import TINY, run
from workflows import evaluate as step
from workflows.configuration.config import SettingsError
from workflows.configuration.resolve import resolve
from workflows.planning import plan

pytestmark = pytest.mark.early


@pytest.fixture
def both_ways(make_dataset, tmp_path):
    """The same with five pairs and the other direction of each, but of one."""
    data = make_dataset(dark=5, bright=0)
    path = data.folder / "dataset.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    pairs = [(pair, pair.reversed) for pair in data.test_pairs]
    about["test"] = [vars(pair) for both in (*pairs[:-1], pairs[-1][:1]) for pair in both]
    path.write_text(json.dumps(about), encoding="utf-8")
    return registered_chunk(open_dataset(data.folder), tmp_path)


def files(*names: str) -> set[str]:
    return {Pair.from_name(name).displacement_file for name in names}


def test_all_displacements_stay_by_default(chunk):
    data, folder = chunk
    before = kept(folder)
    step.evaluate(spec(data, folder, keep="all"))
    assert kept(folder) == before
    assert len(before) == DARK
    assert not list(folder.glob("judged-*"))


def test_extremes_stay_and_a_few_to_compare(chunk, monkeypatch):
    data, folder = chunk
    monkeypatch.setattr(ranking, "SIDE_BY_SIDE", 2)
    step.evaluate(spec(data, folder))
    metrics = results.read(folder / "metrics.parquet", "metrics")
    ranked = ranking.ranked(metrics, "tiny", "net", ranking.primary(metrics, data))
    assert [each.rank for each in ranked] == ["worst", "median", "best"]
    together = [pair.name for pair in data.test_pairs[:2]]
    assert kept(folder) == files(*together, *(each.pair for each in ranked))
    assert 3 <= len(kept(folder)) <= 5


def test_rows_are_the_same_however_much_is_kept(chunk):
    data, folder = chunk
    step.evaluate(spec(data, folder, keep="all"))
    every = (folder / "metrics.parquet").read_bytes()
    step.evaluate(spec(data, folder))
    assert (folder / "metrics.parquet").read_bytes() == every


def test_judging_again_by_the_same_code_gives_the_same_rows(chunk):
    data, folder = chunk
    step.evaluate(spec(data, folder))
    rows, left = (folder / "metrics.parquet").read_bytes(), kept(folder)
    (folder / "metrics.parquet").unlink()  # as Snakemake does before it repeats a job
    step.evaluate(spec(data, folder))
    assert (folder / "metrics.parquet").read_bytes() == rows
    assert kept(folder) == left


def test_inverse_consistency_is_of_pairs_with_both_directions(both_ways):
    data, folder = both_ways
    step.evaluate(spec(data, folder, keep="all"))
    metrics = results.read(folder / "metrics.parquet", "metrics")
    rows = metrics[(metrics.metric == "inverse_consistency") & (metrics.protocol == "grid")].set_index("pair").value
    left_out = {"fixed__dark3", "dark3__fixed", "fixed__dark4"}  # one has failed, one has no other direction
    assert set(rows.index) == {pair.name for pair in data.test_pairs} - left_out
    pair = Pair("fixed", "dark1")
    u, v = (read_displacement(folder / each.displacement_file) for each in (pair, pair.reversed))
    assert rows[pair.name] == consistency.inverse_consistency(u, v, data.placement("fixed").spacing)[1]


def test_judging_again_has_both_directions_of_what_is_kept(both_ways, monkeypatch):
    data, folder = both_ways
    monkeypatch.setattr(ranking, "SIDE_BY_SIDE", 0)
    step.evaluate(spec(data, folder))
    rows, left = (folder / "metrics.parquet").read_bytes(), kept(folder)
    assert left < {pair.displacement_file for pair in data.test_pairs}
    for keep in ("extremes", "all"):
        step.evaluate(spec(data, folder, keep=keep))
        assert (folder / "metrics.parquet").read_bytes() == rows
        assert kept(folder) == left


def test_intensities_are_compared_only_where_nothing_of_the_truth_is_known(chunk):
    data, _ = chunk
    pair, u = data.test_pairs[0], np.zeros((3, *data.image("fixed").array.shape), np.float32)
    for folder, expected in ((data.folder, False), (data.folder / "nowhere", True)):
        rows = step.judge(u, pair, data, Truth(folder))
        assert ("similarity" in {row["metric"] for row in rows}) == expected
        assert ("dice" in {row["metric"] for row in rows}) != expected


@pytest.mark.parametrize("what", ["code", "records", "truth"])
def test_judging_anew_without_displacements_says_what_to_do(chunk, tmp_path, monkeypatch, what):
    data, folder = chunk
    monkeypatch.setattr(ranking, "SIDE_BY_SIDE", 0)
    code = tmp_path / "judge.py"
    code.write_text("a = 1")
    step.evaluate(spec(data, folder, judge=[code]))
    before = {path.name for path in folder.glob("judged-*")}
    if what == "code":
        code.write_text("a = 2")
    elif what == "records":
        about = json.loads((folder / "registrations.json").read_text(encoding="utf-8"))
        about["run"]["run"] = "r2"
        (folder / "registrations.json").write_text(json.dumps(about))
    else:
        about = json.loads((data.folder / "dataset.json").read_text(encoding="utf-8"))
        (data.folder / "dataset.json").write_text(json.dumps({**about, "evaluated_labels": [1]}))
    with pytest.raises(DataError, match=rf"keep: extremes.*--forcerun {re.escape(str(folder))}/reg"):
        step.evaluate(spec(data, folder, judge=[code]))
    assert {path.name for path in folder.glob("judged-*")} == before  # undoing the edit brings the rows back


def test_a_changed_title_costs_no_row_and_no_displacement(chunk, monkeypatch):
    data, folder = chunk
    monkeypatch.setattr(ranking, "SIDE_BY_SIDE", 0)
    step.evaluate(spec(data, folder))
    rows = (folder / "metrics.parquet").read_bytes()
    about = json.loads((data.folder / "dataset.json").read_text(encoding="utf-8"))
    (data.folder / "dataset.json").write_text(json.dumps({**about, "title": "Another title", "notes": ["a note"]}))
    step.evaluate(spec(data, folder))
    assert (folder / "metrics.parquet").read_bytes() == rows


def test_a_pair_that_was_tried_again_needs_no_displacement_of_the_others(chunk, monkeypatch):
    data, folder = chunk
    monkeypatch.setattr(ranking, "SIDE_BY_SIDE", 0)
    step.evaluate(spec(data, folder))
    before = results.read(folder / "metrics.parquet", "metrics")
    about = json.loads((folder / "registrations.json").read_text(encoding="utf-8"))
    for record in about["pairs"]:
        if record["status"] == "failed":
            record.update(status="ok", reason="", seconds=2.0, peak_memory=11.0)
            pair = Pair.from_name(record["pair"])
    (folder / "registrations.json").write_text(json.dumps(about))
    image = data.image(pair.fixed)
    write_displacement(folder / pair.displacement_file, np.zeros((3, *image.array.shape)), image.affine)
    step.evaluate(spec(data, folder))
    after = results.read(folder / "metrics.parquet", "metrics")
    others = after[after.pair != pair.name].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, before[before.pair != pair.name].reset_index(drop=True))
    assert {"dice", "seconds", "peak_memory"} <= set(after[after.pair == pair.name].metric)


def test_new_displacements_are_judged_by_the_edited_code(chunk, tmp_path):
    data, folder = chunk
    code = tmp_path / "judge.py"
    for text in ("a = 1", "a = 2"):
        code.write_text(text)
        for pair in data.test_pairs:
            image = data.image(pair.fixed)
            write_displacement(folder / pair.displacement_file, np.zeros((3, *image.array.shape)), image.affine)
        step.evaluate(spec(data, folder, judge=[code]))
    assert len(list(folder.glob("judged-*"))) == 1


def test_the_configuration_reaches_the_step():
    for keep in ("all", "extremes"):
        made = plan.Plan(resolve({"keep": keep}))
        wildcards = type("W", (), {"dataset": "phantom-liver", "method": "identity", "seed": "0", "chunk": "0"})
        given = made.evaluate(wildcards)
        assert given.keep == keep
        assert {"overlap.py", "geometry.py", "evaluate.py"} <= {path.name for path in given.judge}
    assert resolve({}).config.keep == "all"
    with pytest.raises(SettingsError, match="keep"):
        resolve({"keep": "some"})


@pytest.mark.slow
def test_a_run_that_keeps_extremes(tmp_path):
    config = {**TINY, "keep": "extremes", "run": {"datasets": ["phantom-liver"], "methods": ["identity", "demons"]}}
    # With fewer subjects the reverse directions of the pairs that a report shows would be all the others.
    config["datasets"] = {"phantom-liver": {"params": {**TINY["datasets"]["phantom-liver"]["params"], "test": 5}}}
    config["timing"] = {**TINY["timing"], "datasets": []}
    done = run(tmp_path, config=config)
    assert done.returncode == 0, done.stdout + done.stderr
    results_folder = tmp_path / "results" / "tiny"
    metrics = results.read(results_folder / "metrics.parquet", "metrics")
    left = list(results_folder.rglob("disp_test*.nii.gz"))
    left = [path for path in left if "runs" in path.parts]
    assert len(metrics[metrics.metric == "seconds"]) == 40
    assert 2 * 2 * 2 <= len(left) < 40
    assert list((results_folder / "report" / "figures" / "cases").rglob("demons-worst.png"))
    # Keeping all from now on repeats the judging, which must not need what is gone.
    again = run(tmp_path, "--until", "collect", config={**config, "keep": "all"})
    assert again.returncode == 0, again.stdout + again.stderr
    pd.testing.assert_frame_equal(results.read(results_folder / "metrics.parquet", "metrics"), metrics)
