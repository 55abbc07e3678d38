"""The verdicts on a paper's claims: evidence of a run, Holm's correction over the paper, and what follows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from benchmarks.statistics import Sample, generalisation, holm
from reports.claims import costs, draws, pairs, training
from reports.claims.contents import Claim, Evidence, Flattening, Judged, Kind, Verdict
from reports.claims.declared import remark
from reports.claims.intervals import LEVEL, by_estimate
from reports.claims.sources import Sources
from reports.paper.cast import PaperRun

ALPHA = 1 - LEVEL
TEST = "t over subjects and trainings"
FEWEST_PAIRS = 0.85  # of those of the data sets: a mean over fewer is another number
OTHERS: Mapping[Kind, Callable[[Sources, Claim], Evidence]] = {
    "spread": draws.spread,
    "share": draws.share,
    "outcome": draws.outcome,
    "seconds": costs.seconds,
    "parameters": costs.parameters,
}


def judge(paper_run: PaperRun) -> list[Judged]:
    """Return every claim of a paper with the verdict of a run, in the order of its file."""
    claims, sources = paper_run.paper.claims, Sources(paper_run)
    if claims is None:
        return []
    rule, declared = claims.flattening, paper_run.run.declared
    found = [
        _with_note(evidence(sources, claim, rule), remark(declared, claims.paper, claim, rule))
        for claim in claims.claims
    ]
    adjusted = holm([each.p for each in found]) if found else []
    return [
        Judged(claims.paper, claim, each, float(p), *verdict(claim, each, float(p)))
        for claim, each, p in zip(claims.claims, found, adjusted, strict=True)
    ]


def evidence(sources: Sources, claim: Claim, rule: Flattening) -> Evidence:
    """Return what a run has on a claim."""
    return OTHERS[claim.kind](sources, claim) if claim.kind in OTHERS else _over_pairs(sources, claim, rule)


def _with_note(found: Evidence, note: str) -> Evidence:
    return replace(found, notes=(*found.notes, note)) if note else found


def verdict(claim: Claim, evidence: Evidence, p_holm: float) -> tuple[Verdict, str]:
    """Return the verdict and why.

    A doubt leaves a claim inconclusive. Where there is a p it has to be below 5 % after Holm's correction, and the
    side of the bounds on which the effect lies says the rest; else the whole interval has to lie on one side.
    """
    if evidence.missing:
        return "not measured", evidence.missing
    notes = "; ".join(evidence.notes)
    if evidence.doubts:
        return "inconclusive", "; ".join([*dict.fromkeys(evidence.doubts), *evidence.notes])
    inside = claim.region.contains(evidence.value)
    if math.isnan(evidence.p):
        ends = {claim.region.contains(end) for end in (evidence.low, evidence.value, evidence.high)}
        return (
            ("inconclusive", f"the bound lies in the interval; {notes}") if len(ends) > 1 else _decided(inside, notes)
        )
    if p_holm >= ALPHA:
        return "inconclusive", "; ".join(part for part in (f"p = {p_holm:.2g} after Holm's correction", notes) if part)
    return _decided(inside, notes)


def _decided(inside: bool, notes: str) -> tuple[Verdict, str]:
    return ("supported" if inside else "contradicted"), notes


def _over_pairs(sources: Sources, claim: Claim, rule: Flattening) -> Evidence:
    """Return the evidence on a claim over pairs: subjects and trainings are drawn, pairs and seeds common to all."""
    if why := sources.why_missing(claim):
        return Evidence(missing=why)
    rows = pairs.read(sources, claim)
    if isinstance(rows, str):
        return Evidence(missing=rows)
    learned = [method for method in dict.fromkeys(claim.methods) if not sources.repeatable(method)]
    seeds, names = sorted({int(seed) for seed in rows.seed.dropna()}), sources.names(claim)
    trained = training.Trained(learned, seeds, names)
    found = by_estimate(generalisation(_sample(sources, rows), level=LEVEL), claim.region, TEST)
    asked: list[str] = []
    if claim.kind != "roughness":  # its snapshots are of the trainings themselves, at their roughest
        asked = [*training.untraced(sources, trained), *training.unfinished(sources, trained, rule)]
    return replace(
        found,
        data=sources.data(claim),
        pairing="pair and seed" if learned else "pair",
        doubts=(*found.doubts, *_few(sources, rows, names), *asked),
        notes=tuple(training.shares(sources, trained)),
    )


def _sample(sources: Sources, rows: pd.DataFrame) -> Sample:
    places = list(zip(rows.dataset, rows.pair, strict=True))
    known = {place: sources.subjects(*place) for place in dict.fromkeys(places)}
    seeds = [None if math.isnan(seed) else int(seed) for seed in rows.seed.astype(float)]
    return Sample(rows.value.to_numpy(dtype="float64"), [known[place] for place in places], seeds)


def _few(sources: Sources, rows: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Say that too many pairs have no number of all methods, under one seed at least."""
    under = rows.groupby("seed", dropna=False)
    here = min((len(each[["dataset", "pair"]].drop_duplicates()) for _, each in under), default=0)
    whole = sum(map(sources.pairs, names))
    return [f"{here} of {whole} pairs"] if here < FEWEST_PAIRS * whole else []
