"""A configuration fault is one line that names the place and the nearest valid word."""

import math
from pathlib import Path

import pytest

from reports.reading.trainings import first_seed
from workflows.configuration import annotations
from workflows.configuration.config import SettingsError, merge
from workflows.configuration.resolve import read_yaml, resolve
from workflows.planning.plan import Plan
from workflows.planning.wildcards import Wildcards

PROFILES = sorted((Path(__file__).parents[2] / "workflows" / "config").glob("*.yaml"))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_valid(path):
    settings = resolve(read_yaml(path))
    assert settings.profile == path.stem
    assert settings.runs


def test_a_profile_need_not_time_anything():
    run = {"datasets": ["phantom-liver"], "methods": ["demons"]}
    assert not Plan(resolve({"profile": "mine", "seeds": [0], "run": run})).timing(Wildcards("", "", "", "")).runs


def test_no_configuration_means_the_mini_profile():
    assert resolve({}).profile == "mini"


BAD = [
    ({"sedes": [0]}, "unknown key 'sedes'; did you mean 'seeds'"),
    ({"seeds": "0"}, 'seeds: expected a list, got "0"'),
    ({"time_limit": "1e3"}, "write 1000.0"),
    ({"run": {"methods": ["ants-syn-matts"]}}, "unknown method 'ants-syn-matts'; did you mean 'ants-syn-mattes'"),
    ({"run": {"datasets": ["phantom-livr"]}}, "did you mean 'phantom-liver'"),
    ({"methods": {"ldr-1": {"module": "recursiv"}}}, "unknown module 'recursiv'; did you mean 'recursive'"),
    ({"methods": {"ldr-1": {"parms": {}}}}, "unknown key 'parms'; did you mean 'params'"),
    ({"methods": {"ldr-1": {"params": {"cascade": 2}}}}, "unknown option 'cascade'; did you mean 'cascades'"),
    ({"methods": {"ldr-1": {"params": {"cascades": "two"}}}}, 'params.cascades: expected whole number, got "two"'),
    ({"methods": {"ldr-1": {"training": {"learning_rate": "1e-3"}}}}, "write 0.001"),
    ({"methods": {"elastix-bspline": {"by_dataset": {"phantom-brian": {}}}}}, "did you mean 'phantom-brain'"),
    ({"datasets": {"phantom-liver": {"module": "fantom"}}}, "did you mean 'phantom'"),
    ({"datasets": {"phantom-liver": {"params": {"anatomi": "liver"}}}}, "did you mean 'anatomy'"),
    ({"datasets": {"phantom-liver": {"params": {"anatomy": "kidney"}}}}, "anatomy: expected one of "),
    ({"datasets": {"brain-pair": {"train_on": "nothing"}}}, "unknown data set 'nothing'"),
    ({"timing": {"datasets": ["brain-pear"]}}, "unknown data set 'brain-pear'; did you mean 'brain-pair'"),
    ({"papers": {"ldr-aldc": {}}}, "unknown paper 'ldr-aldc'; did you mean 'ldr-aldk'"),
    ({"papers": {"ldr-aldk": {"slver": "phantom-liver"}}}, "unknown data set of the paper 'slver'"),
    ({"papers": {"ldr-aldk": {"sliver": "phantom-livr"}}}, "unknown data set 'phantom-livr'; did you mean"),
    ({"methods": {"ldr-1-aldk": {"teacher": "rcn-4"}}}, "unknown method 'rcn-4'; did you mean 'rcn-"),
    ({"methods": {"ldr-1-aldk": {"teacher": "ldr-2-aldk"}}}, "must be a method that learns without a teacher"),
    ({"methods": {"demons": {"teacher": "rcn-3"}}}, "demons cannot learn from a teacher"),
    ({"methods": {"ldr-1-aldk": {"teacher": "swift"}}}, "'swift' is made by another module, so it cannot teach"),
    ({"methods": {"swift-distilled": {"teacher": "voxelmorph-own"}}}, "'voxelmorph-own' is made by another module"),
    ({"methods": {"ldr-1-aldk": {"training": {"aldk": {"gama": 1.0}}}}}, "unknown option 'gama'; did you mean 'gamma'"),
    (
        {"methods": {"ldr-1-aldk": {"training": {"aldk": {"objective": "gan"}}}}},
        "aldk.objective: expected one of eq7_minimax, ",
    ),
    ({"methods": {"ldr-1-aldk": {"training": {"aldk": "eq7"}}}}, 'aldk: expected keys and values, got "eq7"'),
    ({"methods": {"progressive": {"watch": ["phantom-dirlap"]}}}, "did you mean 'phantom-dirlab'"),
    ({"methods": {"ldr-1": {"watch": ["phantom-dirlab"]}}}, "ldr-1.watch: recursive keeps no snapshots"),
    ({"methods": {"rcn-2": {"seeds": []}}}, "methods.rcn-2.seeds"),
    ({"methods": {"rcn-2": {"by_dataset": {"phantom-brain": {"seeds": []}}}}}, "rcn-2.by_dataset.phantom-brain.seeds"),
    ({"timing": {"methods": {"phantom-brain": []}}}, "unknown data set of timing.datasets 'phantom-brain'"),
    ({"timing": {"methods": {"phantom-liver": ["deamons"]}}}, "unknown method 'deamons'; did you mean 'demons'"),
    ({"datasets": {"phantom-liver": {"keep": "some"}}}, 'keep: expected one of all, extremes, got "some"'),
    ({"methods": {"demonz": {"params": {}}}}, "did you mean 'demons'?"),
    ({"datasets": {"phantom-livr": {"chunks": 2}}}, "did you mean 'phantom-liver'?"),
    (
        {
            "methods": {"twin": {"like": "demons"}},
            "run": {"datasets": ["phantom-liver"], "methods": ["demons", "twin"]},
        },
        "methods.twin.label: 'demons' is called 'Diffeomorphic demons' too",
    ),
    ({"profile": "My Profile"}, 'profile: "My Profile" is no name; use small letters'),
    ({"methods": {"Démons": {"module": "demons"}}}, '"Démons" is no name'),
    ({"seeds": []}, "seeds: expected 1 value or more, got an empty list"),
    ({"seeds": [1, 1]}, "seeds: [1, 1] names something twice"),
    ({"seeds": [-1]}, "seeds.0: expected a number of at least 0, got -1"),
    ({"time_limit": 0}, "time_limit: expected a number above 0, got 0"),
    ({"time_limit": 1e300}, "time_limit: expected a number of at most 2000000, got 1e+300"),
    ({"methods": {"demons": {"time_limit": 1e7}}}, "demons.time_limit: expected a number of at most 2000000"),
    ({"time_limit": math.inf}, "time_limit: inf is no number to work with"),
    ({"timing": {"rounds": 0}}, "timing.rounds: expected a number of at least 1, got 0"),
    ({"timing": {"methods": "demons"}}, "timing.methods: expected a list of names, or such a list for each data set"),
    ({"run": None}, "run: expected keys and values, got null"),
    ({"methods": {"demons": {"params": {"field_sigma": math.nan}}}}, "params.field_sigma: nan is no number"),
    ({"methods": {"demons": {"params": {"field_sigma": -1}}}}, "field_sigma: expected no number below 0, got -1"),
    ({"methods": {"demons": {"params": {"iterations": []}}}}, "params.iterations: the list is empty"),
    ({"methods": {"demons": {"params": {"iterations": [5, -2]}}}}, "iterations: expected no number below 0"),
    ({"methods": {"elastix-bspline": {"params": {"samples": 0}}}}, "samples: expected a number above 0, got 0"),
    ({"methods": {"ldr-1": {"training": {"learning_rate": 0.0}}}}, "learning_rate: expected a number above 0"),
    ({"methods": {"ldr-1": {"training": {"iterations": True}}}}, "expected whole number, got true"),
    ({"datasets": {"phantom-liver": {"params": {"test": 0}}}}, "params.test: 0 leaves no pair to register"),
    (
        {"datasets": {"phantom-liver": {"params": {"shape": [80, 64]}}}},
        "shape: expected list of 3 values, got [80, 64]",
    ),
    (
        {"methods": {"demons": {"params": {"iterations": 20}}}},
        "iterations: expected list of whole number values such as [",
    ),
    ({"methods": {"demons": {"module": "greedy"}}}, "the catalogue has a method of this name, of the module demons"),
    (
        {"datasets": {"one": {"module": "phantom"}}},
        "datasets.one.params.anatomy: missing, and it has no default; write one",
    ),
    ({"methods": {"demons": {"kind": "learned"}}}, "kind: learned, but methods/demons.py has no function `train`"),
    ({"methods": {"demons": {"params": {False: 1}}}}, "methods.demons.params: the key false is no text"),
    ({1: 2}, "top level: the key 1 is no text"),
    ({"groups": {"lungs": ["phantom-lung"]}}, "groups.lungs: a group of this name has other members already"),
    (
        {"methods": {"demons": {"by_dataset": {"brains": {"time_limit": 1}, "brains-in-mm": {"time_limit": 2}}}}},
        "groups.brains-in-mm: another group that is named beside it says otherwise of 'phantom-brain'",
    ),
    ({"seeds": [2.0]}, "configuration, seeds[0]: Expected a whole number, got one with a point; write whole"),
    ({"datasets": {"phantom-liver": {"chunks": 3.0}}}, "got one with a point; write whole numbers without"),
    ({"seeds": [2**32]}, "configuration, seeds.0: expected a number of at most 4294967295"),
    ({"profile": "mine\n"}, 'profile: "mine\\n" is no name'),
    ({"methods": {"demons": {"label": " "}}}, 'configuration, methods.demons.label: " " is no name; write one line'),
    ({"methods": {"demons": {"label": "a\0b"}}}, "is no name; write one line"),
    ({"timing": {"rounds": 2**70}}, "timing.rounds: 1180591620717411303424 is no number to work with"),
    ({"datasets": {"phantom-liver": {"params": {"shape": [9999, 9999, 9999]}}}}, "are more than a machine holds"),
    (
        {"datasets": {"phantom-brain": {"params": {"training": 0}}}},
        "training: 0 leaves nothing for voxelmorph to learn from",
    ),
    (
        {"methods": {"ldr-1": {"training": {"validate_every": 2}}}},
        "methods.ldr-1.training.validate_every: phantom-liver has no validation subjects to look at; set datasets",
    ),
]


