"""A configuration fault is one line that names the place and the nearest valid word."""

from pathlib import Path

import pytest

from reports.reading.trainings import first_seed
from workflows.configuration import annotations
from workflows.configuration.config import SettingsError, merge
from workflows.configuration.resolve import read_yaml, resolve
from workflows.planning.plan import Plan, Wildcards

PROFILES = sorted((Path(__file__).parents[2] / "workflows" / "config").glob("*.yaml"))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_valid(path):
    settings = resolve(read_yaml(path))
    assert settings.profile == path.stem
    assert settings.runs


def test_no_configuration_means_the_mini_profile():
    assert resolve({}).profile == "mini"


BAD = [
    ({"sedes": [0]}, "unknown key 'sedes'; did you mean 'seeds'"),
    ({"seeds": "0"}, "seeds: '0' is not of type 'array'"),
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
    ({"methods": {"ldr-1-aldk": {"training": {"aldk": {"gama": 1.0}}}}}, "unknown option 'gama'; did you mean 'gamma'"),
    (
        {"methods": {"ldr-1-aldk": {"training": {"aldk": {"objective": "gan"}}}}},
        "aldk.objective: expected one of eq7_minimax, ",
    ),
    ({"methods": {"ldr-1-aldk": {"training": {"aldk": "eq7"}}}}, "aldk: expected keys and values, got 'eq7'"),
    ({"methods": {"progressive": {"watch": ["phantom-dirlap"]}}}, "did you mean 'phantom-dirlab'"),
    ({"methods": {"ldr-1": {"watch": ["phantom-dirlab"]}}}, "ldr-1.watch: recursive keeps no snapshots"),
    ({"methods": {"ldr-1": {"seeds": []}}}, "methods.ldr-1.seeds"),
    ({"methods": {"ldr-1-aldk": {"seeds": [0, 3]}}}, "'rcn-3' is not trained with seed 3"),
    ({"timing": {"methods": {"phantom-brain": []}}}, "unknown data set of timing.datasets 'phantom-brain'"),
    ({"timing": {"methods": {"phantom-liver": ["deamons"]}}}, "unknown method 'deamons'; did you mean 'demons'"),
    ({"datasets": {"phantom-liver": {"keep": "some"}}}, "'some' is not one of"),
    ({"methods": {"demonz": {"params": {}}}}, "did you mean 'demons'?"),
    ({"datasets": {"phantom-livr": {"chunks": 2}}}, "did you mean 'phantom-liver'?"),
    (
        {
            "methods": {"twin": {"like": "demons"}},
            "run": {"datasets": ["phantom-liver"], "methods": ["demons", "twin"]},
        },
        "methods.twin.label: 'demons' is called 'Diffeomorphic demons' too",
    ),
    ({"profile": "My Profile"}, "profile: 'My Profile' does not match"),
]


@pytest.mark.parametrize(("config", "message"), BAD, ids=[message for _, message in BAD])
def test_a_fault_is_one_line_with_the_nearest_name(config, message):
    base = read_yaml(next(path for path in PROFILES if path.stem == "mini"))
    with pytest.raises(SettingsError) as caught:
        resolve(merge(base, config))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a:\n\t- 1\n", "- 1\n", "a: [1\n"])
def test_bad_yaml_names_the_file(tmp_path, text):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"my\.yaml"):
        read_yaml(path)


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


def test_the_main_run_is_that_of_the_smallest_seed():
    profile = Plan(resolve({"seeds": [3, 1], "methods": {"demons": {"seeds": [5, 4]}}}))
    assert [profile.settings.seeds(method) for method in ("rcn-1", "demons")] == [[1, 3], [4, 5]]
    timed = {run.by.method: run.by.seed for run in profile.timing(Wildcards("", "", "", "")).runs}
    assert (timed["rcn-1"], timed["demons"]) == (1, 4)
    assert first_seed([3, 1]) == profile.settings.main_seed("rcn-1")  # the report draws the run that is timed
