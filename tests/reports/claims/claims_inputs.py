"""Made-up runs for the claims of papers: rows, trainings, timings and sizes with a wanted effect, claim by claim."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.metrics import METRICS
from datasets.case import Dataset
from reports.claims.contents import Claim, Claims
from reports.claims.judge import judge
from reports.paper.cast import PaperRun
from reports.paper.layout import load_paper
from reports.reading.method import Method
from reports.reading.run import Run
from reports.reading.trainings import Training
from tests.reports.paper.paper_inputs import network, paper_size
from tests.reports.report_inputs import frame, row

PAPERS = {key: load_paper(key) for key in ("ldr-aldk", "progressive")}
CASES = [(key, claim) for key, paper in PAPERS.items() for claim in paper.claims.claims]
REPEATABLE = ("identity", "ants", "elastix", "demons")
SEEDS, ITERATIONS, PAIRS = (0, 1, 2, 3), 100, 12
BASE = 5.0  # of all methods of a contrast but the first, in shown units


@dataclass(frozen=True)
class Made:
    """What a run is to show of a claim: an effect in shown units, its noise, its seeds, whether losses flattened."""

    effect: float
    noise: float = 0.01
    seeds: tuple[int, ...] = SEEDS
    flat: bool = True
    unseen: bool | None = None  # whether the loss on validation pairs flattened; None where there is none
    calls: int = 10
    contended: bool = False
    device: str = ""  # of the calls, where it is not the one that is asked for
    recorded: bool = True  # sizes


def inside(claim: Claim) -> float:
    """An effect that is as claimed."""
    if claim.region.two_sided:
        return (claim.region.above + claim.region.below) / 2
    towards = 1 if bound(claim) == claim.region.above else -1
    return bound(claim) + towards * _far(claim)


def outside(claim: Claim) -> float:
    """An effect that is the other way, by as much."""
    if claim.region.two_sided:
        return claim.region.below + 2 * (claim.region.below - claim.region.above)
    towards = 1 if bound(claim) == claim.region.above else -1
    return 100 * bound(claim) if claim.kind == "spread" else bound(claim) - towards * _far(claim)


def bound(claim: Claim) -> float:
    """One end of what is claimed."""
    return claim.region.above if math.isfinite(claim.region.above) else claim.region.below


def kind_of(method: str) -> str:
    return "classical" if method.startswith(REPEATABLE) else "learned"


def judged(folder, key, claim: Claim, made: Made, data: dict[str, Dataset], *, paper=None, declared=()):
    """The verdict on one claim alone, by a run in which only its methods are."""
    paper = paper or PAPERS[key]
    alone = replace(paper, claims=Claims(key, paper.claims.flattening, [claim]))
    names = list(dict.fromkeys((*claim.methods, "identity")))
    run = Run(
        metrics=frame(_rows(claim, made, data)),
        timing=_timing(claim, made) if claim.kind == "seconds" else None,
        runs=pd.DataFrame() if claim.kind == "seconds" else _runs(claim, made, data),
        datasets={each.name: each for each in data.values()},
        methods={name: Method(name, kind_of(name)) for name in names},
        trainings=_trainings(folder, claim, made, data),
        networks=_networks(claim, made.effect) if made.recorded else {},
        declared=declared,
    )
    [verdict] = judge(PaperRun(alone, run, {each: data[each].name for each in alone.datasets}))
    return verdict


def _far(claim: Claim) -> float:
    """How far an effect is from the bound: by most of it where it cannot be below zero."""
    return {"outcome": 1.0, "seconds": 0.99, "spread": 0.99, "share": 0.99}.get(claim.kind, 0) * bound(claim) or 1.0


def _rows(claim, made, data):
    """Rows in which the first method has the effect over the others, which are alike; a mean of its own alone."""
    if claim.kind not in ("values", "slope", "spread"):
        return [row("none", "*", "identity", "parameters", 1.0)]
    rng, rows = np.random.default_rng(1), []
    for dataset in (data[key] for key in claim.datasets):
        for at, pair in enumerate(dataset.test_pairs):
            before = 4.0 + at
            rows += _pair(claim, dataset.name, pair.name, "identity", before, 0)
            for place, method in enumerate(claim.methods):
                for seed in made.seeds if kind_of(method) == "learned" else (0,):
                    value = _value(claim, made, place, before, seed) + rng.normal(0, made.noise)
                    rows += _pair(claim, dataset.name, pair.name, method, value, seed)
    return rows


def _value(claim, made, place, before, seed):
    start = BASE if len(claim.methods) > 1 else 0.0
    if claim.kind == "spread":  # the standard deviations of both methods' seeds, which alternate about their mean
        return start + (made.effect if place == 0 else 1.0) * (-1) ** seed
    if place:
        return start
    return start + made.effect * (before if claim.kind == "slope" else 1)


def _pair(claim, dataset, pair, method, value, seed):
    measure, about = claim.measure, METRICS[claim.measure.metric]
    status = row(dataset, pair, method, "seconds", 1.0, unit="s", seed=seed)
    protocol, region = measure.protocol or next(iter(about.protocols)), measure.region or about.region
    number = row(dataset, pair, method, measure.metric, value / measure.factor, seed=seed, protocol=protocol)
    return [status, number | {"region": region}]


def _trainings(folder, claim, made, data):
    found = []
    for place, method in enumerate(claim.methods):
        for seed in made.seeds if kind_of(method) == "learned" else ():
            kept = folder / method / str(seed)
            kept.mkdir(parents=True, exist_ok=True)
            _write_curve(kept / "curve.jsonl", claim, made, seed)
            _write_snapshots(kept / "snapshots.jsonl", claim, made, place, seed, data)
            # an outcome's effect is the share that diverged
            diverged = claim.kind == "outcome" and seed < made.effect / claim.measure.factor * len(made.seeds)
            ended = ("diverged", "loss is NaN") if diverged else ("ok", "")
            found.append(Training(method, "made-up", seed, *ended, kept, f"{method}-{seed}"))
    return found


def _runs(claim, made, data):
    """The weights of each registration by a network."""
    learned = [method for method in dict.fromkeys(claim.methods) if kind_of(method) == "learned"]
    rows = [(each.name, method, seed) for each in data.values() for method in learned for seed in made.seeds]
    runs = pd.DataFrame(rows, columns=["dataset", "method", "seed"])
    return runs.assign(checkpoint_sha=[f"{method}-{seed}" for _, method, seed in rows])


def _write_curve(path, claim, made, seed):
    rng = np.random.default_rng(seed)
    for_teacher = {"teacher_share": made.effect / claim.measure.factor} if claim.kind == "share" else {}
    falling, unseen = _loss(made.flat), [] if made.unseen is None else _loss(made.unseen)
    lines = [
        {"iteration": each, "total": loss}
        | {name: value * (1 + made.noise * rng.normal()) for name, value in for_teacher.items()}
        | ({"validation": unseen[each]} if unseen and each % 5 == 4 else {})
        for each, loss in enumerate(falling)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))


def _loss(flat):
    return [math.exp(-each / 5) if flat else 1 - each / ITERATIONS for each in range(ITERATIONS)]


def _write_snapshots(path, claim, made, place, seed, data):
    """Errors that move by as much from one snapshot to the next, the first method's by the effect more."""
    if claim.kind != "roughness":
        return
    rng, lines = np.random.default_rng([seed, place]), []
    for dataset in (data[key] for key in claim.datasets):
        for pair in dataset.test_pairs:
            step = BASE + (0 if place else made.effect) + rng.normal(0, made.noise)
            for at in range(10):
                error = 10.0 + step * (at % 2)
                lines.append({"iteration": 10 * (at + 1), "dataset": dataset.name, "pair": pair.name, "mean": error})
    path.write_text("\n".join(map(json.dumps, lines)))


def _timing(claim, made):
    """Calls whose medians have the wanted ratio, or are the wanted seconds."""
    parts = []
    for place, method in enumerate(claim.methods):
        middle = made.effect if place == 0 else 1.0
        calls = middle * (1 + made.noise * np.linspace(-1, 1, made.calls))
        more = {"device": made.device or claim.measure.device, "contended": made.contended}
        parts.append(paper_size(method, np.maximum(calls, 1e-9).tolist(), **more))
    return pd.concat(parts)


def _networks(claim, effect):
    if claim.kind != "parameters":
        return {}
    second = 100_000_000
    sizes = [round(effect * second), second] if len(claim.methods) == 2 else [round(effect / claim.measure.factor)]
    first, last = claim.methods[0], claim.methods[-1]
    return {name: network(name, parameters=size) for name, size in zip((first, last), sizes, strict=False)}
