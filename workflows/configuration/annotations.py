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
_WORDS = {"bool": "true or false", "int": "whole number", "float": "number", "str": "text", "Path": "path"}


def accepts(annotation: str, value: Any) -> bool:
    """Return whether ``value`` fits; annotations that use names unknown here accept everything."""
    return _fits(_parsed(annotation), value) if annotation else True


def in_words(annotation: str) -> str:
    """Return an annotation in the words of a reader who knows no code."""
    return _words(_parsed(annotation))


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
            return _fits_inside(name, _elements(inside), value)
    return True


def _fits_inside(name: str, kinds: list[ast.expr], value: Any) -> bool:
    """Return whether a value fits ``name[kinds]``."""
    if name == "Literal":
        known = [ast.literal_eval(kind) for kind in kinds]
        return any(value == each and type(value) is type(each) for each in known)
    if name not in _NAMES or not _NAMES[name](value) or not isinstance(value, list):
        return name not in _NAMES or _NAMES[name](value)
    if name == "tuple" and ast.unparse(kinds[-1]) != "...":
        return len(value) == len(kinds) and all(map(_fits, kinds, value))
    return all(_fits(kinds[0], item) for item in value)


def _words(kind: ast.expr) -> str:
    match kind:
        case ast.Constant(value=None):
            return "null"
        case ast.BinOp(left=one, op=ast.BitOr(), right=other):
            return f"{_words(one)} or {_words(other)}"
        case ast.Name(id=name):
            return _WORDS.get(name, "keys and values")
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inside):
            return "one of " + ", ".join(str(ast.literal_eval(each)) for each in _elements(inside))
        case ast.Subscript(value=ast.Name(id="dict" | "Mapping")):
            return "keys and values"
        case ast.Subscript(value=ast.Name(id=name), slice=inside):
            kinds = _elements(inside)
            fixed = name == "tuple" and ast.unparse(kinds[-1]) != "..."
            return f"list of {len(kinds)} values" if fixed else f"list of {_words(kinds[0])} values"
    return ast.unparse(kind)


def _elements(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]
