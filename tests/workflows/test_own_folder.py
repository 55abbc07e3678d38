"""Data of a user's own, from his own folder to the tables: the same numbers as those of the built-in data set."""

import copy
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from datasets import folder as own
from datasets import phantom
from datasets.case import Truth, open_dataset
from datasets.own.options import Params
from tests.datasets.own import folders
from tests.faults.copies import copy_to
from tests.workflows.documents import block, commands
from tests.workflows.own_folder import lay_out, mine_of_the_page
from tests.workflows.pipeline_inputs import run
from workflows import check
from workflows.ahead import lacking, preflight
from workflows.configuration.resolve import resolve
from workflows.configuration.sources import ROOT
from workflows.evaluate import judge
from workflows.planning.plan import Plan
from workflows.planning.wildcards import Wildcards

pytestmark = pytest.mark.early

LIVER = {"anatomy": "liver", "design": "intra_subject", "shape": (24, 28, 32), "training": 2, "test": 2, "seed": 5}


@pytest.fixture(scope="module")
def built_in(tmp_path_factory):
    """A phantom, prepared by its own module."""
    folder = tmp_path_factory.mktemp("phantom") / "phantom-liver"
    phantom.prepare(folder, phantom.Params(**LIVER), name="phantom-liver")
    return open_dataset(folder)


@pytest.fixture(scope="module")
def laid_out(built_in, tmp_path_factory):
    """The same in a folder of somebody's own, in Learn2Reg's layout."""
    return lay_out(built_in, tmp_path_factory.mktemp("mine") / "scans")


