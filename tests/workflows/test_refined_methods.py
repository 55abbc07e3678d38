"""``refine`` in an entry: checked, shown, part of a run's identity, and never a reason to train once more."""

import json
from dataclasses import replace

import pytest

from benchmarks.records import Registrations, read
from benchmarks.rows import RunRow
from datasets.files import read_displacement
from workflows import register, show
from workflows.configuration.config import SettingsError
from workflows.configuration.resolve import resolve
from workflows.configuration.sources import ROOT
from workflows.planning.layout import ChunkFolder
from workflows.planning.plan import Plan
from workflows.planning.wildcards import Wildcards

ENTRIES = {"far": {"like": "ldr-1", "label": "LDR, refined", "refine": {"steps": 5}}}


def settings(entries=ENTRIES, methods=("ldr-1", "far"), **others):
    run = {"datasets": ["phantom-liver"], "methods": list(methods)}
    return resolve({"profile": "mine", "seeds": [0, 1], "run": run, "methods": entries, **others})


@pytest.mark.parametrize(
    ("refine", "fault"),
    [
        ({"stpes": 5}, r"methods\.far\.refine: unknown option 'stpes'; did you mean 'steps'"),
        ({"steps": 1.5}, r"refine\.steps: expected whole number, got 1\.5"),
        ({"steps": -1}, r"refine\.steps: expected no number below 0"),
        ({"similarity": "mi"}, r"refine\.similarity: expected one of local_correlation, correlation, squares"),
        ([5], r"methods\.far\.refine: expected keys and values"),
    ],
)
def test_its_options_are_checked(refine, fault):
    with pytest.raises(SettingsError, match=fault):
        settings({"far": {**ENTRIES["far"], "refine": refine}})


def test_a_refined_variant_uses_the_training_of_what_it_is_like():
    plan = Plan(settings())
    trainings = [f"results/mine/models/phantom-liver/ldr-1/seed{seed}/training.json" for seed in (0, 1)]
    assert plan.all_trainings() == trainings
    assert [str(path) for path in plan.trainings()] == trainings
    assert [where.method for where in plan.trainings().values()] == ["ldr-1", "ldr-1"]
    spec = plan.register(Wildcards("phantom-liver", "far", "1", "0"))
    assert str(spec.run.training) == trainings[1]
    assert spec.run.by.refine == {"steps": 5}
    assert plan.train(Wildcards("phantom-liver", "ldr-1", "1", "")).by.refine == {}


@pytest.mark.parametrize("other", [{"params": {"cascades": 2}}, {"training": {"iterations": 7}}, {"refine": {}}])
def test_any_other_difference_is_a_training_of_its_own(other):
    plan = Plan(settings({"far": {**ENTRIES["far"], **other}}))
    assert [where.method for where in plan.trainings().values()] == ["ldr-1", "ldr-1", "far", "far"]


def test_a_refined_variant_alone_trains_itself():
    assert {where.method for where in Plan(settings(methods=["far"])).trainings().values()} == {"far"}


def test_only_refined_registrations_depend_on_the_code_that_refines():
    plan = Plan(settings())
    code = {method: plan.method_code(Wildcards("phantom-liver", method, "0", "0")) for method in ("ldr-1", "far")}
    extra = set(code["far"]) - set(code["ldr-1"])
    assert any(path.endswith("methods/blocks/refinement/adam.py") for path in extra)
    assert all("methods/blocks/refinement/" in path for path in extra)


def test_show_has_the_options_and_their_origin(tmp_path, capsys):
    path = tmp_path / "mine.json"
    run = {"datasets": ["phantom-liver"], "methods": ["demons", "far"]}
    far = {"like": "demons", "label": "Far", "refine": {"steps": 5}}
    path.write_text(json.dumps({"profile": "mine", "seeds": [0], "run": run, "methods": {"far": far}}))
    show.main(["far", "phantom-liver", "--configfile", str(path)])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    options = lines[lines.index("Options under refine") :]
    assert "steps 5 profile mine" in options
    assert "rate 0.1 -" in options


def test_the_options_are_documented():
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert "| `steps` | whole number | `0` |" in text[text.index("## After any method") :]


def refining(spec, **options):
    """Return a specification whose displacements are refined."""
    return replace(spec, run=replace(spec.run, by=replace(spec.run.by, refine=options)))


def test_a_registration_is_refined_timed_and_says_so(make_dataset, registration):
    data = make_dataset(dark=1, bright=1)
    plain = registration(data, "methods.identity", folder="plain")
    refined = refining(registration(data, "methods.identity", folder="refined"), steps=3, cell=3, window=5)
    runs = {}
    for spec in (plain, refined):
        register.register(spec, threads=1)
        runs[spec.folder.name] = done = read(ChunkFolder(spec.folder).registrations, Registrations)
        moved = [read_displacement(ChunkFolder(spec.folder).displacement(pair)).any() for pair in data.test_pairs]
        assert moved == [bool(spec.run.by.refine)] * 2
        assert all((each.refine_seconds is None) != bool(spec.run.by.refine) for each in done.pairs)
    assert all(0 < each.refine_seconds <= each.seconds for each in runs["refined"].pairs)
    first, second = (runs[name].run for name in ("plain", "refined"))
    assert isinstance(second, RunRow)
    assert (json.loads(first.params), json.loads(second.params)) == ({}, {"refine": refined.run.by.refine})
    assert first.run != second.run


def test_what_is_no_displacement_is_not_refined(make_dataset, registration):
    spec = refining(registration(make_dataset(), fault="nan"), steps=1)
    register.register(spec, threads=1)
    done = read(ChunkFolder(spec.folder).registrations, Registrations)
    assert [each.status for each in done.pairs] == ["invalid_output", "ok"]
