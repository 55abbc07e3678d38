"""Trainings on another machine: listed here, made there without Snakemake, and taken here as this run's own."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from benchmarks.records import TrainingOutcome, read, write
from workflows.configuration.resolve import read_yaml, resolve
from workflows.configuration.sources import ROOT
from workflows.planning.marks import others
from workflows.planning.plan import Plan
from workflows.planning.specs import TrainSpec
from workflows.planning.wildcards import Wildcards
from workflows.prepare import prepare
from workflows.training.__main__ import main as make
from workflows.training.elsewhere import main
from workflows.training.note import Note

ABSENT = "ants itk jinja2 matplotlib pandas pooch pyarrow requests SimpleITK snakemake yaml"
QUICK = {"iterations": 2, "batch": 1, "checkpoint_every": 1}


def profile(folder, **changes):
    config = {
        "profile": "away",
        "seeds": [0, 1],
        "run": {"datasets": ["phantom-liver"], "methods": ["identity", "rcn-3", "ldr-1", "ldr-1-aldk"]},
        "datasets": {"phantom-liver": {"params": {"shape": [16, 16, 16], "training": 2, "test": 2}}},
        "methods": {
            "rcn-3": {"params": {"channels": 2}, "training": QUICK},
            "ldr-1": {"params": {"channels": 2}, "training": {**QUICK, **changes}},
            "ldr-1-aldk": {"like": "ldr-1", "training": {"aldk": {"disc_channels": 2}}},
        },
    }
    path = folder / "away.json"
    path.write_text(json.dumps(config))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A profile whose data are prepared and whose trainings were made by the command, as on another machine."""
    folder = tmp_path_factory.mktemp("away")
    path = profile(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        plan = plan_of(path)
        spec = plan.prepare(Wildcards("phantom-liver", "", "", ""))
        prepare(spec)
        main(["list", str(path)])
        shutil.rmtree(folder / spec.folder / "truth")  # there it is not needed
        for name in ABSENT.split():
            (folder / f"absent/{name}").mkdir(parents=True)
            (folder / f"absent/{name}/__init__.py").write_text("raise ModuleNotFoundError(__name__)\n")
        listed = str(plan.layout.results / "trainings.json")
        command = [sys.executable, "-m", "workflows.training", listed, "--device", "cpu", "--at-once", "2"]
        search = os.pathsep.join([str(folder / "absent"), str(ROOT)])
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": search})
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def plan_of(path):
    return Plan(resolve(read_yaml(path), [path]))


@pytest.fixture
def came_back(made, tmp_path, monkeypatch):
    """A copy of what came back, in the folder of the run that goes on."""
    shutil.copytree(made[0], tmp_path / "home", dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home" / "away.json"


def test_all_are_made_teachers_before_their_students(made):
    folder, said = made
    lines = said.splitlines()
    assert lines[-1] == "6 of 6 trainings are there"
    assert all(" ok in " in line for line in lines[:-1])
    for seed in ("seed0", "seed1"):
        [teacher] = [n for n, line in enumerate(lines) if f"rcn-3-{seed}" in line]
        [student] = [n for n, line in enumerate(lines) if f"ldr-1-aldk-{seed}" in line]
        assert teacher < student
    outcome = read(folder / "results/away/models/phantom-liver/ldr-1-aldk/seed0/training.json", TrainingOutcome)
    assert outcome.learned is not None
    assert outcome.learned.machine
    assert outcome.learned.teacher


def test_what_came_back_is_taken_and_is_not_made_again(came_back, capsys):
    plan = plan_of(came_back)
    jobs = [(path, plan.train(where)) for path, where in plan.trainings().items()]
    assert len(others(jobs)) == 6
    main(["adopt", str(came_back)])
    assert capsys.readouterr().out == "6 trainings taken; a run of this profile goes on with them\n"
    assert others(jobs) == []
    main(["list", str(came_back)])
    assert read(plan.layout.results / "trainings.json", list[TrainSpec]) == []


def test_trainings_of_other_options_are_not_taken(came_back, capsys):
    profile(came_back.parent, iterations=3)
    main(["adopt", str(came_back)])
    said = capsys.readouterr().out
    assert said.count("not taken: it is of other options") == 4
    assert "2 trainings taken" in said  # the teacher's are as they were


@pytest.mark.parametrize(
    ("field", "words"),
    [("code", "versions of the code"), ("data", "data"), ("teacher", "teachers"), ("seed", "seeds")],
)
def test_trainings_of_anything_else_are_not_taken(came_back, capsys, field, words):
    path = came_back.parent / "results/away/models/phantom-liver/ldr-1/seed0/elsewhere.json"
    note = json.loads(path.read_text())
    path.write_text(json.dumps({**note, field: 7 if field == "seed" else "other"}))
    main(["adopt", str(came_back)])
    said = capsys.readouterr().out
    assert f"ldr-1/seed0/training.json: not taken: it is of other {words}\n" in said
    assert "5 trainings taken" in said


def test_a_training_without_a_note_is_not_taken(came_back, capsys):
    path = came_back.parent / "results/away/models/phantom-liver/ldr-1/seed0/elsewhere.json"
    path.unlink()
    main(["adopt", str(came_back)])
    assert "not taken: it has no note of what it was made of" in capsys.readouterr().out


def test_a_training_without_its_weights_is_not_taken(came_back, capsys):
    [weights] = (came_back.parent / "results/away/models/phantom-liver/ldr-1/seed0").rglob("weights.safetensors")
    weights.unlink()
    main(["adopt", str(came_back)])
    said = capsys.readouterr().out
    assert "weights.safetensors: not the weights that it left" in said
    assert "5 trainings taken" in said


@pytest.mark.parametrize(("lost", "taken"), [(False, 4), (True, 2)])
def test_a_teacher_may_come_back_without_weights_if_only_its_students_need_them(came_back, capsys, lost, taken):
    """Of two seeds each of the teacher and the student; ``lost`` says that a student did not come back either."""
    config = json.loads(came_back.read_text())
    config["run"]["methods"] = ["identity", "ldr-1-aldk"]
    came_back.write_text(json.dumps(config))
    models = came_back.parent / "results/away/models/phantom-liver"
    for weights in models.glob("rcn-3/seed0/state/*/weights.safetensors"):
        weights.unlink()
    if lost:
        (models / "ldr-1-aldk/seed0/training.json").unlink()
    main(["adopt", str(came_back)])
    said = capsys.readouterr().out
    assert said.splitlines()[-1].startswith(f"{taken} trainings taken")
    assert ("not the weights that it left" in said) == lost


def test_the_same_command_goes_on_and_repeats_nothing(came_back, capsys):
    plan = plan_of(came_back)
    listed = plan.layout.results / "trainings.json"
    changed = came_back.parent / "results/away/models/phantom-liver/ldr-1/seed1"
    before = (changed / "training.json").read_bytes()
    shutil.rmtree(changed)
    make([str(listed), "--device", "cpu", "--at-once", "1"])
    said = capsys.readouterr().out
    assert said.count(" ok in ") == 1
    again = read(changed / "training.json", TrainingOutcome)
    assert again.sha256 == json.loads(before)["sha256"]


def test_when_the_time_is_over_the_rest_is_left(came_back, capsys):
    plan = plan_of(came_back)
    shutil.rmtree(plan.layout.results / "models")
    make([str(plan.layout.results / "trainings.json"), "--device", "cpu", "--seconds", "0.01"])
    assert "0 of 6 trainings are there; the same command goes on" in capsys.readouterr().out


def test_a_student_whose_teacher_is_nowhere_is_said(came_back):
    listed = plan_of(came_back).layout.results / "trainings.json"
    specs = [spec for spec in read(listed, list[TrainSpec]) if spec.teacher]
    shutil.rmtree(listed.parent / "models")
    write(listed, specs)
    with pytest.raises(SystemExit, match="ldr-1-aldk-seed0: its teacher is not in the list, and not trained"):
        make([str(listed), "--device", "cpu"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.json", "--device", "cpu"], "nowhere.json: no such file"),
        (["nowhere.json", "--device", "cpu", "--at-once", "0"], "expected more than 0"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, words):
    with pytest.raises(SystemExit, match=words):
        make(arguments)


@pytest.mark.parametrize("text", ["", "{}", "not json", '[{"run": 3}]'])
def test_another_file_than_the_list_is_not_to_be_deleted(text, tmp_path):
    path = tmp_path / "image.nii.gz"
    path.write_text(text)
    with pytest.raises(SystemExit, match=r"image\.nii\.gz: is no list of trainings; name the trainings\.json that"):
        make([str(path), "--device", "cpu"])


def test_a_profile_that_is_not_there_is_one_line():
    with pytest.raises(SystemExit, match="there is no such file"):
        main(["list", "nowhere.yaml"])


def test_data_that_are_not_prepared_are_said(tmp_path, monkeypatch):
    path = profile(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"not prepared yet; first run: snakemake --cores all data --configfile"):
        main(["list", str(path)])


def test_what_is_watched_is_to_be_copied_with_its_landmarks(tmp_path, monkeypatch, capsys):
    small = {"params": {"shape": [16, 16, 16]}}
    config = {
        "profile": "away",
        "seeds": [0],
        "run": {"datasets": ["phantom-popi"], "methods": ["progressive-baseline"]},
        "datasets": {"phantom-popi": small, "phantom-lidc": {"params": {"shape": [16, 16, 16], "training": 2}}},
        "methods": {"progressive-baseline": {"watch": ["phantom-popi"]}},
    }
    path = tmp_path / "away.json"
    path.write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    prepare(plan_of(path).prepare(Wildcards("phantom-lidc", "", "", "")))
    with pytest.raises(SystemExit, match=r"phantom-popi: its data are not prepared yet"):
        main(["list", str(path)])
    prepare(plan_of(path).prepare(Wildcards("phantom-popi", "", "", "")))
    main(["list", str(path)])
    copied = capsys.readouterr().out.splitlines()[0].split()
    assert "results/away/data/phantom-popi" in copied
    assert "results/away/data/phantom-lidc/{dataset.json,images,masks}" in copied


def test_trainings_that_did_not_come_back_are_said(tmp_path, monkeypatch, capsys):
    path = profile(tmp_path)
    monkeypatch.chdir(tmp_path)
    main(["adopt", str(path)])
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("6 trainings are not here, the first is results/away/models/phantom-liver/rcn-3/seed0")
    assert last.startswith("0 trainings taken")


def test_a_note_tells_what_differs():
    assert Note(method="m", seed=1).difference(Note(method="m", seed=1)) == ""
    assert Note(method="m", seed=1).difference(Note(method="m", seed=2, data="d")) == "it is of other seeds and data"
