"""Measure the house: floors, docstrings, functions, loose dictionaries (``python -m tests.house.measures``)."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workflows.configuration.sources import ROOMS, ROOT

ALIAS = re.compile(r"(?:: |-> |\[|, )Options\b(?! *\w)")  # `benchmarks.records.Options`, a mapping by another name
LOOSE = re.compile(r"Mapping\[str, Any\]|dict\[str, Any\]|\bEntry\b")


@dataclass(frozen=True)
class Function:
    """One function: where it is, its lines without the docstring, and how many parameters it takes."""

    where: str
    public: bool
    documented: bool
    lines: int
    parameters: int
    positional: int


def files_of(room: str) -> list[Path]:
    """Return the source files of a room; ``benchmarks/test_*.py`` see everything, as tests do, and are left out."""
    return [path for path in sorted((ROOT / room).rglob("*.py")) if not path.name.startswith("test_")]


def chain_of(room: str) -> list[str]:
    """Return the longest chain of imports inside a room, from the top; raise `ValueError` for a circle."""
    graph = _imports(room)

    @cache
    def longest(module: str) -> tuple[str, ...]:
        return (module, *max((longest(below) for below in graph[module]), key=len, default=()))

    try:
        return list(max(map(longest, graph), key=len))
    except RecursionError:
        raise ValueError(f"{room}: its imports go round in a circle") from None


def levels_of(room: str) -> dict[str, list[str]]:
    """Return the names (modules and folders with modules) at each level of a room, by folder."""
    folders: dict[str, set[str]] = {}
    for path in files_of(room):
        parts = path.relative_to(ROOT).parts
        for depth in range(1, len(parts)):
            if parts[depth] != "__init__.py":
                folders.setdefault("/".join(parts[:depth]), set()).add(parts[depth])
    return {folder: sorted(names) for folder, names in folders.items()}


def functions_of(room: str) -> list[Function]:
    """Return every function and method of a room."""
    return [found for path in files_of(room) for found in _functions(path)]


def documented_share(room: str) -> float:
    """Return the share in percent of public functions, methods and classes that have a docstring."""
    found = [documented for path in files_of(room) for _, documented in _public(path)]
    return 100 * sum(found) / len(found)


def undocumented(room: str) -> list[str]:
    """Return the public functions, methods and classes without a docstring."""
    return [where for path in files_of(room) for where, documented in _public(path) if not documented]


def loose_dictionaries(room: str) -> dict[str, int]:
    """Return how often each file names ``Mapping[str, Any]``, ``dict[str, Any]`` or ``Entry``, aliases included."""
    counts = {str(path.relative_to(ROOT)): _loose(path.read_text("utf-8")) for path in files_of(room)}
    return {path: count for path, count in counts.items() if count}


def _loose(text: str) -> int:
    aliased = ALIAS.findall(text) if re.search(r"^from benchmarks.records import .*\bOptions\b", text, re.M) else []
    return len(LOOSE.findall(text)) + len(aliased)


def lines_of(room: str) -> int:
    """Return the lines of Python and Snakemake source in a room."""
    paths = [*(ROOT / room).rglob("*.py"), *(ROOT / room).rglob("*.smk")]
    return sum(len(path.read_text("utf-8").splitlines()) for path in paths)


def _imports(room: str) -> Mapping[str, set[str]]:
    modules = {_dotted(path): path for path in files_of(room)}
    return {name: set(_named(path, modules)) - {name} for name, path in modules.items()}


def _named(path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                name = deeper if deeper in modules else node.module
                if name in modules:
                    yield name


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            positional = [a.arg for a in (*arguments.posonlyargs, *arguments.args) if a.arg not in ("self", "cls")]
            documented = ast.get_docstring(node) is not None
            first = node.body[1] if documented and len(node.body) > 1 else node.body[0]
            lines = (node.end_lineno or 0) - first.lineno + 1
            lines = 0 if documented and len(node.body) == 1 else lines
            where = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            yield Function(
                where,
                not node.name.startswith("_"),
                documented,
                lines,
                len(positional) + len(arguments.kwonlyargs),
                len(positional),
            )


def _public(path: Path) -> Iterator[tuple[str, bool]]:
    def visit(body: list[ast.stmt], inside: str) -> Iterator[tuple[str, bool]]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                where = f"{path.relative_to(ROOT)}:{node.lineno} {inside}{node.name}"
                yield where, ast.get_docstring(node) is not None
                if isinstance(node, ast.ClassDef):
                    yield from visit(node.body, f"{node.name}.")

    yield from visit(_tree(path).body, "")


def _report(room: str) -> str:
    functions, chain, loose = functions_of(room), chain_of(room), loose_dictionaries(room)
    lengths = sorted(function.lines for function in functions)
    p90 = lengths[int(0.9 * (len(lengths) - 1))]
    return "\n".join(
        [
            f"{room}: {len(chain)} floors: " + " > ".join(name.removeprefix(f"{room}.") for name in chain),
            f"  {lines_of(room)} lines; docstrings {documented_share(room):.0f} %; loose {sum(loose.values())}",
            f"  functions: median {statistics.median(lengths):.0f}, p90 {p90}, longest {lengths[-1]}",
            *(f"    long: {f.where} {f.lines}" for f in functions if f.lines > 50),
            *(
                f"    wide: {f.where} {f.parameters} ({f.positional} positional)"
                for f in functions
                if f.public and (f.parameters > 10 or f.positional > 4)
            ),
            *(f"    full: {folder} {len(names)}" for folder, names in levels_of(room).items() if len(names) > 14),
            *(f"    undocumented: {where}" for where in undocumented(room)),
            *(f"    loose: {path} {count}" for path, count in loose.items()),
        ]
    )


if __name__ == "__main__":
    for each in sys.argv[1:] or ROOMS:
        sys.stdout.write(_report(each) + "\n")
