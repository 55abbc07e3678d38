"""Loops compiled by numba, and kept on disk for the next process.

Numba's own cache would do but for three faults: where no folder can be written it fails; a damaged file ends the run;
and of two processes that write one index at the same time one may later load the other's code. Here a file is named
after all that its machine code follows from, and checked; whatever is wrong with it, the loop is compiled anew.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import pickle
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import caching, serialize
from numba.core.compiler import CompileResult

log = logging.getLogger(__name__)
DIGEST = hashlib.sha256().digest_size


def compiled(function: Callable[..., None], arguments: tuple[Any, ...]) -> Callable[..., None]:
    """Compile a function for ``arguments``, numba's types, or read its machine code from disk.

    It runs without Python's lock, and computes as it is written: no rounding depends on the processor. It may call
    helpers of its own file alone, since the text of that file names its code.
    """
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = Cache(function)
    dispatcher.compile(arguments)
    dispatcher.disable_compile()
    return dispatcher


class Cache(caching._Cache):
    """Machine code of one function, a file a signature and processor; a fault of the disk counts as nothing found."""

    def __init__(self, function: Callable[..., None]) -> None:
        self.source = Path(function.__code__.co_filename)
        self.name = function.__name__
        self.enabled = True

    @property
    def cache_path(self) -> str:
        """The first folder in question."""
        return str(next(folders(self.source)))

    def load_overload(self, sig: object, target_context: Any) -> CompileResult | None:
        """Return what was compiled for a signature, None where nothing sound is on disk."""
        target_context.refresh()
        if not self.enabled:
            return None
        for folder in folders(self.source):
            try:
                content = (folder / self._file(sig, target_context)).read_bytes()
                if hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]:
                    return CompileResult._rebuild(target_context, *pickle.loads(content[DIGEST:]))
            except Exception as error:
                log.debug("%s: not read from %s (%s)", self.name, folder, error)
        return None

    def save_overload(self, sig: object, data: Any) -> None:
        """Keep a result in the first folder that takes it."""
        for folder in folders(self.source) if self.enabled else ():
            try:
                content = serialize.dumps(data._reduce())
                _write(folder / self._file(sig, data.target_context), hashlib.sha256(content).digest() + content)
                return
            except Exception as error:
                log.debug("%s: not kept in %s (%s)", self.name, folder, error)

    def enable(self) -> None:
        """Look on disk."""
        self.enabled = True

    def disable(self) -> None:
        """Do not look on disk."""
        self.enabled = False

    def flush(self) -> None:
        """Do nothing: files are written at once."""

    def _file(self, sig: object, target_context: Any) -> str:
        from_what = (self.source.read_text(encoding="utf-8"), str(sig), target_context.codegen().magic_tuple())
        versions = (numba.__version__, llvmlite.__version__, sys.version)
        return f"{self.name}-{hashlib.sha256(repr((from_what, versions)).encode()).hexdigest()[:32]}.kernel"


def folders(source: Path) -> Iterator[Path]:
    """Yield where machine code of a source file may lie: beside Python's own, then in the user's folder for caches."""
    yield Path(importlib.util.cache_from_source(str(source))).parent
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    yield Path(home, "warpbench")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
