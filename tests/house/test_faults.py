"""Each fault of the numbered list has a test that injects it."""

import ast
import re

from workflows.configuration.sources import ROOT

LISTED = re.compile(r"^\| (\d+) \|", re.MULTILINE)


def numbers_injected() -> set[int]:
    """Return the numbers in all ``pytest.mark.fault(...)`` of the tests."""
    calls = [
        node
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault"
    ]
    return {ast.literal_eval(number) for call in calls for number in call.args}


def test_every_fault_of_the_list_is_injected():
    listed = {int(number) for number in LISTED.findall((ROOT / "docs" / "faults.md").read_text(encoding="utf-8"))}
    assert listed == numbers_injected()


def test_the_list_names_files_that_are_there():
    named = re.findall(r"`([a-z_/]+\.py)`", (ROOT / "docs" / "faults.md").read_text(encoding="utf-8"))
    assert named
    assert not [path for path in named if not (ROOT / "tests" / path).is_file()]
