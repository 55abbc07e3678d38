"""Measure how time and memory grow with the number of pairs: the steps of a run, for a method that does nothing.

    python -m workflows.timed.scale --most 10000

Each step is a process, on tiny volumes. Registrations are judged by a second process, which starts no method.
Writes ``scale.csv`` and ``scale.png`` to results/bench: seconds, CPU seconds and MiB of each step.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from benchmarks import results
from benchmarks.records import write
from datasets.case import Pair, Writer
from datasets.description import Description, TrainingSplit
from reports.reading.method import Method
from workflows.configuration import sources
from workflows.planning.code import files_of
from workflows.planning.layout import Layout
from workflows.planning.specs import (
    CollectSpec,
    EvaluateSpec,
    ExportSpec,
    MethodSpec,
    RegisterSpec,
    ReportSpec,
    RunSpec,
    Spec,
)

SHAPE, AFFINE = (8, 9, 10), np.diag([-1.0, -1.0, 1.5, 1.0])
METHOD, DATASET = "identity", "scale"


@dataclass(frozen=True)
class Cost:
    """A step for a number of pairs: seconds, CPU seconds of it and its children, and its largest memory in MiB."""

    pairs: int
    step: str
    seconds: float
    cpu: float
    memory: float
    milliseconds_per_pair: float


def measure(pairs: int, folder: Path) -> Iterator[Cost]:
    """Run the steps for a number of pairs in an empty folder; yield what each cost."""
    layout = Layout(folder)
    _prepare(layout.data(DATASET), pairs)
    registering = _registering(layout)
    judged = replace(registering, judging=_judging(layout, registering.folder))
    results.write(layout.timing, [], "timing")
    write(layout.networks, [])
    steps: dict[str, tuple[str, Spec]] = {
        "register": ("register", registering),
        "judge": ("register", judged),
        "collect": ("collect", CollectSpec(chunks=[registering.folder], folder=folder)),
        "export": ("archive.export", _exporting(layout)),
        "report": ("archive.report", ReportSpec(archive=layout.archive, folder=layout.results)),
    }
    for name, (step, spec) in steps.items():
        write(folder / f"{name}.json", spec)
        seconds, cpu, memory = _run(step, folder / f"{name}.json")
        yield Cost(pairs, name, seconds, cpu, memory, 1000 * seconds / pairs)


def _run(step: str, spec: Path) -> tuple[float, float, float]:
    """Return the seconds of a step, its CPU seconds and its largest memory in MiB."""
    began = time.perf_counter()
    step_of = subprocess.Popen([sys.executable, "-m", f"workflows.{step}", spec], stderr=subprocess.PIPE, text=True)
    assert step_of.stderr is not None
    said = step_of.stderr.read()
    _, status, used = os.wait4(step_of.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{step}: {said[-2000:]}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _prepare(folder: Path, pairs: int) -> None:
    """Write as few cases as have so many ordered pairs."""
    rng, writer = np.random.default_rng(0), Writer(folder)
    cases = next(n for n in itertools.count(2) if n * (n - 1) >= pairs)
    for case in map(str, range(cases)):
        writer.image(case, rng.random(SHAPE), AFFINE)
        writer.labels(case, rng.integers(0, 3, SHAPE), AFFINE)
    test = itertools.islice(itertools.permutations(map(str, range(cases)), 2), pairs)
    labels = {1: "one", 2: "two"}
    split, tested = TrainingSplit(()), tuple(Pair(fixed, moving) for fixed, moving in test)
    writer.finish(Description(name=DATASET, phantom=True, labels=labels, training=split, test=tested))


def _registering(layout: Layout) -> RegisterSpec:
    module = f"methods.{METHOD}"
    by = MethodSpec(method=METHOD, module=module, params={}, device="cpu", seed=0, libraries={})
    run = RunSpec(by=by, dataset=DATASET, data=layout.data(DATASET), training=None, time_limit=60)
    folder = layout.chunk(DATASET, METHOD, 0, 0).folder
    return RegisterSpec(run=run, chunk=0, chunks=1, sources=sources.sources_of([module]), folder=folder)


def _judging(layout: Layout, folder: Path) -> EvaluateSpec:
    return EvaluateSpec(
        dataset=DATASET,
        method=METHOD,
        seed=0,
        chunk=0,
        chunks=1,
        data=layout.data(DATASET),
        folder=folder,
        keep="extremes",
        judge=list(map(Path, files_of("benchmarks.metrics"))),
    )


def _exporting(layout: Layout) -> ExportSpec:
    return ExportSpec(
        profile=DATASET,
        about="",
        folder=layout.results,
        trainings=[],
        datasets=[(DATASET, layout.data(DATASET))],
        chunks={DATASET: 1},
        papers={},
        methods=[(METHOD, Method(label=METHOD, kind="control", cite=""))],
    )


def _draw(costs: list[Cost], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, (time_axes, memory_axes) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for step in dict.fromkeys(cost.step for cost in costs):
        own = [cost for cost in costs if cost.step == step]
        pairs = [cost.pairs for cost in own]
        time_axes.loglog(pairs, [cost.milliseconds_per_pair for cost in own], "o-", label=step)
        memory_axes.semilogx(pairs, [cost.memory for cost in own], "o-", label=step)
    time_axes.set(xlabel="pairs", ylabel="ms a pair")
    memory_axes.set(xlabel="pairs", ylabel="largest memory in MiB", ylim=(0, None))
    time_axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, print, write the table and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=10_000, help="largest number of pairs; the others are 10, 100 ...")
    parser.add_argument("--folder", type=Path, default=Path("results/bench"), help="where table and figure go")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    costs: list[Cost] = []
    for pairs in itertools.takewhile(lambda n: n <= arguments.most, (10**n for n in itertools.count(1))):
        with tempfile.TemporaryDirectory(prefix="warpbench-scale-") as folder:
            for cost in measure(pairs, Path(folder)):
                print(*(f"{value:.4g}" if isinstance(value, float) else value for value in asdict(cost).values()))
                costs.append(cost)
    with (arguments.folder / "scale.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, [field.name for field in fields(Cost)])
        table.writeheader()
        table.writerows(map(asdict, costs))
    _draw(costs, arguments.folder / "scale.png")


if __name__ == "__main__":
    main()
