"""The imports and options of a source file, read from its text without running it.

Snakemake does not see imported modules, so each rule lists the files its step depends on as inputs; this module finds
them. It also reads the fields of the dataclasses ``Params`` and ``Training`` that a method or a data set declares: they
are the schema of the configuration.
"""

from __future__ import annotations

import ast
import copy
import sys
import tokenize
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import decode_source
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

from benchmarks.provenance import ROOT, is_own, versions
from datasets.files import DataError, one_line

ROOMS = ("datasets", "methods", "benchmarks", "reports", "workflows")

# Import names that differ from the distribution that provides them.
_DISTRIBUTIONS = {"ants": "antspyx", "itk": "itk-elastix", "yaml": "pyyaml"}
_INSIDE = ("body", "handlers", "orelse", "finalbody", "cases")  # where a statement has others


class BrokenFileError(DataError):
    """A source file of this project that Python cannot read."""


@dataclass(frozen=True)
class Option:
    """A field of a dataclass: its annotation as source text, its default (``...`` when it has none), and its comment.

    ``fields`` are the options inside, where the annotation names a dataclass of this project; a configuration gives
    these as a mapping.
    """

    name: str
    annotation: str
    default: Any
    doc: str = ""
    fields: Mapping[str, Option] | None = None


def method_file(module: str) -> Path:
    """Return the file of a method's module."""
    return Path(module) if is_own(module) else ROOT / "methods" / f"{module}.py"


def sources_of(modules: Iterable[str], *, root: Path = ROOT) -> list[Path]:
    """Return the project's own files that some modules import, themselves included, sorted.

    Modules have dotted names; one of a user's own is its file, and files beside it that it imports belong to it.
    """
    names = list(modules)
    beside = frozenset(Path(name).parent for name in names if is_own(name))
    pending, found = _own(names, root, beside), {}
    while pending:
        name, path = pending.popitem()
        if name not in found:
            found[name] = path
            pending |= _own_imports(path, root, beside)
            pending |= _own(modules_loaded_by_name(path, root=root), root, beside)
    return sorted({*found.values()})


@cache
def _own_imports(path: Path, root: Path, beside: frozenset[Path]) -> Mapping[str, Path]:
    """Return the files of this project, or beside a user's own, that a file imports, by the names of the modules."""
    return _own(imported_modules(path), root, beside)


def _own(names: Iterable[str], root: Path, beside: frozenset[Path]) -> dict[str, Path]:
    """Return of some modules and the packages that they lie in those that are files of this project, by name."""
    named = {name if is_own(name) else whole for name in names for whole in accumulate(name.split("."), "{}.{}".format)}
    paths = {name: module_path(name, root=root, beside=beside) for name in named}
    return {name: path for name, path in paths.items() if path is not None}


def libraries_of(modules: Collection[str], *, root: Path = ROOT) -> dict[str, str]:
    """Return the versions of the third-party packages that some modules and their own imports use."""
    files, beside = sources_of(modules, root=root), {Path(name).parent for name in modules if is_own(name)}
    names = {name.split(".")[0] for path in files for name in imported_modules(path)}
    foreign = names - {*ROOMS, *sys.stdlib_module_names, "_typeshed"}  # the last exists for type checkers alone
    foreign = {name for name in foreign if module_path(name, root=root, beside=beside) is None}
    return versions(_DISTRIBUTIONS.get(name, name) for name in foreign)


def modules_loaded_by_name(path: Path, *, root: Path = ROOT) -> list[str]:
    """Return the modules that a file imports by their names while it runs: all of the package in its ``LOADS``."""
    package = constant_of(path, "LOADS", "")
    return [f"{package}.{each.stem}" for each in _modules_in(root.joinpath(*package.split(".")))] if package else []


@cache
def imported_modules(path: Path) -> list[str]:
    """Return the dotted names that a file imports, anywhere in it; ``from a import b`` yields ``a`` and ``a.b``."""
    names: list[str] = []
    nodes: list[ast.AST] = [parsed(path)]
    for node in nodes:  # which grows by the statements inside a statement; none is inside an expression
        nodes += chain.from_iterable(getattr(node, field, ()) for field in _INSIDE)
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return list(dict.fromkeys(names))


def module_path(name: str, *, root: Path = ROOT, beside: Iterable[Path] = ()) -> Path | None:
    """Return the file of a module of this project, or of one in the folders ``beside``; None for anything else."""
    if is_own(name):
        return Path(name)
    first = name.split(".")[0]
    places = [root] if first in ROOMS else [] if first in sys.stdlib_module_names else beside
    stems = [place.joinpath(*name.split(".")) for place in places]
    candidates = (path for stem in stems for path in (stem.with_suffix(".py"), stem / "__init__.py"))
    return next((path for path in candidates if path.is_file()), None)


def file_of(name: str) -> Path:
    """Return the file of a module of this project that is there."""
    path = module_path(name)
    assert path is not None, name
    return path


def module_names(room: str, *, root: Path = ROOT) -> list[str]:
    """Return the modules of a room that define its contract function (``load`` for methods, ``prepare`` for data)."""
    function = {"methods": "load", "datasets": "prepare"}[room]
    return [path.stem for path in _modules_in(root / room) if function_of(path, function)]


