"""What had been declared before a run began, claims, margins and budgets by digest, and what readers are told of it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.records import Declared, digest
from reports.claims.contents import Claim, Claims, Flattening


def of_claim(claim: Claim, rule: Flattening) -> str:
    """Return the digest of all that decides a claim; its words and place may be put otherwise."""
    return digest([
        claim.kind, claim.methods, claim.measure, claim.region, claim.datasets, claim.average, rule
    ])  # fmt: skip


def of_claims(claims: Claims | None) -> dict[str, str]:
    """Return the digests of a paper's claims by key."""
    return {claim.key: of_claim(claim, claims.flattening) for claim in claims.claims} if claims else {}


def remark(declared: Sequence[Declared], paper: str, claim: Claim, rule: Flattening) -> str:
    """Return what is to be said of a claim that was not declared when its run began; empty where it was.

    Nothing is said where a run has no declarations on record, as of all its claims it is said once (`sentence`).
    """
    if not declared:
        return ""
    now, began = of_claim(claim, rule), declared[0]
    since = next((each for each in declared if each.claims.get(paper, {}).get(claim.key) == now), None)
    if since is began:
        return ""
    if since:
        return f"declared on {since.at[:10]} during the run, which began on {began.at[:10]}"
    how = "otherwise" if claim.key in began.claims.get(paper, {}) else "not"
    return f"{how} declared when the run began on {began.at[:10]}"


def sentence(declared: Sequence[Declared], paper: str, margins: str) -> str:
    """Return when claims, margins and budgets were declared, and which of them were not before the run."""
    if not declared:
        return "Whether the claims were declared before the run is not on record."
    first, last = declared[0], declared[-1]
    words = f"Claims, margins and budgets as declared before the run, at {first.at} (commit {first.commit[:12]})"
    odd = [
        *(["margins are others now"] if first.margins.get(paper) != margins else []),
        *(["budgets were changed while it ran"] if first.budgets != last.budgets else []),
    ]
    return f"{words}, but {' and '.join(odd)}." if odd else f"{words}, but where a claim says otherwise."
