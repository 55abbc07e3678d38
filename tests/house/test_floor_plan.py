"""Imports point down: datasets below methods and benchmarks, which never meet; reports above; workflows on top."""

from pathlib import Path

import pytest

from tests.house.measures import files_of
from workflows.configuration.sources import ROOMS, ROOT, constant_of, imported_modules

ALLOWED = {
    "datasets": {"datasets"},
    "methods": {"methods", "datasets"},
    "benchmarks": {"benchmarks", "datasets"},
    "reports": {"reports", "benchmarks", "datasets"},
    "workflows": set(ROOMS),
}
HEAVY_BELOW = {"torch", "ants", "itk"}  # floor 0 and the judge stand without them


def violations(room: str, path: Path) -> list[str]:
    rooms = {name.split(".")[0] for name in imported_modules(path)}
    wrong = (rooms & ({*ROOMS, "tests"})) - ALLOWED[room]
    if room in ("datasets", "benchmarks", "reports"):
        wrong |= rooms & HEAVY_BELOW - ({"torch"} if path.name == "provenance.py" else set())
    return sorted(wrong)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_down(room):
    assert files_of(room)
    wrong = {str(path.relative_to(ROOT)): found for path in files_of(room) if (found := violations(room, path))}
    assert not wrong


def test_the_walk_sees_a_violation(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("def f():\n    from methods.blocks import spatial\n    import torch\n")
    assert violations("benchmarks", path) == ["methods", "torch"]


def test_methods_never_name_the_truth():
    for path in files_of("methods"):
        assert "datasets.case.Truth" not in imported_modules(path), path


def test_only_the_positive_control_is_given_the_true_displacement():
    given = [p.stem for p in files_of("methods") if "true_displacement" in (constant_of(p, "NEEDS") or ())]
    assert given == ["truth"]


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_files_stay_small(room):
    long = {
        str(p.relative_to(ROOT)): n
        for p in (ROOT / room).rglob("*.py")
        if (n := len(p.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert not long


@pytest.mark.parametrize(("family", "other"), [("cascades", "progressive"), ("progressive", "cascades")])
def test_the_families_of_networks_never_meet(family, other):
    files = [path for path in files_of("methods") if path.parent.name == family]
    assert files
    met = [
        str(p.relative_to(ROOT))
        for p in files
        if any(n.startswith(f"methods.blocks.{other}") for n in imported_modules(p))
    ]
    assert not met


def test_no_test_imports_a_test():
    for path in sorted((ROOT / "tests").rglob("*.py")):
        names = {name for name in imported_modules(path) if name.startswith("tests.")}
        assert not [name for name in names if any(part.startswith("test_") for part in name.split("."))], path
