"""The training step: options become what the method's annotations say, and a student waits for its teacher."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmarks.provenance import cpu_model
from benchmarks.records import Learned, TrainingOutcome, read, write
from datasets.case import Pair, Writer
from datasets.description import Description, TrainingSplit
from datasets.files import DataError
from workflows.configuration.resolve import resolve
from workflows.planning import plan, timed
from workflows.planning.specs import MethodSpec, TrainSpec
from workflows.running import unavailable
from workflows.running.machine import MachineError
from workflows.training.one import train


@pytest.fixture
def folder(tmp_path):
    writer, rng = Writer(tmp_path / "data"), np.random.default_rng(0)
    for case in ("a", "b"):
        writer.image(case, rng.random((16, 16, 16), dtype=np.float32), np.eye(4))
    writer.finish(Description(name="noise", training=TrainingSplit(("a", "b")), test=()))
    return tmp_path


def specification(folder, name, *, module="methods.recursive", params=None, seed=0, **changes) -> TrainSpec:
    params = params or {"base": "ldr", "stem": "dense", "channels": 2, "shrink": 1}
    spec = TrainSpec(
        by=MethodSpec(method=name, module=module, params=params, device="cpu", seed=seed, libraries={}),
        dataset="noise",
        data=folder / "data",
        training={"iterations": 4, "batch": 2, "learning_rate": 0.001},
        teacher=None,
        watch=[],
        sources=[],
        folder=folder / name / "seed0",
    )
    return replace(spec, **changes)


def outcome(folder, name, **changes) -> TrainingOutcome:
    (folder / name / "seed0").mkdir(parents=True, exist_ok=True)
    train(specification(folder, name, **changes), 1)
    return read(folder / name / "seed0" / "training.json", TrainingOutcome)


def student(folder, **aldk):
    training = {**specification(folder, "student").training, "aldk": {"disc_channels": 2, **aldk}}
    return outcome(folder, "student", training=training, teacher=folder / "teacher" / "seed0" / "training.json")


def test_a_student_learns_from_its_teachers_checkpoint(folder):
    assert outcome(folder, "teacher").status == "ok"
    taught = student(folder)
    assert taught.status == "ok"
    curve = Path(taught.checkpoint).with_name("curve.jsonl").read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(curve) if "adversarial" in line] == [3]


def test_a_training_records_what_it_learned_from_and_for_how_long(folder):
    """What a report holds against what a paper says, with the weights of the teacher that took part."""
    teacher, taught = outcome(folder, "teacher"), student(folder)
    assert taught.learned == Learned(
        module="", collection="", phantom=False, cases=2, shape=(), shrink=1, iterations=4, planned=4, batch=2,
        learning_rate=0.001, teacher=teacher.sha256, machine=f"{cpu_model()}, torch {torch.__version__}",
    )  # fmt: skip
    half = outcome(folder, "half", params={"base": "ldr", "stem": "dense", "channels": 2, "shrink": 2})
    assert (half.learned.shrink, half.learned.teacher) == (2, "")


def test_another_teacher_means_another_training(folder):
    outcome(folder, "teacher")
    before = student(folder)
    weights = load_file(before.checkpoint)  # the next training removes it
    outcome(folder, "teacher", seed=1)
    after = student(folder)
    assert before.checkpoint != after.checkpoint
    # Not the files: their headers name the teacher.
    assert any(not torch.equal(weights[name], tensor) for name, tensor in load_file(after.checkpoint).items())


def test_a_student_of_a_teacher_that_failed_fails_with_its_reason(folder):
    assert outcome(folder, "teacher", training={"iterations": 4, "batch": 0}).status == "failed"
    taught = student(folder)
    assert taught.status == "failed"
    assert "its teacher, teacher, could not be trained" in taught.reason
    assert "batch must be positive" in taught.reason


def test_a_wrong_switch_of_aldk_is_named(folder):
    outcome(folder, "teacher")
    assert "gamma must lie in [0, 1], got 3" in student(folder, gamma=3.0).reason
    assert "option aldk.objective: Invalid enum value 'gan'" in student(folder, objective="gan").reason


def test_a_students_training_waits_for_the_teacher_on_the_same_data():
    class Wildcards:
        method, dataset, seed = "ldr-1-aldk", "phantom-liver", "0"

    mini = plan.Plan(resolve({}))
    expected = "results/mini/models/phantom-liver/rcn-3/seed0/training.json"
    assert mini.teacher(Wildcards) == [expected]
    assert str(mini.train(Wildcards).teacher) == expected
    Wildcards.method = "rcn-3"
    assert mini.teacher(Wildcards) == []


def test_snapshots_are_judged_on_the_watched_data_and_kept(folder):
    writer, rng = Writer(folder / "watched"), np.random.default_rng(1)
    for case in ("f", "m"):
        writer.image(case, rng.random((16, 16, 16), dtype=np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
    writer.landmarks(Pair("f", "m"), rng.random((7, 3)) * 15, rng.random((7, 3)) * 15)
    writer.finish(Description(name="watched", training=TrainingSplit(()), test=(Pair("f", "m"),)))
    spec = {
        "module": "methods.progressive",
        "params": {"channels": 2, "levels": 2, "norm": "running"},  # norm concerns the registration alone
        "training": {"iterations": 6, "transition": 1, "duration": 3, "snapshot_every": 3, "maps": 1},
        "watch": [folder / "watched"],
    }
    done = outcome(folder, "grown", **spec)
    assert done.status == "ok", done.reason
    lines = (Path(done.kept) / "snapshots.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["iteration"], row["dataset"], row["pair"], row["count"]) for row in rows] == [
        (3, "watched", "f__m", 7),
        (6, "watched", "f__m", 7),
    ]


def test_a_diverged_training_keeps_its_curve(folder):
    spec = {
        "module": "methods.progressive",
        "params": {"channels": 2, "levels": 2},
        "training": {"iterations": 6, "transition": 1, "duration": 3, "learning_rate": 1e30},
    }
    done = outcome(folder, "grown", **spec)
    assert done.status == "diverged"
    assert done.checkpoint == ""
    assert (Path(done.kept) / "curve.jsonl").exists()
    assert done.learned.iterations < done.learned.planned == 6


def test_a_plan_runs_each_method_with_its_own_seeds():
    chosen = plan.Plan(resolve({}))
    trainings = chosen.all_trainings()
    for name, seeds in (("progressive", [0, 1, 2]), ("progressive-long", [0]), ("ldr-1", [0, 1, 2]), ("ldr-2", [0])):
        found = sorted(Path(path).parent.name for path in trainings if Path(path).parts[-3] == name)
        assert set(found) == {f"seed{seed}" for seed in seeds}
    assert sum("/progressive/seed2/" in path for path in chosen.all_metrics()) == 3
    brains = [path for path in chosen.all_metrics() if "/phantom-brain/" in path and "/ldr-1/" in path]
    assert [Path(path).parts[-3] for path in brains] == ["seed0"]  # by_dataset
    specification = chosen.train(SimpleNamespace(method="progressive", dataset="phantom-lidc", seed="1"))
    assert [path.name for path in specification.watch] == ["phantom-dirlab", "phantom-creatis", "phantom-popi"]
    assert specification.training["pairs_seed"] == 0
    watched = chosen.watched(SimpleNamespace(method="progressive"))
    assert watched == [
        f"results/mini/data/{name}/truth" for name in ("phantom-dirlab", "phantom-creatis", "phantom-popi")
    ]


def unavailable_teacher(folder) -> plan.Plan:
    """Return the plan of a run of two students whose teacher, which does not run itself, is trained nowhere."""
    chosen = plan.Plan(
        resolve({"run": {"datasets": ["phantom-liver"], "methods": ["ldr-3-aldk", "ldr-2-aldk"]}, "seeds": [0]})
    )
    for path, where in chosen.trainings().items():
        about = {"dataset": where.dataset, "method": where.method, "seed": int(where.seed)}
        found = TrainingOutcome(**about, status="unavailable", reason="no library")
        path.parent.mkdir(parents=True)
        write(path, found)
    return chosen


def test_an_unavailable_teacher_is_tried_again_even_where_it_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = unavailable_teacher(tmp_path)
    assert [path.parts[-3] for path in chosen.trainings()] == ["ldr-3-aldk", "rcn-3", "ldr-2-aldk"]
    after = [chosen.layout.unavailable, chosen.layout.archive, chosen.layout.finished]
    for path in after:
        path.touch()
    assert len(unavailable.forget(chosen)) == 3
    assert not list(tmp_path.rglob("training.json"))
    assert not any(path.exists() for path in after)  # each stands before a step that Snakemake would otherwise skip


def test_every_job_is_planned_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    jobs = [path for path, _ in unavailable_teacher(tmp_path).jobs()]
    assert sorted(jobs) == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("training.json"))


def test_timing_takes_the_methods_of_each_data_set():
    timed = {(run.dataset, run.by.method) for run in plan.Plan(resolve({})).timing(None).runs}
    assert ("phantom-dirlab", "progressive") in timed
    assert ("phantom-dirlab", "elastix-bspline") not in timed
    assert ("phantom-liver", "elastix-bspline") in timed


def test_timing_depends_on_the_masks_and_on_the_code_of_the_worker():
    made = plan.Plan(resolve({}))
    needed = timed.inputs_of(made.timing(None))
    assert str(made.layout.masks("phantom-liver")) in needed
    assert {"worker.py", "demons.py"} <= {Path(path).name for path in needed}


def test_what_lies_beside_the_states_of_a_training_stays_and_is_no_failure(folder):
    states = folder / "net" / "seed0" / "state"
    (states / "other code").mkdir(parents=True)
    (states / ".DS_Store").write_text("x")
    (states / "link").symlink_to(folder / "data")
    (states / "nowhere").symlink_to(folder / "none")
    done = outcome(folder, "net")
    assert done.status == "ok", done.reason
    assert {path.name for path in states.iterdir()} == {".DS_Store", "link", "nowhere", Path(done.kept).name}
    assert (folder / "data" / "dataset.json").exists()


@pytest.mark.parametrize("put", [lambda path: path.write_text("x"), lambda path: path.symlink_to("none")])
def test_a_training_whose_states_cannot_be_kept_is_no_failed_training(folder, put):
    (folder / "net" / "seed0").mkdir(parents=True)
    put(folder / "net" / "seed0" / "state")
    with pytest.raises(MachineError, match=r"seed0/state.*move it away and run again"):
        outcome(folder, "net")
    assert not (folder / "net" / "seed0" / "training.json").exists()


def test_a_folder_where_a_training_keeps_a_file_is_no_failed_training(folder):
    done = outcome(folder, "net")
    for path in [*Path(done.kept).iterdir(), folder / "net" / "seed0" / "training.json"]:
        path.unlink()
    (Path(done.kept) / "curve.jsonl").mkdir()
    with pytest.raises(MachineError, match=r"^training: \S*curve\.jsonl: .*move it away and run again$"):
        outcome(folder, "net")
    assert not (folder / "net" / "seed0" / "training.json").exists()


def test_data_that_cannot_be_read_are_no_failed_training_and_cost_no_weights(folder):
    assert outcome(folder, "net").status == "ok"
    about = folder / "data" / "dataset.json"
    about.write_text(about.read_text("utf-8")[:50])
    with pytest.raises(DataError, match="dataset\\.json"):
        train(specification(folder, "net"), 1)
    kept = read(folder / "net" / "seed0" / "training.json", TrainingOutcome)
    assert kept.status == "ok"
    assert Path(kept.checkpoint).exists()
