"""Each fault of the numbered list has a test that injects it."""

import ast
import re

import pytest

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


@pytest.mark.skipif(not (ROOT / "docs" / "faults.md").exists(), reason="the list is being written")
def test_every_fault_of_the_list_is_injected():
    listed = {int(number) for number in LISTED.findall((ROOT / "docs" / "faults.md").read_text(encoding="utf-8"))}
    assert listed == numbers_injected()
