"""A user's own NIfTI files, with what they have wrong, read by the real command in a copy of the project."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from benchmarks.records import text_of
from datasets.case import Truth, open_dataset
from tests.faults.copies import copy_to
from workflows.planning.specs import PrepareSpec

SHAPE = (24, 20, 18)
AFFINE = np.diag([-1.0, -1.2, 1.5, 1.0])
TURN = np.diag([-1.0, 1.0, 1.0, 1.0])
TURN[0, 3] = SHAPE[0] - 1


def ball(centre, radius):
    return sum((axis - c) ** 2 for axis, c in zip(np.indices(SHAPE), centre, strict=True)) < radius**2


def labels_at(shift=0) -> np.ndarray:
    return ball((9 + shift, 9, 9), 5) + 2 * ball((17 + shift, 10, 9), 3)


def picture(labels) -> np.ndarray:
    return labels * 90.0 + np.random.default_rng(0).normal(0, 3, SHAPE)


F, M = labels_at(), labels_at(2)
RGB = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
# Of each kind: the files that differ from a sound pair f, m, and a word of the error; see also the names below.
WRONG = {
    "large ids": ({"f_seg": np.where(F == 2, 65539, F).astype("i4")}, "truth/labels/f.nii.gz: .* such as 65539 at"),
    "negative": ({"f_seg": np.where(F, F, -1).astype("i2")}, "truth/labels/f.nii.gz: .* such as -1 at"),
    "between": ({"m_seg": (M * 0.7).astype("f4")}, "truth/labels/m.nii.gz: .* no whole numbers .* such as 0.7"),
    "off grid": ({"f_seg": (F.astype("i2"), AFFINE + 5 * np.eye(4, k=3))}, "does not lie as its image: origins differ"),
    "other shape": ({"f_seg": F[:-1].astype("i2")}, "f.nii.gz: does not lie as its image: shapes differ"),
    "constant": ({"f": np.full(SHAPE, 7, "f4")}, "images/f.nii.gz: all voxels are 0"),
    "four axes": ({"f": np.stack([picture(F)] * 2, axis=-1)}, "f.nii.gz: expected a 3-D volume"),
    "colours": ({"m": RGB}, "m.nii.gz: its voxels are colours"),
    "mirrored": (
        {"m": (picture(M)[::-1], AFFINE @ TURN), "m_seg": (M[::-1].astype("i2"), AFFINE @ TURN)},
        "test pair f__m: grids differ: orientations differ, LPS and RPS",
    ),
}  # fmt: skip


LEAST = ("none", "labels", "other labels", "no labels", "landmark", "displacement")


def put(folder: Path, **files) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        array, affine = content if isinstance(content, tuple) else (content, AFFINE)
        nib.save(nib.Nifti1Image(array, affine), folder / f"{name}.nii.gz")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with two modules more."""
    folder = copy_to(tmp_path_factory.mktemp("project"), "docs")
    for module in ("my_nifti.py", "least.py"):
        shutil.copy(Path(__file__).with_name(module), folder / "datasets")
    with open(folder / "workflows" / "config" / "catalogue" / "datasets.yaml", "a") as stream:
        stream.write("\n  mine: {module: my_nifti}\n")
        stream.writelines(
            f"  least-{n}: {{module: least, params: {{truth: {truth}}}}}\n" for n, truth in enumerate(LEAST)
        )
    return folder


def call(project, *command) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=project, env=environment, capture_output=True, text=True
    )


def prepare(project, source, pairs) -> tuple[subprocess.CompletedProcess, Path]:
    folder = source.parent / "prepared"
    params = {"source": str(source), "pairs": pairs}
    spec = source.parent / "spec.json"
    spec.write_text(text_of(PrepareSpec(name="mine", module="my_nifti", params=params, folder=folder)))
    return call(project, "workflows.prepare", spec), folder


def sound() -> dict:
    return {
        "f": picture(F).astype("f4"),
        "m": picture(M).astype("f4"),
        "f_seg": F.astype("i2"),
        "m_seg": M.astype("i2"),
    }


@pytest.mark.slow
@pytest.mark.fault(15, 16, 19)
@pytest.mark.parametrize("kind", WRONG)
def test_what_a_file_has_wrong_is_one_line(project, tmp_path, kind):
    files, words = WRONG[kind]
    put(tmp_path / "scans", **{**sound(), **files})
    done, folder = prepare(project, tmp_path / "scans", [["f", "m"]])
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("error: ")
    assert re.search(words, last)
    assert "Traceback" not in done.stderr
    assert not (folder / "dataset.json").exists()