@pytest.fixture(scope="module")
def prepared(built_in, laid_out, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "mine"
    evaluate = built_in.description.evaluated_labels
    own.prepare(folder, Params(folder=laid_out, window=(0.0, 1.0), evaluate=evaluate, phantom=True), name="mine")
    return open_dataset(folder)


def both(built_in, prepared):
    assert len(built_in.test_pairs) == len(prepared.test_pairs) == 4
    return zip(built_in.test_pairs, prepared.test_pairs, strict=True)


def test_images_labels_and_masks_come_out_to_the_bit(built_in, prepared):
    for there, here in both(built_in, prepared):
        for case, other in ((there.fixed, here.fixed), (there.moving, here.moving)):
            assert np.array_equal(built_in.image(case).array, prepared.image(other).array)
            assert np.array_equal(built_in.mask(case), prepared.mask(other))
            assert np.array_equal(Truth(built_in.folder).labels(case), Truth(prepared.folder).labels(other))
            assert built_in.image(case).affine == pytest.approx(prepared.image(other).affine, abs=1e-5)
        for points, others in zip(
            Truth(built_in.folder).landmarks(there), Truth(prepared.folder).landmarks(here), strict=True
        ):
            assert points == pytest.approx(others, abs=2e-6)


def test_the_judge_gives_the_same_numbers(built_in, prepared):
    rng, compared = np.random.default_rng(3), 0
    for there, here in both(built_in, prepared):
        u = rng.normal(0, 0.5, (3, *built_in.image(there.fixed).array.shape)).astype(np.float32)
        found = judge(u, here, prepared, Truth(prepared.folder))
        rows = {(row["metric"], row["protocol"], row["region"]): row["value"] for row in found}
        for row in judge(u, there, built_in, Truth(built_in.folder)):
            key = row["metric"], row["protocol"], row["region"]
            if key in rows:
                compared += 1
                assert rows[key] == pytest.approx(row["value"], rel=1e-5, abs=1e-6, nan_ok=True), key
            else:  # a user does not know the true displacement
                assert row["metric"].startswith("displacement_error"), key
    assert compared > 100


def test_the_same_splits_and_subjects(built_in, prepared):
    assert len(prepared.training_pairs) == len(built_in.training_pairs) == 4
    about = prepared.description
    assert len(about.subjects_of(about.test)) == 2
    assert about.labels == built_in.description.labels
    assert about.evaluated_labels == built_in.description.evaluated_labels


CONFIG = {
    "profile": "tiny",
    "seeds": [0],
    "run": {"datasets": ["phantom-liver", "mine"], "methods": ["identity", "demons"]},
    "timing": {"datasets": [], "pairs": 1, "rounds": 1},
    "datasets": {
        "phantom-liver": {"params": {**LIVER, "shape": list(LIVER["shape"])}},
        "mine": {
            "module": "folder",
            "like": "phantom-liver",
            "params": {"folder": "../mine/scans", "window": [0, 1], "phantom": True, "title": "Mine"},
        },
    },
}


@pytest.mark.slow
def test_a_run_from_a_configuration_beside_the_data_gives_the_same_tables(laid_out, built_in, tmp_path):
    """The configuration names the folder relative to itself; the command is called elsewhere."""
    (tmp_path / "mine").symlink_to(laid_out.parent)
    (tmp_path / "work").mkdir()
    config = copy.deepcopy(CONFIG)
    config["datasets"]["mine"]["params"]["evaluate"] = list(built_in.description.evaluated_labels)
    done = run(tmp_path / "work", config=config)  # which writes it there
    assert done.returncode == 0, done.stdout + done.stderr
    rows = pd.read_parquet(tmp_path / "work" / "results" / "tiny" / "metrics.parquet")
    rows = rows[(rows.status == "ok") & ~rows.metric.isin(["seconds", "peak_memory"])]
    rows = rows[~rows.metric.str.startswith("displacement_error")]
    keys = ["method", "metric", "protocol", "region"]
    means = rows.groupby([*keys, "dataset"]).value.agg(["mean", "count"]).unstack()
    assert len(means) > 50
    here, there = (means["mean"][name].to_numpy() for name in ("mine", "phantom-liver"))
    assert here == pytest.approx(there, rel=1e-4, nan_ok=True)
    assert (means["count"]["mine"] == means["count"]["phantom-liver"]).all()
    page = (tmp_path / "work" / "results" / "tiny" / "report" / "index.html").read_text("utf-8")
    assert "Mine (phantom)" in page


def test_what_is_checked_is_said_and_nothing_is_written(laid_out, capsys):
    before = sorted(laid_out.rglob("*"))
    check.main([str(laid_out)])
    text = capsys.readouterr().out
    assert "test: 4 pairs of 2 subjects" in text
    assert "landmarks: " in text
    assert sorted(laid_out.rglob("*")) == before


def test_every_problem_is_a_line_and_the_status_is_1(tmp_path, capsys):
    made = folders.unpaired(tmp_path / "scans")
    made.path(4, 0).unlink()
    made.path(2, 0, "labels").unlink()
    made.write()
    with pytest.raises(SystemExit) as caught:
        check.main([str(tmp_path / "scans")])
    lines = capsys.readouterr().out.splitlines()
    assert str(caught.value) == f"error: {len(lines)} problems; correct what is listed, and check again"
    assert len(lines) == 3  # an image, its labels without it, and other labels
    assert all(line.startswith("scans: ") for line in lines)


def test_a_configuration_is_checked_with_its_options(tmp_path, capsys):
    folders.plain(tmp_path / "scans")
    params = {"folder": "scans", "labels": {"lung": 1}, "evaluate": ["lungs"]}
    entry = {"module": "folder", "params": params}
    content = {"profile": "mine", "seeds": [0], "run": {"datasets": ["mine"], "methods": ["identity"]}}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump({**content, "datasets": {"mine": entry}}))
    with pytest.raises(SystemExit, match="1 problem;"):
        check.main([str(tmp_path / "bench.yaml")])
    assert "mine: evaluate: no label is called 'lungs'; did you mean 'lung'?" in capsys.readouterr().out
    content["run"]["datasets"] = ["phantom-liver"]
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(SystemExit, match="runs no data set of the module 'folder'"):
        check.main([str(tmp_path / "other.yaml")])
    with pytest.raises(SystemExit, match="no such folder or file"):
        check.main([str(tmp_path / "nowhere")])


