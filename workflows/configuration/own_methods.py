"""A method of a user's own: a file anywhere that keeps the contract of `methods`, checked without running it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from benchmarks.provenance import is_own
from workflows.configuration import sources
from workflows.configuration.config import Config, SettingsError

NEEDS = ("fixed_mask", "moving_mask", "pair")  # the true displacement is the positive control's alone
LOAD = ("params", "device", "seed")
TRAIN = ("data", "folder", "params", "training", "device", "seed")


def check(config: Config) -> None:
    """Refuse a configuration that runs a file which is no method, or two files of one name."""
    names, found = config.run.methods, dict[str, str]()
    teachers = [config.methods[name].teacher for name in names if name in config.methods]
    for name in dict.fromkeys([*names, *filter(None, teachers)]):
        module = config.methods[name].module if name in config.methods else ""
        if not is_own(module):
            path = sources.ROOT / "methods" / f"{module}.py"
            if path.is_file() and (faults := list(_of_members(path))):  # a module that a user has added there
                raise SettingsError(f"configuration, methods.{name}.module: {path}{faults[0]}")
            continue
        if fault := fault_of(Path(module)):
            raise SettingsError(f"configuration, methods.{name}.module: {fault}")
        if (other := found.setdefault(Path(module).name, module)) != module:  # a table could not tell them apart
            raise SettingsError(f"configuration, methods.{name}.module: {other} has the same name; rename one file")


def fault_of(path: Path) -> str:
    """Return in one line what keeps a file from being a method, empty where nothing does.

    Raises:
        BrokenFileError: Python cannot read it.
    """
    return next((f"{path}{fault}" for faults in (_of_file, _of_contract, _of_imports) for fault in faults(path)), "")


def _of_file(path: Path) -> Iterator[str]:
    """Yield what is wrong with the file as such, and with its name, by which Python imports it."""
    if not path.is_file():
        others = sorted(each.name for each in path.parent.glob("*.py")) if path.parent.is_dir() else []
        hint = f"; beside it is {others[0]}" if others else ""
        yield ": is a folder; name the file of Python in it" if path.is_dir() else f": no such file{hint}"
    elif path.suffix != ".py" or not path.stem.isidentifier():
        yield ": no name of a Python module; call it like my_method.py"
    elif re.search(r"[{}]", str(path)):
        yield ": Snakemake takes braces in a path for placeholders; rename it"
    elif path.stem in sources.module_names("methods"):
        yield f": {path.stem!r} is a method of this project; rename the file"
    elif path.stem in (*sources.ROOMS, *sys.stdlib_module_names) or _installed(path.stem, path.parent):
        yield f": hides the library {path.stem!r}, which then could not be imported; rename the file"


def _of_contract(path: Path) -> Iterator[str]:
    """Yield what the contract of `methods` wants and the file lacks."""
    yield from _of_members(path)
    try:
        needs = list(sources.constant_of(path, "NEEDS", ()))
    except (ValueError, TypeError):
        needs = ["an expression"]
    if unknown := [each for each in needs if each not in NEEDS]:
        yield f": NEEDS names {unknown[0]!r}; a method may ask for {', '.join(NEEDS)}, such as NEEDS = {NEEDS[:1]}"


def _of_members(path: Path) -> Iterator[str]:
    """Yield the functions and options that every method has, and the file lacks."""
    yield from _of_function(path, "load", LOAD)
    yield from _of_options(path, "Params")
    if sources.has_function(path, "train"):
        yield from _of_function(path, "train", TRAIN)
        yield from _of_options(path, "Training")


def _of_function(path: Path, name: str, wanted: tuple[str, ...]) -> Iterator[str]:
    found = sources.function_of(path, name)
    if found is None:
        yield f": no function `{name}`; methods/__init__.py has what a method's file must have"
    elif found.args.kwarg is None and (missing := [each for each in wanted if each not in _parameters(found)]):
        yield f", line {found.lineno}: `{name}` has no parameter {missing[0]!r}; it is called with {', '.join(wanted)}"


def _parameters(function: ast.FunctionDef) -> set[str]:
    given = function.args
    return {each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)}


def _of_options(path: Path, name: str) -> Iterator[str]:
    home, node = sources.class_of(path, name)
    if node is None:
        yield f": no class `{name}`; write a frozen dataclass of the options, empty where there are none"
    elif not any(map(_is_frozen, node.decorator_list)):
        line = f", line {node.lineno}" if home == path else ""
        yield f"{line}: `{name}` is no frozen dataclass; write @dataclass(frozen=True) above it"
    elif without := [option.name for option in sources.options_of(path, name).values() if option.default is ...]:
        yield f": `{name}.{without[0]}` has no default; every option has one"


def _is_frozen(decorator: ast.expr) -> bool:
    call = decorator.func if isinstance(decorator, ast.Call) else None
    named = getattr(call, "id", getattr(call, "attr", ""))
    words = decorator.keywords if isinstance(decorator, ast.Call) else []
    frozen = any(word.arg == "frozen" and getattr(word.value, "value", False) is True for word in words)
    return named == "dataclass" and frozen


def _of_imports(path: Path) -> Iterator[str]:
    """Yield imports that cannot succeed, and those of rooms that a method may not see, of the file and those beside."""
    for file in sources.sources_of([str(path)]):
        if file != path and file.is_relative_to(sources.ROOT):
            continue
        for node in _sure_imports(sources.parsed(file).body):
            where = "" if file == path else f": {file.name}"
            for fault in _of_import(node, path.parent):
                yield f"{where}, line {node.lineno}: {fault}"


def _sure_imports(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that are made for sure: not those that may fail, or that are for type checkers alone."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, ast.Try | ast.If):
            yield from _sure_imports([each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)])


def _of_import(node: ast.Import | ast.ImportFrom, beside: Path) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.level:
        yield f"a relative import; write `from {node.module or 'name'} import ...` of a file beside it"
        return
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    for name in (each.partition(".")[0] for each in names):
        own = sources.module_path(name, beside=[beside]) is not None and name not in sources.ROOMS
        if name in sources.ROOMS and name not in ("datasets", "methods"):
            yield f"imports {name}; a method sees `datasets` and `methods.blocks` alone"
        elif own and _installed(name, beside):
            yield f"imports {name}, which is a file beside it and a library too; rename the file"
        elif not own and name not in (*sources.ROOMS, *sys.stdlib_module_names) and not _installed(name, beside):
            yield f"imports {name}, which is not installed; install it into the environment, or correct the name"


def _installed(name: str, beside: Path) -> bool:
    """Return whether Python finds a library of this name elsewhere than in a folder."""
    places = [place for place in sys.path if Path(place).resolve() not in (beside.resolve(), sources.ROOT)]
    return name in sys.builtin_module_names or PathFinder.find_spec(name, places) is not None
