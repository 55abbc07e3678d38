"""The frame of every step as a command: one specification, a log, and one clear line for a fault."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from benchmarks.clock.cores import allowed
from benchmarks.records import read
from datasets.files import DataError, one_line
from workflows.planning.marks import marking
from workflows.planning.specs import Spec
from workflows.running import environment
from workflows.running.machine import of_system
from workflows.running.runner import UNEXPECTED, end_with_runner
from workflows.spending.meter import START, Meter, keep

T = TypeVar("T", bound=Spec)


@dataclass(frozen=True)
class Job(Generic[T]):
    """A step as the command line asks for it: its specification, how many threads it may use, and what it takes."""

    spec: T
    threads: int
    meter: Meter


@contextlib.contextmanager
def job(kind: type[T], usage: str | None) -> Iterator[Job[T]]:
    """Read the command line of a step whose specification is of a ``kind``; end with one line where it fails."""
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specification", type=Path, help="a JSON file, such as those in results/mini/specifications")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads the step may use")
    arguments = parser.parse_args()
    if arguments.threads < 1:
        sys.exit(f"error: --threads: expected a whole number of 1 or more, got {arguments.threads}")
    if arguments.threads > (cores := len(allowed())):
        sys.exit(f"error: --threads: expected at most {cores}, those that may be used, got {arguments.threads}")
    end_with_runner()
    environment.adopt(environment.for_threads(arguments.threads))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what a method starts must not wait for somebody to type
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, _stopped)
    try:
        spec, meter = read(arguments.specification, kind), Meter()
        _log(spec.job)
        meter.mark(START)
        with marking(spec):
            yield Job(spec, arguments.threads, meter)
        meter.mark(spec.step)
        keep(arguments.specification, meter.spent(spec.step, spec.job, spec.of))
    except KeyboardInterrupt:
        sys.exit("error: stopped before its end; run again to go on")
    except DataError as error:  # of data, results or settings
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {of_system(error)}")
    except Exception as error:
        traceback.print_exc()
        step = Path(sys.argv[0]).stem
        sys.exit(f"error: {UNEXPECTED} in the step {step}: {type(error).__name__}: {one_line(error)[:500]}")


def _stopped(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _log(whose: str) -> None:
    # Steps run side by side and share a terminal: each line says whose it is.
    form = f"%(asctime)s {whose}: %(message)s" if whose else "%(asctime)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, datefmt="%H:%M:%S", stream=sys.stderr)
