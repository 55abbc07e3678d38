"""The GPUs of this machine, and which of them a job has to itself.

Snakemake counts GPUs (the resource ``gpu``) and does not say which one is free. A job takes the first that no other
job holds, by locks of the kernel that end with its process, and sees no other one. Where ``nvidia-smi`` does not say
what GPUs there are, a job sees what it would see by itself.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from filelock import Timeout

from datasets import locks

VISIBLE = "CUDA_VISIBLE_DEVICES"
ASKS_AGAIN = 0.5  # seconds from one look for a free GPU to the next
logger = logging.getLogger(__name__)


def gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES has them; empty where unknown."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(number) for number, _ in enumerate(re.findall(r"^GPU ", listed, re.MULTILINE))]


@contextmanager
def assigned(device: str, wanted: int = 1) -> Generator[Sequence[str]]:
    """Let this process and its children see ``wanted`` GPUs that no other job has; wait until there are so many.

    Args:
        device: of the job's network; the CPU needs nothing.
        wanted: how many.
    """
    known = gpus() if device.startswith("cuda") else []
    if len(known) < wanted:  # none, or too few: the method says so itself
        yield known
        return
    before = os.environ.get(VISIBLE)
    with ExitStack() as held:
        own = _take(known, wanted, held)
        os.environ[VISIBLE] = ",".join(own)
        logger.info("on GPU %s of %d", ", ".join(own), len(known))
        try:
            yield own
        finally:
            os.environ.pop(VISIBLE) if before is None else os.environ.update({VISIBLE: before})


def _take(known: Sequence[str], wanted: int, held: ExitStack) -> list[str]:
    """Return as many GPUs as wanted, once they are free.

    None is kept while another is missing, or two jobs could wait for each other.
    """
    told = False
    while True:
        with ExitStack() as trial:
            own = list(islice(_free(known, trial), wanted))
            if len(own) == wanted:
                held.enter_context(trial.pop_all())
                return own
        if not told:
            logger.info("waits for %d of %d GPUs, which other jobs have", wanted, len(known))
            told = True
        time.sleep(ASKS_AGAIN)


def _free(known: Sequence[str], held: ExitStack) -> Iterator[str]:
    """Yield the GPUs that nobody has, each held from then on."""
    folder = Path(tempfile.gettempdir()) / f"warpbench-gpus-{os.getuid()}"
    for name in known:
        try:
            held.enter_context(locks.hold(folder / f"{re.sub('[^A-Za-z0-9-]', '_', name)}.lock", timeout=0))
        except Timeout:
            continue
        yield name
