"""A long profile runs stage by stage, in order of importance, in pieces that go on where the last one stopped.

`python -m workflows.ahead.stages` is the command.
"""

import json
import signal
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.records import Declared, read_lines
from methods import recursive
from reports.archive.load import load
from reports.archive.packed import read
from workflows.ahead import declaring, preflight, stages
from workflows.configuration.config import SettingsError
from workflows.configuration.resolve import read_yaml, resolve
from workflows.configuration.sources import ROOT
from workflows.planning.plan import Plan
from workflows.running.options import build

STUDY = ROOT / "workflows" / "config" / "study.yaml"
SMALL = {
    "profile": "small",
    "seeds": [0, 1],
    "groups": {"both": ["phantom-liver", "phantom-brain"]},
    "run": {"datasets": ["phantom-liver", "phantom-brain"], "methods": ["identity", "ldr-1", "rcn-1", "demons"]},
    "stages": [
        {"datasets": ["phantom-liver"], "methods": ["identity", "ldr-1"], "seeds": [0], "minutes": 5},
        {"datasets": ["both"], "methods": ["identity", "ldr-1", "rcn-1"], "seeds": [0, 1], "minutes": 40},
    ],
    "methods": {"identity": {"seeds": [0]}},
}


def small(**changes):
    return resolve({**SMALL, **changes})


def runs(settings):
    return {(m, d, seed) for m, d in settings.runs for seed in settings.seeds(m, d)}


def test_a_run_reaches_as_far_as_its_stage():
    first, every = small(stage=1), small()
    assert runs(first) == {("identity", "phantom-liver", 0), ("ldr-1", "phantom-liver", 0)}
    assert (first.datasets, first.methods) == (["phantom-liver"], ["identity", "ldr-1", "demons"])
    assert every.datasets == ["phantom-liver", "phantom-brain"]
    assert runs(every) > runs(first)
    assert every.seeds("ldr-1", "phantom-brain") == [0, 1]
    assert every.seeds("identity", "phantom-brain") == [0]  # which both the stage and the method have
    assert runs(small(stage=2)) == runs(every)


def test_a_run_may_leave_the_first_stages_to_another():
    apart = [SMALL["stages"][0], {"datasets": ["phantom-brain"], "methods": ["rcn-1"], "seeds": [1]}]
    second = small(stages=apart, first_stage=2)
    assert runs(second) == {("rcn-1", "phantom-brain", 1)}
    assert (second.datasets, second.methods) == (["phantom-brain"], ["rcn-1", "demons"])
    assert runs(second) | runs(small(stages=apart, stage=1)) == runs(small(stages=apart))
    assert declaring.budgets(second) == declaring.budgets(small(stages=apart))


def test_a_method_of_no_stage_does_not_run():
    assert "demons" not in {method for method, _ in small().runs}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"stage": 3}, "stage: 3 stages are asked for, and the profile small has 2"),
        ({"stage": 0}, "stage: expected a number of at least 1, got 0"),
        ({"stages": [], "stage": 1}, "the profile small has none"),
        ({"stage": 1, "first_stage": 2}, "first_stage: 2 comes after the last of the run, 1"),
        ({"first_stage": 3}, "first_stage: 3 comes after the last of the run, 2"),
        ({"stages": [], "first_stage": 2}, "first_stage: 2 comes after the last of the run, none"),
        ({"first_stage": 0}, "first_stage: expected a number of at least 1, got 0"),
        ({"stages": SMALL["stages"][:1]}, "'phantom-brain' is in no stage"),
        ({"stages": [{**SMALL["stages"][1], "seeds": [0, 7]}]}, "stages.0.seeds: 7 is none of the profile's"),
        ({"stages": [{**SMALL["stages"][1], "methods": ["ldr-2"]}]}, "stages.0.methods: unknown method"),
        ({"stages": [{**SMALL["stages"][1], "datasets": ["both", "phantom-lung"]}]}, "stages.0.datasets: unknown data"),
    ],
)
def test_stages_that_cannot_be_run_are_refused(wrong, words):
    with pytest.raises(SettingsError, match=words):
        small(**wrong)


