"""What was not declared before its run is told from what was: a bound moved afterwards shows in the claim's row."""

from dataclasses import replace

import pytest

from benchmarks.records import Declared
from reports.claims.contents import Flattening, Region
from reports.claims.declared import of_claim, of_claims, remark, sentence
from reports.paper.layout import margins_of
from tests.reports.claims.claims_inputs import PAIRS, PAPERS, Made, judged
from tests.reports.report_inputs import write_dataset

KEY = "progressive"
PAPER = PAPERS[KEY]
RULE = PAPER.claims.flattening
CLAIM = next(claim for claim in PAPER.claims.claims if claim.key == "lower_error")


def declared(at="2026-01-01T10:00:00+00:00", *, claims=PAPER.claims, margins=None, budgets="b0"):
    margins = margins_of(PAPER) if margins is None else margins
    return Declared(at=at, commit="c" * 40, budgets=budgets, margins={KEY: margins}, claims={KEY: of_claims(claims)})


def moved(claim):
    """The same claim with another bound."""
    return replace(claim, region=Region(below=claim.region.below - 0.1))


def claims_with(claim):
    others = [each for each in PAPER.claims.claims if each.key != claim.key]
    return replace(PAPER.claims, claims=[*others, claim])


def test_a_claim_as_declared_is_not_remarked_on():
    assert remark([declared()], KEY, CLAIM, RULE) == ""
    reworded = replace(CLAIM, statement="Put otherwise.", locator="elsewhere")
    assert remark([declared()], KEY, reworded, RULE) == ""


@pytest.mark.parametrize(
    "changed",
    [
        (moved(CLAIM), RULE),
        (replace(CLAIM, methods=CLAIM.methods[::-1]), RULE),
        (replace(CLAIM, datasets=CLAIM.datasets[:1]), RULE),
        (replace(CLAIM, average="datasets"), RULE),
        (CLAIM, Flattening(RULE.last, 2 * RULE.share)),
    ],
)
def test_whatever_decides_a_claim_counts(changed):
    assert remark([declared()], KEY, *changed) == "otherwise declared when the run began on 2026-01-01"


def test_a_claim_that_came_later_says_when():
    without = replace(PAPER.claims, claims=[each for each in PAPER.claims.claims if each.key != CLAIM.key])
    began, later = declared(claims=without), declared("2026-01-02T10:00:00+00:00")
    assert remark([began], KEY, CLAIM, RULE) == "not declared when the run began on 2026-01-01"
    said = "declared on 2026-01-02 during the run, which began on 2026-01-01"
    assert remark([began, later], KEY, CLAIM, RULE) == said


def test_a_bound_that_is_moved_and_moved_back_is_as_it_was_declared():
    between = declared("2026-01-02T10:00:00+00:00", claims=claims_with(moved(CLAIM)))
    assert remark([declared(), between], KEY, CLAIM, RULE) == ""
    assert "during the run" in remark([declared(), between], KEY, moved(CLAIM), RULE)


def test_the_sentence_says_what_was_changed():
    assert "not on record" in sentence([], KEY, "m")
    assert "before the run, at 2026-01-01T10:00:00+00:00 (commit cccccccccccc)" in sentence(
        [declared()], KEY, margins_of(PAPER)
    )
    assert sentence([declared()], KEY, "others").endswith("but margins are others now.")
    both = [declared(), declared(budgets="b1")]
    assert sentence(both, KEY, margins_of(PAPER)).endswith("but budgets were changed while it ran.")


def test_a_moved_margin_has_another_digest():
    cell = next(cell for cell in PAPER.cells if cell.margin)
    wider = replace(cell, margin=replace(cell.margin, size=cell.margin.size + 1))
    cells = [wider if each is cell else each for each in PAPER.cells]
    assert margins_of(replace(PAPER, cells=cells)) != margins_of(PAPER)


def test_the_row_of_a_claim_whose_bound_was_moved_says_so(tmp_path):
    data = {
        key: write_dataset(tmp_path, f"phantom-{key}", phantom=True, n_pairs=PAIRS, shape=(6, 5, 4))
        for key in PAPER.datasets
    }
    found = judged(tmp_path, KEY, moved(CLAIM), Made(-1.0), data, declared=[declared()])
    assert found.verdict == "supported"
    assert "otherwise declared when the run began on 2026-01-01" in found.why
    assert "declared" not in judged(tmp_path, KEY, CLAIM, Made(-1.0), data, declared=[declared()]).why
    assert of_claim(CLAIM, RULE) != of_claim(moved(CLAIM), RULE)
