"""Faults of the machine, told from those of a method: a full or vanished disk, no more files or processes.

None of them may become a row. Some show by the number of the system's error; libraries often hide that number, so
after any failure the surroundings themselves are tried: can a file be written, are there descriptors and threads left?
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmarks.clock.cores import allowed
from datasets.files import DataError, one_line

ERRORS = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE", "ESTALE", "ENODEV", "ENXIO", "ENOTCONN"),
        *("EREMOTEIO", "EHOSTDOWN", "EHOSTUNREACH", "ENOMEDIUM", "ENOLCK", "ESHUTDOWN", "EUCLEAN", "EBADFD"),
    )
    if hasattr(errno, name)
)
# Where only the text got through; torch writes files with the last two.
_TEXTS = (*(os.strerror(code) for code in sorted(ERRORS)), "iostream error", "PytorchStreamWriter")
_MEMORY = re.compile(r"bad_alloc|allocate memory|out of memory|Unable to allocate", re.IGNORECASE)
_BLOCK = os.urandom(1 << 16)  # no file system can make less of it
_LARGEST = 1 << 28
DEVICE_LIMIT = 300  # seconds; importing torch from a slow disk takes up to a minute


class MachineError(DataError):
    """A fault of the machine, which stops a step and leaves nothing of the pair or training that it hit."""


def is_machine(error: BaseException, *, causes_only: bool = False) -> bool:
    """Return whether an error, or one that led to it, is a fault of the machine.

    With ``causes_only``, here and below, an error that was caught says nothing of the one that came after it: a method
    may try what is not there and then go another way, which fails on a pair.
    """
    return any(
        isinstance(each, MachineError)
        or (isinstance(each, OSError) and each.errno in ERRORS)
        or any(text in str(each) for text in _TEXTS)
        for each in _chain(error, causes_only)
    )


def lacks_memory(error: BaseException, *, causes_only: bool = False) -> bool:
    """Return whether an error says that memory did not suffice, in the words of any library."""
    return any(
        isinstance(each, MemoryError)
        or type(each).__name__ == "OutOfMemoryError"
        or (isinstance(each, OSError) and each.errno == errno.ENOMEM)
        or (isinstance(each, RuntimeError) and _MEMORY.search(str(each)) is not None)
        for each in _chain(error, causes_only)
    )


def is_missing(error: BaseException, *, causes_only: bool = False) -> bool:
    """Return whether an error, or one that led to it, came from the import of a module.

    A library that lacks a part of its own need not raise an ImportError: what tells is that its file was being run.
    """
    return any(
        isinstance(each, ImportError)
        or any(frame.f_code.co_name == "<module>" for frame, _ in traceback.walk_tb(each.__traceback__))
        for each in _chain(error, causes_only)
    )


def check(folders: Iterable[Path], room: int = 0) -> None:
    """Try the surroundings; raise `MachineError` where they are not sound.

    Descriptors and a thread must be had, and a file of ``room`` bytes must go into each of ``folders`` and come back.
    """
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(8):
                stack.enter_context(open(os.devnull, "rb"))
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or one_line(error)
        raise MachineError(f"this process cannot go on: {why}; raise the limit (ulimit) and run again") from error
    for folder in folders:
        try:
            _write_and_read(folder, min(max(room, len(_BLOCK)), _LARGEST))
        except OSError as error:
            why = error.strerror or one_line(error)
            raise MachineError(f"{folder}: {why}; correct that and run again: what was finished is kept") from error


def check_cores(cores: int, threads: Mapping[str, int]) -> list[str]:
    """Refuse more cores than the machine has; return a line for each rule that is to have more threads than ``cores``.

    Raises:
        MachineError: steps would wait for each other, and every time that is measured would be of that.
    """
    if cores > (there := len(allowed())):
        raise MachineError(f"--cores {cores}: {there} may be used here; use --cores {there} or --cores all")
    return [
        f"--set-threads {rule}={count}: --cores grants {cores}, so it runs on {cores}"
        for rule, count in threads.items()
        if count > cores
    ]


def surroundings_fault(folder: Path) -> list[str]:
    """Return what is wrong with the surroundings, for a run whose logs could not say it; empty where they are sound."""
    try:
        check([folder])
    except MachineError as error:
        return [str(error)]
    return []


def missing_device(device: str) -> str:
    """Return why no network can run on a device; empty where one can. A process of its own finds out."""
    if device == "cpu":
        return ""
    trial = [sys.executable, "-c", f"import torch; torch.ones(8, device={device!r}).sum().item()"]
    try:
        done = subprocess.run(trial, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=DEVICE_LIMIT)
    except subprocess.TimeoutExpired:
        return f"it does not answer within {DEVICE_LIMIT} s"
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return one_line(lines[-1] if lines else f"exit status {done.returncode}")[:300]


def _write_and_read(folder: Path, room: int) -> None:
    with tempfile.TemporaryFile(dir=folder) as stream:
        for _ in range(0, room, len(_BLOCK)):
            stream.write(_BLOCK)
        stream.flush()
        os.fsync(stream.fileno())
        stream.seek(-len(_BLOCK), os.SEEK_END)
        if stream.read() != _BLOCK:
            raise OSError(errno.EIO, "what was written does not come back")


def _chain(error: BaseException, causes_only: bool) -> Iterator[BaseException]:
    """Yield an error and all that led to it; with ``causes_only``, those that it names as its cause."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            before = (each.__cause__,) if causes_only else (each.__cause__, each.__context__)
            waiting += [other for other in before if other is not None]
            waiting += getattr(each, "exceptions", ())


def of_system(error: OSError) -> str:
    """Return a system's error as a line: the file, what is wrong with it, and what to do about it where that shows."""
    where = f"{error.filename}: " if error.filename else ""
    if isinstance(error, PermissionError):
        return f"{where}no permission to write; choose another folder or correct its owner"
    if isinstance(error, (FileExistsError, IsADirectoryError, NotADirectoryError)):
        return f"{where}{error.strerror}, where this step keeps something else; move it away and run again"
    return f"{where}{error.strerror or one_line(error)}"
