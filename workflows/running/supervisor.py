"""Run a method in a child process that may hang, crash or run out of memory without taking the run along."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.records import UNAVAILABLE, decode, encode
from workflows.running import environment, machine
from workflows.running.machine import MachineError
from workflows.running.messages import MACHINE, Greeting, Reply, Request, Start
from workflows.running.output import Output

LOAD_LIMIT = 600.0  # seconds; importing elastix alone takes up to 20
ATTEMPTS = 3  # to load a method that dies of it
TICK = 1.0  # seconds between looks at a child that says nothing
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # what ends a whole run, not a method


@dataclass(frozen=True)
class Child:
    """A running child process, its folder for temporary files, what it prints, and our ends of the talk with it.

    ``lifeline`` is closed by our death, however we die: then the child ends with all that it has started.
    """

    process: subprocess.Popen[bytes]
    scratch: Path
    output: Output
    requests: io.FileIO
    replies: io.FileIO
    lifeline: io.FileIO

    def send(self, message: Start | Request) -> None:
        """Send one message as a line; a child that has died gets none, and gives no answer either."""
        left = memoryview(encode(message) + b"\n")
        with contextlib.suppress(BrokenPipeError):
            while left:
                left = left[self.requests.write(left) :]

    def kill(self) -> int:
        """Kill the child with everything it has started; return its exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def discard(self) -> None:
        """Kill the child and remove its temporary files."""
        self.kill()
        for end in (self.requests, self.replies, self.lifeline):
            end.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


