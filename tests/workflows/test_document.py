"""docs/options.md is what the code says."""

import pytest

from workflows.configuration import document, sources


def test_the_documented_options_are_those_of_the_code():
    text = document.OPTIONS.read_text(encoding="utf-8")
    assert text == document.option_tables(), "stale: run python -m workflows.configuration.document"


@pytest.mark.parametrize(
    ("annotation", "default", "shown"),
    [
        ("int", 3, "3"),
        ("float", None, "open"),
        ("float | None", None, "null"),
        ("Literal['a', 'b']", "a", "a"),
        ("tuple[int, ...]", (4, 5), "[4, 5]"),
        ("tuple[float, float, float]", (1, 2, 3), "[1, 2, 3]"),
        ("bool", ..., "required"),
    ],
)
def test_a_default_reads_as_a_configuration_has_it(annotation, default, shown):
    option = sources.Option("o", annotation, default)
    assert document.default_of(option) == shown


def test_options_inside_an_option_follow_it():
    inside = {"weight": sources.Option("weight", "float", 1.0, "how much")}
    table = document.option_table({"loss": sources.Option("loss", "Loss | None", None, "which", inside)})
    assert table.splitlines()[2:] == [
        "| `loss` | keys and values or null | `null` | which |",
        "| `loss.weight` | number | `1.0` | how much |",
    ]


@pytest.mark.parametrize("name", sources.module_names("datasets"))
def test_every_option_of_a_data_set_says_what_it_does(name):
    options = sources.options_of(sources.ROOT / "datasets" / f"{name}.py", "Params")
    assert options
    assert [option.name for option in options.values() if not option.doc] == []