@pytest.mark.slow
@pytest.mark.fault(19)
def test_labels_that_were_scaled_or_resampled_are_rounded(project, tmp_path):
    put(tmp_path / "scans", **{**sound(), "f_seg": (F - 1e-6 * (F > 0)).astype("f4")})
    image = nib.Nifti1Image((M * 3).astype("i2"), AFFINE)
    image.header.set_slope_inter(1 / 3, 0)
    nib.save(image, tmp_path / "scans" / "m_seg.nii.gz")
    done, folder = prepare(project, tmp_path / "scans", [["f", "m"]])
    assert done.returncode == 0, done.stderr
    assert np.array_equal(Truth(folder).labels("f"), F)
    assert np.array_equal(Truth(folder).labels("m"), M)
    assert "rounded to whole numbers: labels/f.nii.gz" in open_dataset(folder).description.notes[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([["sub__1", "sub__2"]], "case 'sub__1': a name cannot hold __"),
        ([["a_b", "c"], ["a", "b_c"]], "pairs a_b__c and a__b_c: would share the file disp_a_b_c.nii.gz"),
        ([["a", "A"]], "some disks do not tell these names apart"),
    ],
)
def test_names_that_would_be_mixed_up_are_one_line(project, tmp_path, pairs, words):
    cases = {case: F if n % 2 else M for n, case in enumerate(dict.fromkeys(case for pair in pairs for case in pair))}
    files = {case: picture(labels) for case, labels in cases.items()}
    put(tmp_path / "scans", **files, **{f"{case}_seg": labels.astype("u1") for case, labels in cases.items()})
    done, _ = prepare(project, tmp_path / "scans", pairs)
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]


def report(project, path: Path, datasets, **options) -> subprocess.CompletedProcess:
    config = {
        "profile": "mine",
        "seeds": [0],
        "run": {"datasets": datasets, "methods": ["identity", "demons"]},
        "timing": {"datasets": datasets, "pairs": 1, "rounds": 1},
        "datasets": {"mine": {"params": options}} if options else {},
        "methods": {"demons": {"params": {"iterations": [10, 5]}}},
    }
    path.write_text(json.dumps(config))
    shutil.rmtree(project / "results", ignore_errors=True)
    return call(project, "snakemake", "--cores", 2, "report", "--configfile", path)


@pytest.mark.slow
def test_any_name_goes_through_the_whole_pipeline(project, tmp_path):
    names = ["Zoë 1", "患者-2", "100%", "a#b & <c>", "it's", 'say "x"', "{x}$HOME", "back\\slash", "ж" * 50]
    put(tmp_path / "scans", **{name: picture(F if n % 2 else M) for n, name in enumerate(names)})
    for n, name in enumerate(names):
        nib.save(nib.Nifti1Image((F if n % 2 else M).astype("u1"), AFFINE), tmp_path / "scans" / f"{name}_seg.nii.gz")
    pairs = [*pairwise(names)]
    done = report(project, tmp_path / "mine.json", ["mine"], source=str(tmp_path / "scans"), pairs=pairs)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = pd.read_parquet(project / "results" / "mine" / "metrics.parquet")
    dice = rows[(rows.metric == "dice") & (rows.protocol == "nearest") & (rows.region == "mean")]
    found = dice.set_index(["method", "pair"]).value
    for fixed, moving in pairs:
        assert found["demons", f"{fixed}__{moving}"] > found["identity", f"{fixed}__{moving}"]
    page = (project / "results" / "mine" / "report" / "index.html").read_text(encoding="utf-8")
    assert "Gefäß &lt;b&gt;" in page
    assert "<b>" not in page.split("Gefäß")[1][:10]
    assert any(html.escape(f"{fixed}__{moving}", quote=False) in page for fixed, moving in pairs)
    assert "<c>" not in page


@pytest.mark.slow
@pytest.mark.fault(19)
def test_the_least_that_passes_preparation_stops_no_later_step(project, tmp_path):
    names = [f"least-{number}" for number in range(len(LEAST))]
    done = report(project, tmp_path / "least.json", names)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = pd.read_parquet(project / "results" / "mine" / "metrics.parquet")
    assert set(rows.status) == {"ok"}
    here = rows[(rows.method == "identity") & (rows.protocol == "nearest") & (rows.metric == "dice")]
    dice = here.set_index(["dataset", "region"]).value
    assert dice["least-1", "count"] == 1
    assert 0 < dice["least-1", "label_65535"] == dice["least-1", "mean"] < 1
    for number in (2, 3):  # nothing that both images have
        assert dice[f"least-{number}", "count"] == 0
        assert np.isnan(dice[f"least-{number}", "mean"])
    assert "least-0" not in here.dataset.to_list()


@pytest.mark.slow
def test_the_terminal_lists_every_problem_of_a_data_set(project, tmp_path):
    cases = [f"s{n:02d}" for n in range(30)]
    files = {case: picture(F) for case in cases}
    bad = {f"{case}_seg": (F * 1.3).astype("f4") for case in cases}
    put(tmp_path / "scans", **files, **bad)
    pairs = [[cases[0], case] for case in cases[1:]]
    done = report(project, tmp_path / "mine.json", ["mine"], source=str(tmp_path / "scans"), pairs=pairs)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert all(f"truth/labels/{case}.nii.gz: " in text for case in cases[:20])
    assert "and 10 more" in text
    (line,) = [line for line in text.splitlines() if line.startswith("WarpBench: ") and "s00.nii.gz" in line]
    assert line.endswith("(the first of 30 problems)")
    assert not list((project / "results" / "mine").rglob("records.jsonl"))
