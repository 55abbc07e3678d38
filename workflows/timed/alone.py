"""One measurement of speed at a time on a machine, whichever checkout it is of."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from datasets import locks
from datasets.files import DataError

MACHINE_LOCK = Path(tempfile.gettempdir()) / "warpbench-timing.lock"
PATIENCE = 3600.0  # seconds


@contextmanager
def alone() -> Generator[None]:
    """Hold this machine for the body of a ``with``; raise `DataError` where another run has held it for an hour."""
    try:
        held = locks.hold(MACHINE_LOCK, timeout=PATIENCE, mode=0o666)
    except Timeout as error:
        raise DataError(f"{MACHINE_LOCK}: another timing run held this machine for an hour; run again later") from error
    with held:
        yield
