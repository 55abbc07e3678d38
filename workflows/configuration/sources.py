"""What a source file imports and which options its functions take, read from the text without running it.

Snakemake does not see imported modules, so each rule lists the files its step depends on as inputs; this module finds
them. It also reads the keyword parameters of a method's ``load`` or a data set's ``prepare``: the signature in the code
is the schema of the configuration.
"""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("datasets", "methods", "benchmarks", "reports", "workflows")

# Import names that differ from the distribution that provides them.
_DISTRIBUTIONS = {"ants": "antspyx", "itk": "itk-elastix", "yaml": "pyyaml"}


@dataclass(frozen=True)
class Option:
    """A keyword parameter: its annotation as source text, and its default (``...`` when it has none).

    ``fields`` are the options inside, where the annotation names a dataclass of this project; a configuration gives
    these as a mapping.
    """

    name: str
    annotation: str
    default: Any
    fields: Mapping[str, Option] | None = None


def sources_of(modules: Iterable[str], *, root: Path = ROOT) -> list[Path]:
    """Return the project's own files that some modules (dotted names) import, themselves included, sorted."""
    pending, found = list(modules), {}
    while pending:
        name = pending.pop()
        path = module_path(name, root=root)
        if path is None or name in found:
            continue
        found[name] = path
        pending += [name.rpartition(".")[0]] if "." in name else []
        pending += imported_modules(path)
    return sorted(found.values())


def libraries_of(modules: Iterable[str], *, root: Path = ROOT) -> dict[str, str]:
    """Return the versions of the third-party packages that some modules and their own imports use."""
    names = {name.split(".")[0] for path in sources_of(modules, root=root) for name in imported_modules(path)}
    foreign = sorted(name for name in names if name not in ROOMS and name not in sys.stdlib_module_names)
    return {_DISTRIBUTIONS.get(name, name): _version(_DISTRIBUTIONS.get(name, name)) for name in foreign}


@cache
def imported_modules(path: Path) -> list[str]:
    """Return the dotted names that a file imports, anywhere in it; ``from a import b`` yields ``a`` and ``a.b``."""
    names = []
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def module_path(name: str, *, root: Path = ROOT) -> Path | None:
    """Return the file of a module of this project, or None for anything else."""
    if name.split(".")[0] not in ROOMS:
        return None
    stem = root.joinpath(*name.split("."))
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def module_names(room: str, *, root: Path = ROOT) -> list[str]:
    """Return the modules of a room that define its contract function (``load`` for methods, ``prepare`` for data)."""
    function = {"methods": "load", "datasets": "prepare"}[room]
    return sorted(p.stem for p in (root / room).glob("*.py") if p.stem != "__init__" and _function(p, function))


def options_of(path: Path, function: str) -> dict[str, Option]:
    """Return the keyword-only parameters of a function in a file; empty when there is no such function."""
    node = _function(path, function)
    if node is None:
        return {}
    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return {arg.arg: _option(path, arg.arg, arg.annotation, default) for arg, default in pairs}


def _option(path: Path, name: str, annotation: ast.expr | None, default: ast.expr | None) -> Option:
    return Option(name, _annotation(path, annotation), _default(default), _fields(path, annotation))


def constant_of(path: Path, name: str, default: Any = None) -> Any:
    """Return the literal value that a file assigns to a module-level name, or ``default``."""
    for node in _parse(path).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return ast.literal_eval(node.value)
    return default


def has_function(path: Path, name: str) -> bool:
    return _function(path, name) is not None


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _function(path: Path, name: str) -> ast.FunctionDef | None:
    return next((n for n in _parse(path).body if isinstance(n, ast.FunctionDef) and n.name == name), None)


def _annotation(path: Path, node: ast.expr | None) -> str:
    """The text of an annotation; names given to a type in the file (or in one it imports) are written out."""
    if node is None:
        return ""
    return ast.unparse(_WriteOut(path).visit(copy.deepcopy(node)))


class _WriteOut(ast.NodeTransformer):
    """Puts a type in the place of its name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._written_out(*_home(self.path, node.id)) or node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        module = node.value.id if isinstance(node.value, ast.Name) else ""
        imported = next((n for n in imported_modules(self.path) if n.endswith(f".{module}")), "")
        return self._written_out(module_path(imported) if module and imported else None, node.attr) or node

    @staticmethod
    def _written_out(path: Path | None, name: str) -> ast.AST | None:
        found = _assigned(path, name) if path else None
        return found and _WriteOut(path).visit(copy.deepcopy(found))


def _fields(path: Path, annotation: ast.expr | None) -> dict[str, Option] | None:
    """The fields of the first class of this project that an annotation names."""
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Name):
            home, name = _home(path, node.id)
            found = home and next(
                (n for n in _parse(home).body if isinstance(n, ast.ClassDef) and n.name == name), None
            )
            if found:
                lines = [n for n in found.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
                return {n.target.id: _option(home, n.target.id, n.annotation, n.value) for n in lines}
    return None


def _home(path: Path, name: str) -> tuple[Path | None, str]:
    """The file of this project that defines what ``path`` knows by a name: itself, or the one it imports it from."""
    for node in _parse(path).body:
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name == name for alias in node.names):
            return module_path(node.module), name
    return path, name


def _assigned(path: Path, name: str) -> ast.expr | None:
    for node in _parse(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return node.value
    return None


def _default(node: ast.expr | None) -> Any:
    if node is None:
        return ...
    try:
        return ast.literal_eval(node)
    except ValueError:  # a named constant: it has a default, which is all that the check needs
        return None


@cache
def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "missing"
