"""One measurement of speed at a time on a machine, whichever checkout it is of."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import Timeout

from datasets import locks
from datasets.files import DataError

MACHINE_LOCK = Path(tempfile.gettempdir()) / "warpbench-timing.lock"
PATIENCE = 3600.0  # seconds
TOLD_AFTER = 2.0  # seconds
logger = logging.getLogger(__name__)


@contextmanager
def alone() -> Generator[None]:
    """Hold this machine for the body of a ``with``; raise `DataError` where another run has held it for an hour."""
    try:
        held = _hold(TOLD_AFTER)
    except Timeout:
        logger.info("waits for another run on this machine that measures speed (%s)", MACHINE_LOCK)
        try:
            held = _hold(PATIENCE)
        except Timeout as error:
            line = f"{MACHINE_LOCK}: another timing run held this machine for an hour; run again later"
            raise DataError(line) from error
    with held:
        yield


def _hold(seconds: float) -> AbstractContextManager[object]:
    return locks.hold(MACHINE_LOCK, timeout=seconds, mode=0o666)
