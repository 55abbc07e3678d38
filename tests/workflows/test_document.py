"""docs/options.md is what the code says."""

import pytest

from workflows.configuration import document, sources


def test_the_documented_options_are_those_of_the_code():
    text = document.OPTIONS.read_text(encoding="utf-8")
    assert text == document.option_tables(), "stale: run python -m workflows.configuration.document"


@pytest.mark.parametrize(
    ("annotation", "default", "kind", "shown"),
    [
        ("int", 3, "whole number", "3"),
        ("float", None, "number", "open"),
        ("float | None", None, "number or null", "null"),
        ("Literal['a', 'b']", "a", "`a`, `b`", "a"),
        ("tuple[int, ...]", (4, 5), "list of whole number", "[4, 5]"),
        ("tuple[float, float, float]", (1, 2, 3), "list of 3 of number", "[1, 2, 3]"),
        ("bool", ..., "true or false", "required"),
    ],
)
def test_an_option_reads_as_a_configuration_has_it(annotation, default, kind, shown):
    option = sources.Option("o", annotation, default)
    assert (document.type_of(option), document.default_of(option)) == (kind, shown)


def test_options_inside_an_option_follow_it():
    inside = {"weight": sources.Option("weight", "float", 1.0, "how much")}
    table = document.option_table({"loss": sources.Option("loss", "Loss | None", None, "which", inside)})
    assert table.splitlines()[2:] == [
        "| `loss` | keys and values or null | `null` | which |",
        "| `loss.weight` | number | `1.0` | how much |",
    ]
