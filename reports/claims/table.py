"""The claims of papers as a file for machines, and of one paper as a table for readers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from reports.claims.contents import OVER_PAIRS, Claim, Judged
from reports.tables.numbers import MINUS, number
from reports.tables.table import NOTHING, Head, Table, Text

COLUMNS = (
    "paper", "key", "statement", "locator", "kind", "contrast", "metric", "protocol", "unit", "data", "direction",
    "margin", "pairing", "subject_unit", "test", "effect", "low", "high", "pairs", "subjects", "seeds", "p", "p_holm",
    "minimal_detectable", "verdict", "why",
)  # fmt: skip
SUBJECT = "subject of the fixed or of the moving image"


def claims_frame(judged: Sequence[Judged]) -> pd.DataFrame:
    """Return claims as text for a CSV file: columns `COLUMNS`, effects in ``unit``, 95 % intervals, a row a claim."""
    return pd.DataFrame(list(map(_row, judged)), columns=COLUMNS)


def claims_table(judged: Sequence[Judged], caption: str, declared: str) -> Table:
    """Return the claims of a paper for readers: what is claimed, the effect with its interval, and the verdict.

    ``declared`` is a sentence on when they were declared.
    """
    heads = [Head("Where", number=False), Head("Verdict", number=False), Head("Claim", width="6cm", number=False)]
    heads += [Head("Claimed"), Head("Effect", "95 % interval"), Head("p", "Holm"), Head("n", "pairs; seeds")]
    heads += [Head("Why", width="6cm", number=False)]
    return Table(caption, heads, [_readable(each) for each in judged], [NOTE, declared])


NOTE = (
    "A claim is supported or contradicted where p, by Holm's correction over the claims of the paper, is below 5 %; "
    "sizes are exact, and of seconds the whole interval has to lie on one side. One training, or a loss that had not "
    "flattened, decides nothing."
)


def effect(judged: Judged) -> str:
    """Return the effect with its unit and interval; a dash where nothing was measured."""
    measure, found = judged.claim.measure, judged.evidence
    if math.isnan(found.value):
        return "—"
    value = f"{number(found.value, measure.decimals)} {_unit(judged.claim)}".strip()
    if math.isnan(found.low) or found.low == found.high:
        return value
    return f"{value} [{number(found.low, measure.decimals)}, {number(found.high, measure.decimals)}]"


def _row(each: Judged) -> tuple[object, ...]:
    claim, found = each.claim, each.evidence
    return (
        each.paper,
        claim.key,
        claim.statement,
        claim.locator,
        claim.kind,
        claim.contrast,
        claim.measure.metric,
        claim.measure.protocol,
        _unit(claim),
        found.data,
        claim.region.direction,
        claim.region.margin,
        found.pairing,
        SUBJECT if claim.kind in OVER_PAIRS and found.subjects is not None else "",
        found.test,
        *map(_exact, (found.value, found.low, found.high)),
        *("" if each is None else each for each in (found.pairs, found.subjects, found.trainings)),
        *map(_exact, (found.p, each.p_holm, found.minimal)),
        each.verdict,
        each.why,
    )


def _readable(each: Judged) -> list[Text]:
    claim, found = each.claim, each.evidence
    many = [str(number) for number in (found.pairs, found.trainings) if number is not None]
    shown = effect(each)
    return [
        Text(claim.locator),
        Text(each.verdict, muted=each.verdict == "not measured"),
        Text(claim.statement),
        Text(f"{claim.region.direction} {claim.region.margin}".replace("-", MINUS)),
        NOTHING if shown == "—" else Text(shown),
        NOTHING if math.isnan(each.p_holm) else Text(f"{each.p_holm:.2g}"),
        Text("; ".join(many)) if many else NOTHING,
        Text(each.why) if each.why else NOTHING,
    ]


def _unit(claim: Claim) -> str:
    return "" if claim.measure.unit == "1" else claim.measure.unit


def _exact(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.10g}"
