"""Claims about trainings themselves: how far they differ, how they ended, and what they wrote into their curves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import stats

from benchmarks.statistics import Sample, reproduction
from datasets.files import Array
from reports.claims.contents import Claim, Evidence, Region
from reports.claims.intervals import LEVEL, ONE_TRAINING, by_estimate
from reports.claims.sources import Sources
from reports.reading import trainings
from reports.reading.trainings import Training


def spread(sources: Sources, claim: Claim) -> Evidence:
    """Compare the standard deviations over trainings of their means over pairs by Fisher's F."""
    if why := sources.why_missing(claim):
        return Evidence(missing=why)
    means = [_means(sources, claim, method) for method in claim.methods]
    seeds = min(map(len, means))
    about = Evidence(
        data=sources.data(claim),
        pairs=sum(map(sources.pairs, sources.names(claim))),
        trainings=seeds,
        pairing="none: trainings are drawn apart",
        test="F",
    )
    if seeds < 2:
        return replace(about, doubts=(ONE_TRAINING,))
    above, below = (float(np.std(each, ddof=1)) for each in means)
    if not below:
        return replace(about, missing=f"{claim.methods[1]} has no spread to compare with")
    return _by_f(about, above / below, means, claim.region)


def _by_f(about: Evidence, ratio: float, means: list[Array], region: Region) -> Evidence:
    """Return interval and p of a ratio of two standard deviations of normal values."""
    law = stats.f(len(means[0]) - 1, len(means[1]) - 1)
    bound = region.above if math.isfinite(region.above) else region.below
    tail = float(law.cdf((ratio / bound) ** 2))
    low, high = (ratio / math.sqrt(float(law.ppf(share))) for share in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    return replace(about, value=ratio, low=low, high=high, p=min(1.0, 2 * min(tail, 1 - tail)))


def _means(sources: Sources, claim: Claim, method: str) -> Array:
    """Return the mean over all pairs of each seed."""
    sums: dict[int, list[float]] = {}
    for dataset in sources.names(claim):
        values = sources.values(dataset, method, claim.measure)
        if values.index.nlevels == 2:
            for seed, group in values.groupby(level="seed"):
                sums.setdefault(int(str(seed)), []).extend(group)
    return np.array([np.mean(values) for values in sums.values()])


def share(sources: Sources, claim: Claim) -> Evidence:
    """Take the mean of a column of the curve over the steps that have it, training by training."""
    found: list[tuple[int, float]] = []
    for training in (trained := _trainings(sources, claim)):
        curve = sources.curve(training)
        if curve is not None and claim.measure.column in curve:
            found.append((training.seed, float(curve[claim.measure.column].dropna().mean()) * claim.measure.factor))
    if not found:
        return Evidence(missing=_why_none(sources, claim, f"no {claim.measure.column} in its curve"))
    sample = Sample(np.array([value for _, value in found]), [()] * len(found), [seed for seed, _ in found])
    evidence = by_estimate(reproduction(sample, level=LEVEL), claim.region, "t over trainings")
    return _of_trainings(evidence, trained)


def outcome(sources: Sources, claim: Claim) -> Evidence:
    """Take the share of trainings that diverged; one training decides nothing, nor do some of several."""
    trained = [each for each in _trainings(sources, claim) if each.status in ("ok", "diverged")]
    if not trained:
        return Evidence(missing=_why_none(sources, claim, "no training came to an end"))
    diverged = sum(each.status == "diverged" for each in trained)
    some = f"{diverged} of {len(trained)} trainings diverged"
    doubts = (ONE_TRAINING,) if len(trained) == 1 else (some,) if 0 < diverged < len(trained) else ()
    part = claim.measure.factor * diverged / len(trained)
    evidence = Evidence(value=part, low=part, high=part, test="count", doubts=doubts, notes=(some,))
    return _of_trainings(evidence, trained)


def _trainings(sources: Sources, claim: Claim) -> list[Training]:
    """Return the trainings of the claim's method, those behind its data sets where it names any."""
    known, [method] = sources.run.trainings, claim.methods
    if claim.datasets:
        return sources.trainings(method, [each.seed for each in known], sources.names(claim))
    own = trainings.choose(known, claim.methods, sources.paper_run.own_data)
    return [each for each in known if (each.method, each.dataset) == (method, own)]


def _why_none(sources: Sources, claim: Claim, otherwise: str) -> str:
    method = claim.methods[0]
    return otherwise if method in sources.run.methods else f"not in this profile: {method}"


def _of_trainings(evidence: Evidence, trained: list[Training]) -> Evidence:
    names = ", ".join(dict.fromkeys(each.dataset for each in trained))
    return replace(
        evidence, data=f"trainings on {names}", trainings=len(trained), pairs=None, subjects=None, pairing="training"
    )
