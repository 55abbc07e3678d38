"""A method's module, and from the options in a specification to the dataclass that it declares for them."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from dataclasses import fields
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from benchmarks.provenance import is_own
from datasets.files import one_line
from workflows.running import machine

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def import_method(name: str) -> ModuleType:
    """Return a method's module; raise ImportError where it cannot be imported, whatever keeps it from that."""
    try:
        return _own(Path(name)) if is_own(name) else importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ImportError) or machine.is_machine(error) or machine.lacks_memory(error):
            raise
        raise ImportError(f"{name} cannot be imported: {type(error).__name__}: {one_line(error)}") from error


def _own(path: Path) -> ModuleType:
    """Run a user's own file as the module of its name; the files beside it can be imported, last of all that can."""
    known = sys.modules.get(path.stem)
    if known is not None and known.__file__ == str(path):
        return known
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: no Python file")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = sys.modules[path.stem] = module_from_spec(spec)  # dataclasses look for it there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def build(kind: type[T], given: Mapping[str, object]) -> T:
    """Return a dataclass of options filled from a mapping; raise ValueError naming an option that does not fit."""
    if unknown := sorted(given.keys() - {field.name for field in fields(kind)}):
        raise ValueError(f"unknown option {unknown[0]!r}")
    try:
        return msgspec.convert(given, kind, dec_hook=_path)
    except msgspec.ValidationError as error:
        if error.__cause__ is not None:  # raised by the dataclass itself, in its own words
            raise error.__cause__ from None
        message, _, where = str(error).partition(" - at `$")
        where = where.strip(".`")
        if lacking := re.fullmatch(r"Object missing required field `(\w+)`", message):
            where, message = ".".join(filter(None, (where, lacking[1]))), "missing, and it has no default"
        raise ValueError(f"option {where}: {message}") from None


def _path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"options of type {kind} are not known")