@pytest.mark.fault(21)
@pytest.mark.parametrize(("config", "message"), BAD, ids=[message for _, message in BAD])
def test_a_fault_is_one_line_with_the_nearest_name(config, message):
    base = read_yaml(next(path for path in PROFILES if path.stem == "mini"))
    with pytest.raises(SettingsError) as caught:
        resolve(merge(base, config))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "words"),
    [
        ("int", 3, True, "whole number"),
        ("float", 3, "3", "number"),
        ("bool", True, 1, "true or false"),
        ("Literal['a', 'b']", "a", "c", "one of a, b"),
        ("list[int]", [1, 2], [1, 2.5], "list of whole number values"),
        ("tuple[int, int, int]", [1, 2, 3], [1, 2], "list of 3 values"),
        ("tuple[float, ...] | None", None, ["x"], "list of number values or null"),
        ("Sequence[int]", [1], "1", "list of whole number values"),
        ("Mapping[str, int]", {"a": 1}, [1], "keys and values"),
    ],
)
def test_annotations(annotation, good, bad, words):
    assert annotations.in_words(annotation) == words
    assert annotations.accepts(annotation, good)
    assert not annotations.accepts(annotation, bad)


def test_a_teacher_is_trained_with_every_seed_of_its_students():
    """Also with one that it does not run with itself."""
    methods = {"rcn-3": {"seeds": [0]}, "ldr-1-aldk": {"seeds": [0, 3]}}
    plan = Plan(resolve({"run": {"datasets": ["phantom-liver"], "methods": list(methods)}, "methods": methods}))
    trained = {(where.method, where.seed) for where in plan.trainings().values()}
    assert trained == {("rcn-3", "0"), ("rcn-3", "3"), ("ldr-1-aldk", "0"), ("ldr-1-aldk", "3")}
    student = Wildcards("phantom-liver", "ldr-1-aldk", "3", "")
    assert plan.teacher(student) == ["results/mini/models/phantom-liver/rcn-3/seed3/training.json"]
    assert not any("/rcn-3/seed3/" in path for path in plan.all_metrics())


def test_the_main_run_is_that_of_the_smallest_seed():
    profile = Plan(resolve({"seeds": [3, 1], "methods": {"demons": {"seeds": [5, 4]}}}))
    assert [profile.settings.seeds(method, "phantom-liver") for method in ("rcn-1", "demons")] == [[1, 3], [4, 5]]
    timed = {run.by.method: run.by.seed for run in profile.timing(Wildcards("", "", "", "")).runs}
    assert (timed["rcn-1"], timed["demons"]) == (1, 4)
    assert first_seed([3, 1]) == profile.settings.main_seed(
        "rcn-1", "phantom-liver"
    )  # the report draws the run that is timed


def test_a_data_set_given_another_module_leaves_the_options_of_its_own_behind():
    before = resolve({}).dataset("sliver")
    assert "collection" in before.params
    own = {"anatomy": "liver", "shape": [32, 32, 32], "training": 2, "test": 1}
    one = resolve({"datasets": {"sliver": {"module": "phantom", "params": own}}}).dataset("sliver")
    assert (one.module, one.params) == ("phantom", own)
    same = resolve({"datasets": {"sliver": {"module": before.module, "chunks": 2}}}).dataset("sliver")
    assert (same.params, same.chunks) == (before.params, 2)
