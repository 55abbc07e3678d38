"""A check of values from a configuration against type annotations, given as source text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

_NAMES: Mapping[str, Callable[[Any], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "Path": lambda value: isinstance(value, str),
    **dict.fromkeys(("list", "tuple", "Sequence"), lambda value: isinstance(value, list)),
    **dict.fromkeys(("dict", "Mapping"), lambda value: isinstance(value, dict)),
}


def accepts(annotation: str, value: Any) -> bool:
    """Return whether ``value`` fits; annotations that use names unknown here accept everything."""
    return _fits(_parsed(annotation), value) if annotation else True


@cache
def _parsed(annotation: str) -> ast.expr:
    return ast.parse(annotation, mode="eval").body


def _fits(kind: ast.expr, value: Any) -> bool:
    match kind:
        case ast.Constant(value=None):
            return value is None
        case ast.BinOp(left=one, op=ast.BitOr(), right=other):
            return _fits(one, value) or _fits(other, value)
        case ast.Name(id=name):
            return _NAMES[name](value) if name in _NAMES else True
        case ast.Subscript(value=ast.Name(id=name), slice=inside):
            return _fits_inside(name, inside.elts if isinstance(inside, ast.Tuple) else [inside], value)
    return True


def _fits_inside(name: str, kinds: list[ast.expr], value: Any) -> bool:
    """Whether a value fits ``name[kinds]``."""
    if name == "Literal":
        known = [ast.literal_eval(kind) for kind in kinds]
        return any(value == each and type(value) is type(each) for each in known)
    if name not in _NAMES or not _NAMES[name](value) or not isinstance(value, list):
        return name not in _NAMES or _NAMES[name](value)
    if name == "tuple" and ast.unparse(kinds[-1]) != "...":
        return len(value) == len(kinds) and all(map(_fits, kinds, value))
    return all(_fits(kinds[0], item) for item in value)