@dataclass
class Worker:
    """A supervised child that holds one method.

    ``log`` collects what the method prints. The child starts at the first request and again after each death.
    ``load_cpu`` are the CPU seconds that its starts have taken.
    """

    message: Start
    log: Path
    child: Child | None = None
    greeting: Greeting | None = None
    load_cpu: float = 0.0

    @property
    def process(self) -> int:
        """The number of the child's process, 0 while there is none."""
        return self.child.process.pid if self.child else 0

    def start(self) -> Greeting:
        """Start the child unless it lives; return its greeting.

        A method that says it cannot be loaded, or dies of it three times, is not tried again for every pair.

        Raises:
            MachineError: the machine is at fault, not the method.
        """
        if self.greeting and self.greeting.status != "ok":
            return self.greeting
        for _ in range(ATTEMPTS):
            if self.greeting and self.child and self.child.process.poll() is None:
                break
            if self._load():
                break
        assert self.greeting is not None
        return self.greeting

    def call(self, request: Request, limit: float, check: Callable[[], None] = lambda: None) -> Reply:
        """Send a request and return the reply; a child that fails to answer in ``limit`` seconds is killed.

        Before a failure counts as the method's, ``check`` may raise an error about what the method was given.

        Raises:
            MachineError: the machine is at fault, not the method.
        """
        greeting = self.start()
        if greeting.status != "ok" or self.child is None:
            return Reply(status=greeting.status, reason=greeting.reason)
        reply = self._ask(self.child, request, limit)
        if reply.status in ("ok", "not_applicable"):
            return reply
        check()
        status, reason = self._judge(self.child, reply, f"{self.message.by.method}, {request.pair}")
        if reply.status == "oom" or self.message.by.device != "cpu":  # what is left of it may not serve the next pair
            self.stop()
        return replace(reply, status=status, reason=reason)

    def stop(self) -> None:
        """Kill the child with everything it started."""
        if self.child is not None:
            self.child.discard()
            self.child = None

    def _load(self) -> bool:
        """Start a child; return whether it answered at all."""
        self.stop()
        self.child = _spawn(self.message, self.log)
        answer = self._answer(self.child, LOAD_LIMIT, "load")
        if isinstance(answer, bytes):
            self.greeting = decode(answer, Greeting)
            self.load_cpu += self.greeting.load_cpu
        else:  # a crash before anything was asked of the method
            status = UNAVAILABLE if answer.status == "failed" else answer.status
            self.greeting = Greeting(status=status, reason=answer.reason)
        if self.greeting.status != "ok":
            status, reason = self._judge(self.child, self.greeting, self.message.by.method)
            self.greeting = replace(self.greeting, status=status, reason=reason)
            self.stop()
        return isinstance(answer, bytes)

    def _ask(self, child: Child, request: Request, limit: float) -> Reply:
        child.send(request)
        answer = self._answer(child, limit, "register")
        return answer if isinstance(answer, Reply) else decode(answer, Reply)

    def _judge(self, child: Child, answer: Greeting | Reply, whose: str) -> tuple[str, str]:
        """Return status and reason of a failure that is the method's, or of its device that is not there."""
        try:
            self._blame_machine(child, answer)
        except MachineError as error:
            raise MachineError(f"{whose}: {error}") from error
        device = self.message.by.device
        if answer.status != UNAVAILABLE and (why := machine.missing_device(device)):
            return UNAVAILABLE, f"device {device} cannot be used: {why}"
        return answer.status, answer.reason

    def _blame_machine(self, child: Child, answer: Greeting | Reply) -> None:
        """Raise `MachineError` where the machine is at fault."""
        if answer.status == MACHINE:
            raise MachineError(answer.reason)
        if child.output.fault:
            raise MachineError(f"{self.log}: {child.output.fault.strerror}; correct that and run again")
        machine.check([self.log.parent, child.scratch], self.message.room)

    def _answer(self, child: Child, limit: float, step: str) -> bytes | Reply:
        """Return the child's next line, or the outcome of a pair for which none came.

        A turn of the loop that took far longer than a tick did so because everything stood still (a suspended machine
        or container, a stopped process group): the child had no such time.
        """
        line, spent, seen = b"", 0.0, time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(child.replies, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left = limit - spent
                ready = selector.select(max(0.0, min(TICK, left)))
                now = time.monotonic()
                spent, seen = spent + min(now - seen, 2 * TICK), now
                if ready:
                    if not (part := os.read(child.replies.fileno(), 65536)):
                        return _dead(child)
                    line += part
                elif child.process.poll() is not None:  # something that it started holds the line open
                    return _dead(child)
                elif left <= 0:
                    child.kill()
                    reason = f"{step}: stopped after {spent:.1f} s, over the limit of {limit:g} s"
                    return Reply(status="timeout", reason=reason, printed=child.output.last_lines())
        return line


def _dead(child: Child) -> Reply:
    code = child.process.wait()
    child.kill()
    printed = child.output.last_lines()
    if code == -signal.SIGKILL:
        held = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        why = f"killed by SIGKILL from outside, most likely for lack of memory: it held up to {held} MiB"
        return Reply(status="oom", reason=why, printed=printed)
    if -code in STOPS:
        return Reply(status=MACHINE, reason=f"the method's process was stopped from outside by {_name(code)}")
    how = _name(code) if code < 0 else f"exit status {code}"
    last = " | ".join(printed[-5:])[-500:] or "none"
    return Reply(status="failed", reason=f"crash: the process ended with {how}; last lines: {last}", printed=printed)


def _name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"


def _spawn(message: Start, log: Path) -> Child:
    ends = [os.pipe() for _ in range(3)]
    (asked, requests), (replies, answered), (held, lifeline) = ends
    scratch = Path(tempfile.mkdtemp(prefix="warpbench-"))
    theirs = (asked, answered, held)
    process = subprocess.Popen(
        [sys.executable, "-m", "workflows.running.worker", *map(str, theirs), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=theirs,
        env=environment.for_child(message.threads, scratch),
        start_new_session=True,
    )
    for end in theirs:
        os.close(end)
    assert isinstance(process.stdout, io.BufferedReader)
    output = Output(process.stdout, log)
    child = Child(process, scratch, output, io.FileIO(requests, "w"), io.FileIO(replies), io.FileIO(lifeline, "w"))
    child.send(message)  # by the pipe: options may be longer than a command line can hold
    return child
