"""Run a method in a child process that may hang, crash or run out of memory without taking the run along."""

from __future__ import annotations

import contextlib
import io
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.records import decode, encode
from workflows.configuration.sources import ROOT
from workflows.running.messages import Greeting, Reply, Request, Start

LOAD_LIMIT = 600.0  # seconds; importing elastix alone takes up to 20
LOG_LIMIT = 2_000_000  # bytes of a method's own output that are kept
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


@dataclass(frozen=True)
class Child:
    """A running child process and the two ends of the talk with it."""

    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    replies: io.FileIO


@dataclass
class Worker:
    """A supervised child that holds one method.

    ``log`` collects what the method prints. The child starts at the first request and again after each death.
    """

    message: Start
    log: Path
    child: Child | None = None
    greeting: Greeting | None = None
    deaths_at_load: int = 0

    def start(self) -> Greeting:
        """Start the child unless it lives; return its greeting.

        A method that says it cannot be loaded, or dies of it three times, is not tried again for every pair.
        """
        if self.greeting and self.greeting.status != "ok" and self.deaths_at_load not in (1, 2):
            return self.greeting
        if self.greeting is None or self.child is None or self.child.process.poll() is not None:
            self.child = _spawn(self.message, self.log)
            answer = self._answer(LOAD_LIMIT, "load")
            # Without an answer the process is gone already; one that answered with a fault is sure to fail again.
            self.deaths_at_load = self.deaths_at_load + 1 if isinstance(answer, Reply) else 0
            self.greeting = _greeting(answer)
            if self.greeting.status != "ok":
                self.stop()
        return self.greeting

    def call(self, request: Request, limit: float) -> Reply:
        """Send a request and return the reply; a child that fails to answer in ``limit`` seconds is killed."""
        greeting = self.start()
        if greeting.status != "ok" or self.child is None:
            return Reply(status=greeting.status, reason=greeting.reason)
        try:
            self.child.requests.write(encode(request) + b"\n")
            self.child.requests.flush()
        except BrokenPipeError:
            return self._dead(self.child)
        answer = self._answer(limit, "register")
        return answer if isinstance(answer, Reply) else decode(answer, Reply)

    def stop(self) -> None:
        """Kill the child with everything it started."""
        if self.child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.process.pid, signal.SIGKILL)
        self.child.process.wait()
        self.child.requests.close()
        self.child.replies.close()
        self.child = None

    def _answer(self, limit: float, step: str) -> bytes | Reply:
        """Return the child's next line, or the outcome of a pair for which none came."""
        assert self.child is not None
        line, deadline = b"", time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self.child.replies, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.stop()
                    return Reply(status="timeout", reason=f"{step}: stopped after the limit of {limit:g} s")
                if not (part := os.read(self.child.replies.fileno(), 65536)):
                    return self._dead(self.child)
                line += part
        return line

    def _dead(self, child: Child) -> Reply:
        code = child.process.wait()
        self.stop()
        if code == -signal.SIGKILL:
            return Reply(status="oom", reason="killed by SIGKILL from outside, most likely for lack of memory")
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return Reply(status="failed", reason=f"crash: the process ended with {how}; last lines: {tail(self.log)}")


def _spawn(message: Start, log: Path) -> Child:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "workflows.running.worker", encode(message).decode(), str(writing), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[writing],
        env=environment(message.threads),
        start_new_session=True,
    )
    os.close(writing)
    assert process.stdin is not None
    threading.Thread(target=_drain, args=(process.stdout, log), daemon=True).start()
    return Child(process, process.stdin, io.FileIO(reading))


def _greeting(answer: bytes | Reply) -> Greeting:
    if isinstance(answer, Reply):
        return Greeting(status=answer.status, reason=answer.reason)
    return decode(answer, Greeting)


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a child: one thread count for every library, set before any of them is imported."""
    counts = dict.fromkeys(THREAD_VARIABLES, str(threads))
    search = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, **counts, "PYTHONPATH": search}


def tail(log: Path, lines: int = 5) -> str:
    """Return the last lines of a log, in one line."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return " | ".join(line.strip() for line in text.splitlines()[-lines:])[-500:] or "none"


def _drain(stream: io.BufferedReader, log: Path) -> None:
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