ROW = "a_fixed.nii.gz,a_moving.nii.gz\n"


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("a_moving", "a_fixed", r"test pair a_fixed__a_fixed \(pairs\.csv, line 2\): registers an image with itself"),
        (ROW, 2 * ROW, r"test pair a_fixed__a_moving \(pairs\.csv, lines 2, 3\): is listed 2 times"),
        (f"\n{ROW}", f",split\n{ROW.strip()},training\n", "nothing to test on"),
        (
            f"\n{ROW}",
            f",split,subject\n{ROW.strip()},test,ann\nc.nii,,train,Ann\n",
            r"subject Ann and ann \(pairs\.csv, lines 2, 3\): in both",
        ),
        ("a_fixed.nii.gz", "b_fixed.nii.gz", r"pairs\.csv.*b_fixed\.nii\.gz: no such file"),
        ("fixed,moving", "fixed,moving,colour", "colour"),
        ("a_moving", "x" * 140_000, r"pairs\.csv: no sound CSV"),
    ],
)
def test_what_a_table_says_is_looked_through_before_a_run(tmp_path, before, after, fault):
    """No scan is opened for it; `snakemake -n` says the same."""
    for name in ("a_fixed.nii.gz", "a_moving.nii.gz", "c.nii"):
        (tmp_path / name).write_bytes(b"not opened")
    table = f"fixed,moving\n{ROW}"
    (tmp_path / "pairs.csv").write_text(table)
    assert own.supply(Params(folder=tmp_path)).missing == []
    (tmp_path / "pairs.csv").write_text(table.replace(before, after))
    content = {"profile": "mine", "seeds": [0], "run": {"datasets": ["mine"], "methods": ["identity"]}}
    entry = {"module": "folder", "params": {"folder": str(tmp_path)}}
    plan = Plan(resolve({**content, "datasets": {"mine": entry}}))
    (line,) = preflight.problems(plan, [preflight.Job("prepare", Wildcards("mine", "", "", ""))], 2, offer="goes on")
    assert re.search(fault, line)
    assert lacking.without(plan).settings.lacking == {}  # a table that is wrong is no data set that is missing


@pytest.mark.parametrize("name", ["learn2reg-oasis", "learn2reg-abdomen-ctct", "learn2reg-nlst", "learn2reg-lung-ct"])
def test_the_tasks_of_the_catalogue_say_where_they_are_to_be_had_and_are_read(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mirror").mkdir()
    content = {"profile": "mine", "seeds": [0], "run": {"datasets": [name], "methods": ["identity"]}}
    config = tmp_path / "bench.yaml"
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(SystemExit):
        check.main([str(config)])
    (line,) = capsys.readouterr().out.splitlines()
    assert re.search(r"cache/learn2reg/\w+: no such folder; .*_dataset.json lies in it", line)
    task = re.search(r"learn2reg/(\w+)", line)[1]
    place = tmp_path / "mirror" / "learn2reg" / task
    if name in ("learn2reg-oasis", "learn2reg-abdomen-ctct"):
        labels = 35 if "oasis" in name else 13
        content["datasets"] = {name: {"params": {"evaluate": [1, 2], "window": [-500, 500]}}}
        made = folders.unpaired(place, task, train=(1, 2), val=((395, 396), (396, 397)))
        catalogued = yaml.safe_load((ROOT / "workflows/config/catalogue/datasets.yaml").read_text("utf-8"))
        assert catalogued["datasets"][name]["params"]["evaluate"] == list(range(1, labels + 1))
    else:
        kind = "keypoints" if "nlst" in name else "landmarks"
        made = folders.paired(place, task, kind)
    made.write()
    config.write_text(yaml.safe_dump(content))
    check.main([str(config)])
    text = capsys.readouterr().out
    assert "test: 2 pairs" in text
    assert ("landmarks: 8 of 2 pairs" in text) == ("oasis" not in name and "abdomen" not in name)


def test_the_run_of_the_page_ends_with_a_report_and_leaves_the_data_alone(tmp_path):
    """The other commands are run by test_docs.py; this one takes seconds."""
    mine = mine_of_the_page(tmp_path / "home" / "mine")
    (typed,) = [each.text for each in commands() if each.page == "own-data.md" and each.text.startswith("snakemake")]
    words = [word.replace("~", str(tmp_path / "home")) for word in typed.replace("--cores all", "--cores 1").split()]
    project = copy_to(tmp_path)
    program = str(Path(sys.executable).with_name("snakemake"))
    done = subprocess.run([program, *words[1:]], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    results = project / "results" / "mine"
    assert "Breathing pairs of our clinic" in (results / "report" / "index.html").read_text("utf-8")
    rows = pd.read_parquet(results / "metrics.parquet")
    assert set(rows[rows.metric == "dice"].region) >= {"label_1", "label_2"}
    assert sorted(each.name for each in mine.iterdir()) == ["bench.yaml", "scans"]


def test_the_page_shows_what_the_check_says(tmp_path, capsys):
    check.main([str(mine_of_the_page(tmp_path / "mine") / "scans")])
    shown, said = block("own-data.md", "text").splitlines(), capsys.readouterr().out.splitlines()
    assert shown[1:] == said[1:]  # the first has the place
