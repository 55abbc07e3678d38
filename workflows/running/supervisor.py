"""Runs a method in a child process that may hang, crash or run out of memory without taking the run along."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from workflows.configuration.sources import ROOT

LOAD_LIMIT = 600.0  # seconds; importing elastix alone takes up to 20
LOG_LIMIT = 2_000_000  # bytes of a method's own output that are kept
RUNNER = "WARPBENCH_RUNNER"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


@dataclass
class Worker:
    """A supervised child that holds one method.

    ``spec``: module, params, device, seed, checkpoint, threads and shape, all JSON. ``log``: the file that collects
    what the method prints. The child starts at the first request and again after each death.
    """

    spec: Mapping[str, Any]
    log: Path
    process: subprocess.Popen | None = None
    replies: IO[bytes] | None = None
    ready: dict[str, Any] = field(default_factory=dict)
    deaths_at_load: int = 0

    def start(self) -> dict[str, Any]:
        """Start the child unless it lives; return its greeting: status, reason, load_seconds, cost.

        A method that says it cannot be loaded, or dies of it three times, is not tried again for every pair.
        """
        if self.ready.get("status", "ok") != "ok" and self.deaths_at_load not in (1, 2):
            return self.ready
        if self.process is None or self.process.poll() is not None:
            self._spawn()
            self.ready = self._reply(LOAD_LIMIT, "load")
            # Without an answer the process is gone already; one that answered with a fault is sure to fail again.
            died = self.process is None
            self.deaths_at_load = self.deaths_at_load + 1 if died else 0
            if self.ready["status"] != "ok":
                self.stop()
        return self.ready

    def call(self, request: Mapping[str, Any], limit: float) -> dict[str, Any]:
        """Send a request and return the reply; a child that fails to answer in ``limit`` seconds is killed."""
        greeting = self.start()
        if greeting["status"] != "ok":
            return {"status": greeting["status"], "reason": greeting["reason"]}
        try:
            self.process.stdin.write(json.dumps(dict(request)).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return self._dead()
        return self._reply(limit, "register")

    def stop(self) -> None:
        """Kill the child with everything it started."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.replies):
            stream.close()
        self.process = None

    def _spawn(self) -> None:
        reading, writing = os.pipe()
        command = [
            sys.executable,
            "-m",
            "workflows.running.worker",
            json.dumps(dict(self.spec)),
            str(writing),
            str(os.getpid()),
        ]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            env=environment(self.spec["threads"]),
            start_new_session=True,
        )
        os.close(writing)
        self.replies = os.fdopen(reading, "rb", buffering=0)
        threading.Thread(target=_drain, args=(self.process.stdout, self.log), daemon=True).start()

    def _reply(self, limit: float, step: str) -> dict[str, Any]:
        line, deadline = b"", time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self.replies, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.stop()
                    return {"status": "timeout", "reason": f"{step}: stopped after the limit of {limit:g} s"}
                if not (part := os.read(self.replies.fileno(), 65536)):
                    return self._dead()
                line += part
        return json.loads(line)

    def _dead(self) -> dict[str, Any]:
        code = self.process.wait()
        self.stop()
        if code == -signal.SIGKILL:
            return {"status": "oom", "reason": "killed by SIGKILL from outside, most likely for lack of memory"}
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return {"status": "failed", "reason": f"crash: the process ended with {how}; last lines: {tail(self.log)}"}


def environment(threads: int) -> dict[str, str]:
    """The environment of a child: one thread count for every library, set before any of them is imported."""
    counts = dict.fromkeys(THREAD_VARIABLES, str(threads))
    search = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, **counts, "PYTHONPATH": search}


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, in one line."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return " | ".join(line.strip() for line in text.splitlines()[-lines:])[-500:] or "none"


def announce_runner() -> None:
    """Note this process as the one that runs the pipeline: steps end when it does (see `end_with_runner`)."""
    os.environ[RUNNER] = f"{os.uname().nodename}:{os.getpid()}:{psutil.Process().create_time()}"


def end_with_runner() -> None:
    """Let this process end within two seconds of the pipeline's death; a killed Snakemake leaves its jobs running."""
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


def _drain(stream: IO[bytes], log: Path) -> None:
    """Copy a child's output to the log up to a limit, and go on reading so that the child never blocks."""
    with open(log, "ab") as target:
        room = LOG_LIMIT - target.tell()
        while part := stream.read1(65536):
            if room > 0:
                target.write(part[:room])
                target.flush()
                room -= len(part)
                if room <= 0:
                    target.write(b"\n[output beyond the limit is not kept]\n")
    stream.close()
