"""Claims on sizes and seconds, both at the paper's own size, which no data set and no training changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.results import RUN_LEVEL
from benchmarks.statistics import bootstrap_interval, ratio_interval
from reports.claims.contents import Claim, Evidence
from reports.claims.sources import Sources
from reports.reading.elsewhere import gpu_seconds
from reports.reading.summary import RESAMPLES, Sizes
from reports.reading.timed import Calls, Sought


def parameters(sources: Sources, claim: Claim) -> Evidence:
    """Return how many parameters a network has, or how many times those of another; both exactly."""
    sizes: list[int] = []
    for method in claim.methods:
        if method not in sources.run.networks:
            return Evidence(missing=f"the size of {method} at the paper's width is not on record")
        sizes.append(sources.run.networks[method].parameters)
    value = claim.measure.factor * (sizes[0] / sizes[1] if len(sizes) == 2 else sizes[0])
    notes = (f"{' and '.join(f'{size:,}' for size in sizes)} parameters",)
    return Evidence(value=value, low=value, high=value, data="networks at the paper's width", test="exact", notes=notes)


def seconds(sources: Sources, claim: Claim) -> Evidence:
    """Return the median seconds of a method, or the ratio of two, with a bootstrap interval over calls.

    The calls are those that tables and ledger have: on one machine and grid, on the most threads. Calls beside other
    work, calls that failed, too few calls, another grid than the paper's and a narrower network each leave the claim
    undecided.
    """
    datasets = sources.names(claim) or ([] if claim.datasets else [RUN_LEVEL])
    if not datasets:
        return Evidence(missing=sources.why_missing(claim))
    sought = [Sought(method, claim.measure.device or "cpu", datasets[0]) for method in claim.methods]
    timed = sources.run.timed
    sought = [Sought(method, claim.measure.device or "cpu", datasets[0]) for method in claim.methods]
    chosen = timed.together(sought)
    if isinstance(chosen, str):
        unseen = not all(any(timed.candidates(one)) for one in sought)
        return (_elsewhere(sources, claim) if unseen else None) or Evidence(missing=chosen)
    if not all(len(each.seconds) for each in chosen):
        return Evidence(missing="no timed call finished")
    return _of_calls(sources, claim, chosen, datasets[0])


def _elsewhere(sources: Sources, claim: Claim) -> Evidence | None:
    """Return what was measured on a GPU apart from any run: medians alone, so that nothing is decided."""
    if claim.measure.device != "cuda" or claim.datasets:
        return None
    networks = sources.run.networks
    names = [networks[method].timed_as if method in networks else method for method in claim.methods]
    for card, medians in gpu_seconds().items():
        if all(name in medians for name in names):
            found = [medians[name] for name in names]
            return Evidence(
                value=found[0] / found[1] if len(found) == 2 else found[0],
                data=f"128 x 128 x 128 voxels, {card}, measured apart from this run",
                test="none: medians alone",
                doubts=("no CUDA device in this run; the archive of `make gpu` has medians alone",),
                notes=(f"medians {' and '.join(f'{median:.3g} s' for median in found)}",),
            )
    return None


def _of_calls(sources: Sources, claim: Claim, calls: Sequence[Calls], dataset: str) -> Evidence:
    first, ratio = calls[0], len(calls) == 2
    value = first.median / calls[1].median if ratio else first.median
    medians = " and ".join(f"{each.median:.3g} s ({len(each.seconds)} calls)" for each in calls)
    evidence = Evidence(
        value=value,
        data=f"{first.grid.replace('x', ' x ')} voxels, {first.place}",
        test=f"bootstrap interval of the {'ratio of medians' if ratio else 'median'}",
        pairing="calls in turn on one machine" if ratio else "calls",
        doubts=tuple(_doubts(sources, calls, dataset)),
        notes=(f"medians {medians} on {first.threads} thread{'s' * (first.threads != 1)}",),
    )
    if any(each.why_no_interval for each in calls):
        return evidence
    low, high = _interval([each.seconds for each in calls])
    return replace(evidence, low=low, high=high)


def _interval(samples: Sequence[np.ndarray]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    if len(samples) == 2:
        return ratio_interval(samples[0], samples[1], RESAMPLES, rng)
    return bootstrap_interval(samples[0], np.median, RESAMPLES, rng)


def _doubts(sources: Sources, calls: Sequence[Calls], dataset: str) -> Iterator[str]:
    """Say what keeps calls from deciding anything."""
    sizes, grid = Sizes(sources.run.metrics), "x".join(map(str, sources.paper_run.paper.grid))
    for each in calls:
        if each.why_no_interval:
            yield f"{each.method}: {each.why_no_interval}"
        if each.disturbance:
            yield each.disturbance
        if each.failed:
            yield f"{each.failed} timed calls of {each.method} failed"
        if dataset != RUN_LEVEL and sizes.narrow(dataset, each.method):
            yield f"{each.method} is narrower than the paper's"
    if grid and calls[0].grid != grid:
        yield f"timed on {calls[0].grid} voxels, the paper's are {grid}"
