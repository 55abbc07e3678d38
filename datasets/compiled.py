"""Loops over voxels, compiled by numba when they are first called, and kept on disk for the next process.

Numba's own cache would do but for three faults: where no folder can be written it fails; a damaged file ends the run;
and of two processes that write one index at the same time one may later load the other's code, or code of an older
text. Here a file is named after all that its machine code follows from, and checked; whatever is wrong with it, the
loop is compiled anew.

Loops release the interpreter and take one thread. Sums and products are taken in the order that is written, never fused
or regrouped, so that results do not depend on the processor.
"""

# pyright: basic, reportIncompatibleMethodOverride=false, reportMissingTypeStubs=false
# (numba has no types, and its classes of caches none that fit)
from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import pickle
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar, cast

import llvmlite
import numba
from numba.core import caching, serialize
from numba.core.compiler import CompileResult

Loop = TypeVar("Loop", bound=Callable[..., Any])
log = logging.getLogger(__name__)
DIGEST = hashlib.sha256().digest_size


def compiled(function: Loop) -> Loop:
    """Compile a loop at its first call, for each combination of types; it may call loops of its own file alone."""
    return cast(Loop, dispatcher(function))


def dispatcher(function: Callable[..., Any], **options: Any) -> Any:
    """Return numba's dispatcher of a function, with ``options`` of numba's, whose machine code is kept on disk."""
    made: Any = numba.njit(nogil=True, **options)(function)
    made._cache = Cache(function, options)
    return made


class Cache(caching._Cache):
    """Machine code of one function, a file a signature and processor; a fault of the disk counts as nothing found."""

    def __init__(self, function: Callable[..., Any], options: Mapping[str, object]) -> None:
        self.source = Path(function.__code__.co_filename)
        self.name = function.__name__
        self.enabled = True
        self._follows = (_text(self.source), _code(function), sorted(options.items()))

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
        from_what = (self._follows, str(sig), target_context.codegen().magic_tuple())
        versions = (numba.__version__, llvmlite.__version__, sys.version)
        return f"{self.name}-{hashlib.sha256(repr((from_what, versions)).encode()).hexdigest()[:32]}.kernel"


def _text(source: Path) -> str:
    return source.read_text(encoding="utf-8")


def _code(function: Callable[..., Any]) -> list[object]:
    """Return the code of a function and of its file's others, as loaded: the file may have changed since."""
    names = {**function.__globals__, function.__name__: function}
    found = {name: getattr(value, "py_func", value) for name, value in names.items()}
    own = {
        name: each.__code__
        for name, each in found.items()
        if getattr(getattr(each, "__code__", None), "co_filename", "") == function.__code__.co_filename
    }
    return [(name, _content(own[name])) for name in sorted(own)]


def _content(code: CodeType) -> list[object]:
    constants = [_content(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts]
    return [code.co_code.hex(), constants, code.co_names]


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
