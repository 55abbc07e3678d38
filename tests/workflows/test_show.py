"""``python -m workflows.show``: everything there is, and what holds for a method on a data set, and why."""

import pytest

from benchmarks.metrics import METRICS
from workflows import show
from workflows.configuration.resolve import DEFAULT_PROFILE, resolve


def shown(capsys, *arguments: str) -> list[str]:
    show.main(arguments)
    return capsys.readouterr().out.splitlines()


def line(lines: list[str], start: str) -> str:
    """The one line that begins with a word, its columns set apart by one space."""
    (found,) = [" ".join(each.split()) for each in lines if each.startswith(f"  {start} ")]
    return found


def test_the_overview_names_all_there_is(capsys):
    lines = shown(capsys)
    words = {word for each in lines for word in each.split()}
    config = resolve({}).config
    for names in (config.methods, config.datasets, config.groups, METRICS, ("ldr-aldk", "mini", "smoke", "paper")):
        assert {*names} <= words
    assert line(lines, "*  demons") == "* demons classical demons Diffeomorphic demons"
    assert max(map(len, lines)) <= show.WIDTH


def test_values_have_their_origin_and_options_their_meaning(capsys):
    lines = shown(capsys, "ldr-1-aldk", "phantom-brain")
    assert lines[0] == "ldr-1-aldk on phantom-brain in the profile mini, which runs it"
    assert line(lines, "base") == "base ldr catalogue, like ldr-1"
    assert line(lines, "teacher") == "teacher rcn-3 catalogue"
    iterations = "iterations 100 profile mini, like voxelmorph, by_dataset phantom-brain"
    assert line(lines, "iterations") == iterations
    assert line(lines, "aldk.preset") == "aldk.preset paper_mri catalogue, by_dataset phantom-brain"
    assert line(lines, "aldk.disc_rate") == "aldk.disc_rate 0.025 profile mini"
    assert line(lines, "repeat") == "repeat 1 -"
    text = " ".join(" ".join(lines).split())
    assert "updates of the weights (whole number; default 100000)" in text
    assert "(one of last, all; default last)" in text
    assert max(map(len, lines)) <= show.WIDTH


def test_a_method_alone_says_where_it_runs_and_what_holds_everywhere(capsys):
    lines = shown(capsys, "voxelmorph")
    assert lines[0] == "voxelmorph in the profile mini, on data sets that say nothing else"
    runs = "runs on phantom-liver, phantom-liver-varied, phantom-liver-paired, phantom-brain"
    assert line(lines, "runs on") == runs
    assert "phantom-brain" in line(lines, "other options on")
    assert line(lines, "learns on") == "learns on what the data set's entry says the data set"
    everywhere, there = (line(each, "iterations") for each in (lines, shown(capsys, "voxelmorph", "phantom-brain")))
    assert everywhere == "iterations 200 profile mini"
    assert there == "iterations 100 profile mini, by_dataset phantom-brain"


def test_every_module_alone_can_be_shown():
    settings = resolve({})
    one_a_module = {entry.module: method for method, entry in settings.config.methods.items()}
    assert len(one_a_module) > 8
    for method in one_a_module.values():
        lines = list(show.describe(settings, method))
        assert line(lines, "runs on")
        assert max(map(len, lines)) <= show.WIDTH, method


def test_a_profile_is_chosen_by_its_file(capsys):
    lines = shown(capsys, "demons", "sliver", "--configfile", str(DEFAULT_PROFILE.with_name("paper.yaml")))
    assert lines[0] == "demons on sliver in the profile paper, which does not run it"


def test_specifications_are_those_of_the_jobs(capsys):
    text = "\n".join(shown(capsys, "ldr-1-aldk", "phantom-brain", "--specifications"))
    for step in ("prepare", "train", "register"):
        assert f"python -m workflows.{step} " in text
    assert '"teacher": "results/mini/models/phantom-brain/rcn-3/seed0/training.json"' in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ldr1-aldk", "phantom-brain"), "unknown method 'ldr1-aldk'; did you mean 'ldr-1-aldk'?"),
        (("ldr-1", "phantom-brian"), "unknown data set 'phantom-brian'; did you mean 'phantom-brain'?"),
        (("ldr-1", "--specifications"), "--specifications: name a data set too: phantom-liver, "),
        (("ldr-1", "livers"), "livers is a group of data sets; name one of them: phantom-liver, "),
        (("ldr-1", "lpba", "--configfile", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(arguments, message):
    with pytest.raises(SystemExit) as caught:
        show.main(arguments)
    assert str(caught.value).startswith(f"error: {message}")
