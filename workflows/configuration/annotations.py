"""Whether a value from a configuration fits a type annotation, given as source text."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

_NAMES = {"Literal": Literal, "Path": Path, "Sequence": Sequence, "Mapping": Mapping, "Any": Any, "None": None}


def accepts(annotation: str, value: Any) -> bool:
    """Return whether ``value`` fits; annotations that use names unknown here accept everything."""
    try:
        return _fits(eval(annotation, {**vars(typing), **_NAMES}), value) if annotation else True
    except (NameError, AttributeError, TypeError, SyntaxError):
        return True


def _fits(kind: Any, value: Any) -> bool:
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if kind is None or kind is type(None):
        return value is None
    if origin in (Union, types.UnionType):
        return any(_fits(arg, value) for arg in args)
    if origin is Literal:
        return any(value == arg and type(value) is type(arg) for arg in args)
    if kind is Path:
        return isinstance(value, str)
    if kind in (int, float):
        return isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
    if origin is dict or origin is Mapping:
        return isinstance(value, dict)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return isinstance(value, list) and _items_fit(origin, args, value)
    return isinstance(value, kind) if isinstance(kind, type) else True


def _items_fit(origin: type, args: tuple[Any, ...], value: list[Any]) -> bool:
    if origin is tuple and Ellipsis not in args:
        return len(value) == len(args) and all(_fits(arg, item) for arg, item in zip(args, value, strict=True))
    return all(_fits(args[0], item) for item in value) if args else True
