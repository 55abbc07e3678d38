"""A method's module, and from the options in a specification to the dataclass that it declares for them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from datasets.files import one_line
from workflows.running import machine

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def import_method(name: str) -> ModuleType:
    """Return a method's module; raise ImportError where it cannot be imported, whatever keeps it from that."""
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ImportError) or machine.is_machine(error) or machine.lacks_memory(error):
            raise
        raise ImportError(f"{name} cannot be imported: {type(error).__name__}: {one_line(error)}") from error


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
        raise ValueError(f"option {where.strip('.`')}: {message}") from None


def _path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"options of type {kind} are not known")
