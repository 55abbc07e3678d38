"""Groups of data sets and ``like``: what a short configuration says in full, and the faults of both in one line."""

import pytest

from workflows.configuration.config import SettingsError
from workflows.configuration.resolve import DEFAULT_PROFILE, read_yaml, resolve

RUN = {"datasets": ["phantom-liver"], "methods": ["demons"]}
BASE = {"profile": "mine", "seeds": [0], "run": RUN, "timing": {"datasets": [], "pairs": 1, "rounds": 1}}
GROUPS = {"two": ["phantom-liver", "phantom-brain"]}


def test_a_group_stands_wherever_data_sets_are_named():
    settings = resolve(
        {
            **BASE,
            "groups": GROUPS,
            "run": {"datasets": ["phantom-lung", "two"], "methods": ["demons", "rcn-1", "progressive"]},
            "timing": {"datasets": ["two"], "pairs": 1, "rounds": 1, "methods": {"two": ["demons"]}},
            "datasets": {"two": {"params": {"shape": [8, 9, 10]}}, "phantom-brain": {"chunks": 3}},
            "methods": {
                "rcn-1": {"datasets": ["two"], "by_dataset": {"two": {"params": {"channels": 4}}}},
                "progressive": {"watch": ["two", "lungs"]},
            },
        }
    )
    assert settings.datasets == ["phantom-lung", "phantom-liver", "phantom-brain"]
    assert [d for m, d in settings.runs if m == "rcn-1"] == GROUPS["two"]
    assert [settings.params("rcn-1", d).get("channels") for d in settings.datasets] == [None, 4, 4]
    assert {settings.dataset(d).params["shape"][1] for d in GROUPS["two"]} == {9}
    assert (settings.dataset("phantom-liver").chunks, settings.dataset("phantom-brain").chunks) == (1, 3)
    assert settings.config.timing.datasets == GROUPS["two"]
    assert [settings.timed(d) for d in GROUPS["two"]] == [["demons"], ["demons"]]
    assert settings.watched("progressive") == ["phantom-liver", "phantom-brain", "phantom-lung"]


def test_what_is_said_of_a_data_set_is_laid_over_what_is_said_of_its_group():
    by = {"phantom-brain": {"params": {"channels": 2}}, "two": {"params": {"channels": 4, "shrink": 2}}}
    settings = resolve({**BASE, "groups": GROUPS, "methods": {"rcn-1": {"by_dataset": by}}})
    assert settings.params("rcn-1", "phantom-brain") == {"cascades": 1, "channels": 2, "shrink": 2}
    assert settings.params("rcn-1", "phantom-liver") == {"cascades": 1, "channels": 4, "shrink": 2}


def test_a_profile_does_to_a_method_what_it_does_to_the_one_it_is_like():
    methods = {"rcn-1": {"params": {"channels": 4}}, "vtn-addd": {"like": "rcn-1", "training": {"batch": 2}}}
    settings = resolve({**BASE, "methods": methods})
    assert settings.params("vtn-addd", "sliver") == {"cascades": 3, "channels": 4}  # not rcn-1's one cascade
    assert settings.training("vtn-addd", "sliver") == {"similarity": "all", "batch": 2}
    assert settings.method("vtn-addd").label == "VTN (ADDD)"
    assert settings.params("rcn-2", "sliver") == {"cascades": 2}  # like rcn-1 in the catalogue, not in this profile


def test_a_new_method_starts_from_the_catalogue_too():
    methods = {"demons": {"params": {"iterations": [7]}}, "mine": {"like": "demons", "label": "Mine", "time_limit": 5}}
    settings = resolve({**BASE, "methods": {**methods, "ours": {"like": "ldr-1-aldk"}}})
    assert settings.params("mine", "sliver") == {"iterations": [7]}
    assert (settings.method("mine").module, settings.method("mine").label) == ("demons", "Mine")
    assert settings.time_limit("mine", "sliver") == 5
    assert settings.training("ours", "phantom-brain") == {"aldk": {"preset": "paper_mri"}}
    assert settings.params("ours", "phantom-brain")["stem"] == "affine_light"


def test_a_value_says_where_it_comes_from():
    settings = resolve(read_yaml(DEFAULT_PROFILE))
    for keys, origin in (
        (("params", "base"), "catalogue, like ldr-1"),
        (("params", "stem"), "catalogue, like ldr-1, by_dataset phantom-brain"),
        (("params", "shrink"), "profile mini, like voxelmorph"),
        (("training", "iterations"), "profile mini, like voxelmorph, by_dataset phantom-brain"),
        (("training", "aldk", "preset"), "catalogue, by_dataset phantom-brain"),
        (("training", "aldk", "disc_rate"), "profile mini"),
        (("label",), "catalogue"),
        (("training", "aldk", "gamma"), ""),
    ):
        assert settings.origin("ldr-1-aldk", "phantom-brain", *keys) == origin, keys


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"methods": {"demons": {"like": "deamons"}}}, "methods.demons.like: unknown method 'deamons'; did you mean"),
        ({"methods": {"demons": {"like": "rcn-1"}}}, "'rcn-1' has no entry in the profile mine, so there is nothing"),
        ({"methods": {"a": {"like": "b"}, "b": {"like": "a"}}}, "methods.b.like: goes round in a circle: a, b, a"),
        ({"methods": {"a": {"like": "a"}}}, "methods.a.like: goes round in a circle: a, a"),
        ({"methods": {"a": {"like": ["b"]}}}, "methods.a.like: expected the name of a method, got ['b']"),
        (
            {"datasets": {"phantom-liver": {"like": "phantom-liver"}}},
            "'phantom-liver' is like itself; give the data set",
        ),
        ({"methods": {"a": None}}, "methods.a: expected keys and values, got None"),
        ({"groups": {"two": "phantom-liver"}}, "groups.two: expected a list of data sets, got 'phantom-liver'"),
        ({"groups": {"two": ["phantom-livr"]}}, "groups.two: unknown data set 'phantom-livr'; did you mean"),
        ({"groups": {"phantom-liver": ["phantom-brain"]}}, "groups.phantom-liver: a data set has this name"),
        ({"run": {**RUN, "datasets": ["livrs"]}}, "run.datasets: unknown data set 'livrs'; did you mean 'livers'?"),
    ],
)
def test_a_fault_of_groups_or_like_is_one_line(config, message):
    with pytest.raises(SettingsError) as caught:
        resolve({**BASE, **config})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_anchor_is_left_in_the_configuration():
    for path in sorted(DEFAULT_PROFILE.parent.rglob("*.yaml")):
        words = [word for line in path.read_text(encoding="utf-8").splitlines() for word in line.split("#")[0].split()]
        assert not [word for word in words if word.lstrip("[{").startswith(("&", "*"))], path