def finish(plan, stage):
    for path in plan.up_to(stage).all_registrations():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def test_what_is_done_and_what_is_left_shows_in_the_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = Plan(small())
    assert (stages.done(plan), stages.minutes_left(plan)) == (0, 45)
    assert stages.minutes_left(plan.up_to(1)) == 5
    finish(plan, 1)
    assert (stages.done(plan), stages.minutes_left(plan)) == (1, 40)
    assert stages.minutes_left(plan.up_to(1)) == 0
    alone = Plan(small(first_stage=2))
    assert stages.minutes_left(alone) == 40
    finish(plan, 2)
    assert (stages.done(plan), stages.minutes_left(plan)) == (2, 0)
    assert (stages.done(alone), stages.minutes_left(alone)) == (2, 0)


def test_the_forecast_has_the_pilots_minutes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "time: about 22 min on 2 cores by a pilot" in preflight.forecast(Plan(small()), [], 2, 44)[-1]


def test_the_clock_stops_a_command_and_its_own_end_is_told():
    assert stages.run_until([sys.executable, "-c", "raise SystemExit(3)"], None) == 3
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    assert stages.run_until(sleeping, time.monotonic()) is None
    before = signal.getsignal(signal.SIGTERM)
    assert stages.run_until([sys.executable, "-c", ""], time.monotonic() + 60) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_is_handed_on():
    text = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(600)"
    assert stages.run_until([sys.executable, "-c", text], None) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([str(ROOT / "workflows" / "config" / "smoke.yaml")], "has no stages"),
        ([str(STUDY), "--minutes", "0"], "expected more than 0"),
    ],
)
def test_what_cannot_be_run_in_stages_is_one_line(arguments, words):
    with pytest.raises(SystemExit, match=words):
        stages.main(arguments)


def study(stage=None):
    return resolve({**read_yaml(STUDY), **({"stage": stage} if stage else {})}, [STUDY])


OTHER_READINGS = ("distilled", "aldk-mean-linear", "aldk-logit", "aldk-wgan")


def test_the_study_has_the_subjects_and_seeds_that_claims_need():
    settings = study()
    liver = settings.dataset("phantom-liver").params
    assert liver["test"] >= 24
    assert liver["validation"] >= 2
    trained = {(m, d): len(settings.seeds(m, d)) for m, d in settings.runs if settings.trains(m)}
    fewer = {(m, d) for (m, d), count in trained.items() if count < 6}
    assert fewer == {(f"ldr-1-{name}", "synthseg") for name in OTHER_READINGS}  # docs/study.md says why
    assert all(trained[each] == 3 for each in fewer)
    assert all(settings.dataset(name).judge == "test" for name in settings.datasets)


def test_arms_of_the_study_are_paired_in_all_but_what_they_are_compared_for():
    settings = study()
    for dataset in ("phantom-liver", "synthseg"):
        arms = [method for method, on in settings.runs if on == dataset and method.startswith("ldr-1")]
        assert len(arms) == 7
        assert len({build(recursive.Params, settings.params(method, dataset)) for method in arms}) == 1
        lessons = [{**settings.training(method, dataset), "aldk": None} for method in arms]
        assert all(lesson == lessons[0] for lesson in lessons)
        presets = {settings.training(m, dataset)["aldk"].get("preset") for m in arms if m != "ldr-1"}
        assert len(presets) == 1
    grown = {"progressive-baseline", "progressive", "progressive-square", "progressive-intensities"}
    for method in grown:
        own, other = (settings.training(name, "phantom-lidc") for name in (method, "progressive-baseline"))
        growth = {"transition": 0, "duration": 0}
        assert {**own, **growth} == {**other, **growth}


def test_every_stage_of_the_study_has_work_of_its_own():
    reached = [runs(study(stage)) for stage in range(1, len(study().config.stages) + 1)]
    assert all(one < other for one, other in pairwise(reached))
    assert reached[-1] == runs(study())


def test_budgets_do_not_depend_on_how_far_a_run_goes():
    assert declaring.budgets(study(1)) == declaring.budgets(study())
    longer = {"ldr-1": {"training": {"iterations": 9}}}
    assert declaring.budgets(resolve({**SMALL, "methods": {**SMALL["methods"], **longer}})) != declaring.budgets(
        small()
    )


