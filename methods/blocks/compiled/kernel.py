"""Loops of the methods, compiled by numba for the types that they are told (`datasets.compiled` keeps the code)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from datasets.compiled import dispatcher


def compiled(function: Callable[..., None], arguments: tuple[Any, ...]) -> Callable[..., None]:
    """Compile a function for ``arguments``, numba's types, or read its machine code from disk.

    It runs without Python's lock, and computes as it is written: no rounding depends on the processor. It may call
    helpers of its own file alone, since the text of that file names its code.
    """
    loop = dispatcher(function, error_model="numpy")
    loop.compile(arguments)
    loop.disable_compile()
    return loop
