"""Between Snakemake and the steps it starts: they find this project, and end when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil

from workflows.running import environment

RUNNER = "WARPBENCH_RUNNER"
UNEXPECTED = "unexpected fault"  # begins the line of a step on what nobody has foreseen; its log has more


def equip() -> None:
    """Let the steps find this project and this Python, and nothing in the folder the run was started in."""
    environment.adopt(environment.tidy(os.environ))
    os.environ.update(environment.search_path())
    os.environ["WARPBENCH_PYTHON"] = sys.executable  # the shell commands of the rules call it


def announce_runner() -> None:
    """Note this process as the one that runs the pipeline: a Snakemake that is killed leaves its jobs running."""
    os.environ[RUNNER] = f"{os.uname().nodename} {os.getpid()} {_started(os.getpid())}"


def calm(scheduler: object) -> None:
    """Take Snakemake's limit of jobs a second away: here every job runs on a core of its own for seconds or more.

    Each look for jobs under that limit starts a timer of one second, whose end is a look for jobs: none of them ever
    ends, and after some hundreds of jobs they keep a fifth of a core busy, also while methods are timed. No setting
    switches the limit off. Where a Snakemake has no such limit, or calls it otherwise, nothing is changed.
    """
    if getattr(scheduler, "job_rate_limiter", None) is not None:
        scheduler.job_rate_limiter = None  # pyright: ignore[reportAttributeAccessIssue]


def stop_steps_when_stopped() -> None:
    """Let SIGINT, SIGTERM and SIGHUP to this process stop its steps at once: Snakemake waits for them to finish."""
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, _stop_steps)


def _stop_steps(number: int, frame: object) -> None:
    steps = [process for process in psutil.Process().children(recursive=True) if _is_step(process)]
    for step in steps:
        with contextlib.suppress(psutil.NoSuchProcess):
            step.terminate()
    threading.Thread(target=_kill, args=(steps,), daemon=True).start()
    raise KeyboardInterrupt  # Snakemake ends, now that its jobs do


def _kill(steps: list[psutil.Process]) -> None:
    for step in psutil.wait_procs(steps, timeout=5)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            step.kill()


def _is_step(process: psutil.Process) -> bool:
    """Return whether a process is a step; a worker ends with its step, which would take a signal for a crash."""
    try:
        modules = [word for word in process.cmdline() if word.startswith("workflows.")]
    except psutil.Error:
        return False
    return bool(modules) and modules[0] != "workflows.running.worker"


def end_with_runner() -> None:
    """End this process within two seconds of the death of the one that runs the pipeline."""
    name, _, rest = os.environ.get(RUNNER, "").partition(" ")
    if not rest or name != os.uname().nodename:  # by hand, or on another node of a cluster
        return
    pid, _, started = rest.partition(" ")
    threading.Thread(target=_watch, args=(int(pid), started), daemon=True).start()


def _watch(pid: int, started: str) -> None:
    while _started(pid) == started:
        time.sleep(1)
    os._exit(1)  # the worker dies with this process


def _started(pid: int) -> str:
    """Return when a process started, in the kernel's ticks since a boot: no step of the clock changes it.

    Empty where there is no such process, and for one that has ended and that nobody has taken note of.
    """
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if state in "ZX" else f"{fields[18]} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    except (FileNotFoundError, ProcessLookupError):
        return ""