def test_what_is_declared_is_noted_once_and_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = Plan(small(papers={"progressive": {}}))
    declaring.declare(plan)
    declaring.declare(plan.up_to(1))
    [first] = read_lines(plan.layout.declared, Declared)
    assert first.claims["progressive"].keys() >= {"lower_error", "folds_more"}
    changed = replace(plan, settings=small(papers={"progressive": {}}, seeds=[0, 1, 2]))
    declaring.declare(changed)
    assert len(list(read_lines(plan.layout.declared, Declared))) == 1  # no stage has the new seed
    longer = {**SMALL["methods"], "ldr-1": {"training": {"iterations": 9}}}
    declaring.declare(Plan(small(papers={"progressive": {}}, methods=longer)))
    both = list(read_lines(plan.layout.declared, Declared))
    assert [each.claims for each in both] == [first.claims] * 2
    assert both[0].budgets != both[1].budgets


def test_the_kept_study_was_declared_as_it_is_now():
    """Claims and margins since its first run; the budgets, with stages that came later, since its last."""
    kept = ROOT / "reports" / "measured" / "study"
    if not kept.exists():
        pytest.skip("no run of the study is kept yet")
    declared, now = load(read(kept)).run.declared, declaring.declaration(study())
    assert [(each.margins, each.claims) for each in declared] == [(now.margins, now.claims)] * len(declared)
    assert declared[-1].content == now.content


def tiny(folder):
    """The study itself, of small images, few iterations and few methods."""
    whole = dict(read_yaml(STUDY))
    chosen = ["identity", "rcn-3", "ldr-1", "ldr-1-aldk", "progressive-baseline"]
    quick = {"iterations": 6, "checkpoint_every": 2}
    methods = {name: {**entry} for name, entry in whole["methods"].items()}
    for name in chosen[1:]:
        methods[name]["training"] = {**methods[name].get("training", {}), **quick}
        methods[name]["by_dataset"] = {}
    methods["progressive-baseline"]["training"]["snapshot_every"] = 3
    parts = [(["phantom-liver"], chosen[:4], [0]), (["phantom-dirlab"], [chosen[0], chosen[4]], [0])]
    config = {
        **whole,
        "groups": {"chests": ["phantom-dirlab"], "anatomies": ["phantom-liver"]},
        "run": {"datasets": ["phantom-liver", "phantom-dirlab"], "methods": chosen},
        "papers": {"ldr-aldk": {"sliver": "phantom-liver"}, "progressive": {"dirlab": "phantom-dirlab"}},
        "stages": [{"datasets": d, "methods": m, "seeds": s} for d, m, s in parts],
        "datasets": {
            "phantom-liver": {
                "params": {"shape": [32, 32, 32], "training": 3, "validation": 3, "test": 3, "partners": 1}
            },
            "phantom-lidc": {"params": {"shape": [32, 16, 32], "training": 2, "validation": 2}},
            "phantom-dirlab": {"params": {"shape": [32, 16, 32], "test": 2, "severity": [5.0, 9.0], "landmarks": 20}},
        },
        "methods": {
            name: methods[name]
            for name in methods
            if name in {*chosen, *(each.get("like", "") for each in methods.values())}
        },
    }
    path = folder / "study.json"
    path.write_text(json.dumps(config))
    return path


@pytest.mark.slow
def test_a_tiny_study_goes_on_where_it_stopped(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    path = tiny(tmp_path)
    stages.main([str(path), "--cores", "2", "--minutes", "0.2"])
    assert "0.2 minutes are over in stage 1 of 2; the same command goes on" in capfd.readouterr().err
    assert stages.done(Plan(resolve(read_yaml(path), [path]))) == 0
    stages.main([str(path), "--cores", "2"])
    found = load(read(tmp_path / "results" / "study" / "archive.zip"))
    assert set(found.run.methods) == {"identity", "rcn-3", "ldr-1", "ldr-1-aldk", "progressive-baseline"}
    assert len(found.run.declared) == 1
    assert {(each.method, each.status) for each in found.run.trainings} == {
        (name, "ok") for name in ("rcn-3", "ldr-1", "ldr-1-aldk", "progressive-baseline")
    }
    assert (tmp_path / "results" / "study" / "report" / "claims.csv").exists()
    said = capfd.readouterr().err
    assert "stage 1 of 2" in said
    assert "stage 2 of 2" in said