def _modules_in(folder: Path) -> list[Path]:
    """Return the modules of a folder, leaving out what editors and other systems drop there and what is half written.

    A broken module that is asked for by its name is refused (`parsed`); one that nobody asks for stops nobody.
    """
    found = (path for path in sorted(folder.glob("*.py")) if path.stem.isidentifier() and path.stem != "__init__")
    return [path for path in found if path.is_file() and not isinstance(_read(path), Exception)]


@cache
def options_of(path: Path, name: str) -> Mapping[str, Option]:
    """Return the fields of a dataclass in a file, inherited ones first; empty when there is no such class."""
    home, node = class_of(path, name)
    if home is None or node is None:
        return {}
    options: dict[str, Option] = {}
    for base in reversed(node.bases):  # as dataclasses order them
        options |= options_of(home, ast.unparse(base))
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            field = line.target.id
            doc = _comment(home, line) or (options[field].doc if field in options else "")
            inside = _fields(home, line.annotation)
            options[field] = Option(field, _annotation(home, line.annotation), _default(home, line.value), doc, inside)
    return options


def parameters_of(path: Path, function: str) -> set[str]:
    """Return the names of a function's parameters; empty when there is no such function."""
    node = function_of(path, function)
    return {each.arg for each in (*node.args.args, *node.args.kwonlyargs)} if node else set()


def constant_of(path: Path, name: str, default: Any = None) -> Any:
    """Return the literal value that a file assigns to a module-level name, or ``default``."""
    value = _assigned(path, name)
    return default if value is None else ast.literal_eval(value)


def has_function(path: Path, name: str) -> bool:
    """Return whether a file defines a function."""
    return function_of(path, name) is not None


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file; raise `BrokenFileError` where Python cannot read it."""
    found = _read(path)
    if isinstance(found, ast.Module):
        return found
    line = f", line {found.lineno}" if isinstance(found, SyntaxError) and found.lineno else ""
    why = found.msg if isinstance(found, SyntaxError) else found
    raise BrokenFileError(f"{path}{line}: no Python file that can be read ({one_line(why)}); correct it") from found


@cache
def _read(path: Path) -> ast.Module | Exception:
    try:
        return ast.parse(decode_source(path.read_bytes()), filename=str(path))  # as Python's own import reads it
    except (SyntaxError, ValueError, RecursionError, OSError) as error:
        return error


def function_of(path: Path, name: str) -> ast.FunctionDef | None:
    """Return a function that a file defines."""
    return next((n for n in parsed(path).body if isinstance(n, ast.FunctionDef) and n.name == name), None)


def class_of(path: Path, name: str) -> tuple[Path | None, ast.ClassDef | None]:
    """Return a class that a file knows by a name, with the file of this project that defines it."""
    home, name = _home(path, name)
    body = parsed(home).body if home else []
    return home, next((node for node in body if isinstance(node, ast.ClassDef) and node.name == name), None)


@cache
def _comments(path: Path) -> dict[int, tuple[str, bool]]:
    """Return the comments of a file by line, and whether each one has its line to itself."""
    with open(path, "rb") as stream:
        tokens = [token for token in tokenize.tokenize(stream.readline) if token.type == tokenize.COMMENT]
    return {t.start[0]: (t.string.lstrip("#").strip(), t.line.lstrip().startswith("#")) for t in tokens}


def _comment(path: Path, node: ast.stmt) -> str:
    """Return the comment beside a statement, else the one above it."""
    comments, lines = _comments(path), []
    if beside := [comments[n][0] for n in range(node.lineno, (node.end_lineno or 0) + 1) if n in comments]:
        return " ".join(beside)
    number = node.lineno - 1
    while comments.get(number, ("", False))[1]:
        lines.insert(0, comments[number][0])
        number -= 1
    return " ".join(lines)


def _annotation(path: Path, node: ast.expr) -> str:
    """Return the text of an annotation; names given to a type in the file (or in one it imports) are written out."""
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
        return _WriteOut(path).visit(copy.deepcopy(found)) if path and found else None


def _fields(path: Path, annotation: ast.expr) -> Mapping[str, Option] | None:
    """Return the fields of the first class of this project that an annotation names."""
    names = (node.id for node in ast.walk(annotation) if isinstance(node, ast.Name))
    return next((options_of(path, name) for name in names if class_of(path, name)[1]), None)


def _home(path: Path, name: str) -> tuple[Path | None, str]:
    """Return the file of this project that defines what ``path`` knows by a name: itself, or one that it imports."""
    for node in parsed(path).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    home = module_path(node.module, beside=_beside(path))
                    return _home(home, alias.name) if home else (None, name)
    return path, name


def _beside(path: Path) -> list[Path]:
    """Return the folder in which a file of a user's own has others beside it; none for a file of this project."""
    ours = path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in ROOMS
    return [] if ours else [path.parent]


def _assigned(path: Path, name: str) -> ast.expr | None:
    """Return the expression that a file assigns to a module-level name."""
    for node in parsed(path).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return getattr(node, "value", None)
    return None


def _default(path: Path, node: ast.expr | None) -> Any:
    """Return the value of a default: a literal, or a constant of this project; None where it is neither."""
    if node is None:
        return ...
    if isinstance(node, ast.Name):
        home, name = _home(path, node.id)
        return _default(home, _assigned(home, name) or ast.Constant(None)) if home else None
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
