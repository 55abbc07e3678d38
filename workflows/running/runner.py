"""Between Snakemake and the steps it starts: they find this project, and end when it ends."""

from __future__ import annotations

import os
import sys
import threading
import time

import psutil

from workflows.configuration.sources import ROOT

RUNNER = "WARPBENCH_RUNNER"


def equip() -> None:
    """Let the steps find this project and this Python, from whatever folder the run was started in."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.environ["WARPBENCH_PYTHON"] = sys.executable  # the shell commands of the rules call it


def announce_runner() -> None:
    """Note this process as the one that runs the pipeline: a Snakemake that is killed leaves its jobs running."""
    os.environ[RUNNER] = f"{os.uname().nodename}:{os.getpid()}:{psutil.Process().create_time()}"


def end_with_runner() -> None:
    """End this process within two seconds of the death of the one that runs the pipeline."""
    name, _, rest = os.environ.get(RUNNER, "").partition(":")
    if not rest or name != os.uname().nodename:  # by hand, or on another node of a cluster
        return
    pid, created = rest.split(":")
    threading.Thread(target=_watch, args=(int(pid), float(created)), daemon=True).start()


def _watch(pid: int, created: float) -> None:
    while True:
        try:
            alive = psutil.Process(pid).create_time() == created
        except psutil.NoSuchProcess:
            alive = False
        if not alive:
            os._exit(1)  # the worker dies with this process
        time.sleep(1)
