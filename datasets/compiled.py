"""Loops over voxels, compiled by Numba when they are first called and then kept on disk.

The judge's own: no method runs them. They release the interpreter and take one thread. Sums and products are taken in
the order that is written, never fused or regrouped, so that results do not depend on the processor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(function: Loop) -> Loop:
    """Compile a loop at its first call, for each combination of types, and keep it where a cache can be written."""
    try:
        return cast(Loop, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # neither beside the source nor in the home folder
        return cast(Loop, numba.njit(nogil=True)(function))
