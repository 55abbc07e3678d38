"""Every claim of the papers, by made-up runs: it can be supported, contradicted and left undecided."""

import math
import re
from dataclasses import replace

import pytest

from reports.claims.contents import OVER_PAIRS, Counts, count
from reports.claims.table import claims_frame, claims_table
from tests.reports.claims.claims_inputs import CASES, PAIRS, PAPERS, Made, bound, inside, judged, kind_of, outside
from tests.reports.report_inputs import write_dataset

NAMES = [f"{key}-{claim.key}" for key, claim in CASES]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Phantoms that play every data set of both papers."""
    folder = tmp_path_factory.mktemp("data")
    return {
        key: write_dataset(folder, f"phantom-{key}", phantom=True, n_pairs=PAIRS, shape=(6, 5, 4))
        for paper in PAPERS.values()
        for key in paper.datasets
    }


@pytest.fixture
def ask(tmp_path, data):
    return lambda key, claim, made: judged(tmp_path, key, claim, made, data)


@pytest.mark.parametrize(("key", "claim"), CASES, ids=NAMES)
def test_every_claim_can_be_supported(ask, key, claim):
    found = ask(key, claim, Made(inside(claim)))
    assert found.verdict == "supported", found
    assert claim.region.contains(found.evidence.value)


@pytest.mark.parametrize(("key", "claim"), CASES, ids=NAMES)
def test_every_claim_can_be_contradicted(ask, key, claim):
    found = ask(key, claim, Made(outside(claim)))
    assert found.verdict == "contradicted", found
    assert not claim.region.contains(found.evidence.value)


@pytest.mark.parametrize(("key", "claim"), CASES, ids=NAMES)
def test_every_claim_can_stay_undecided(ask, key, claim):
    if claim.kind == "parameters":
        # A size is exact, so it is as claimed or it is not; what can be wanting is its record.
        assert ask(key, claim, Made(inside(claim), recorded=False)).verdict == "not measured"
        return
    made = {
        "seconds": Made(bound(claim), noise=0.5),
        "outcome": Made(inside(claim), seeds=(0,)),
        "share": Made(inside(claim), seeds=(0,)),
        "spread": Made(0.99, noise=0.0),
    }.get(claim.kind, Made(inside(claim), noise=60.0))
    found = ask(key, claim, made)
    assert found.verdict == "inconclusive", found
    assert found.why


TRAINED = [(key, claim) for key, claim in CASES if claim.kind in OVER_PAIRS and kind_of(claim.methods[0]) == "learned"]


@pytest.mark.parametrize(("key", "claim"), TRAINED, ids=[claim.key for _, claim in TRAINED])
def test_one_training_decides_nothing(ask, key, claim):
    found = ask(key, claim, Made(inside(claim), seeds=(3,)))
    assert found.verdict == "inconclusive"
    assert "one training" in found.why
    assert math.isnan(found.evidence.p)
    assert math.isnan(found.evidence.minimal)
    assert found.evidence.trainings == 1


ENDING = [(key, claim) for key, claim in TRAINED if claim.kind != "roughness"]


@pytest.mark.parametrize(("key", "claim"), ENDING, ids=[claim.key for _, claim in ENDING])
def test_a_loss_that_still_falls_decides_nothing(ask, key, claim):
    found = ask(key, claim, Made(inside(claim), flat=False))
    assert found.verdict == "inconclusive"
    assert f"{claim.methods[0]} had not flattened in 4 of 4 trainings" in found.why


def test_where_there_are_validation_pairs_their_loss_tells_whether_a_training_had_flattened(ask):
    claim = claim_of("progressive", "lower_error")
    found = ask("progressive", claim, Made(-1.0, unseen=False))
    assert found.verdict == "inconclusive"
    assert "progressive had not flattened in 4 of 4 trainings" in found.why
    assert ask("progressive", claim, Made(-1.0, flat=False, unseen=True)).verdict == "supported"


def claim_of(key, name):
    return next(claim for paper, claim in CASES if (paper, claim.key) == (key, name))


def test_the_csv_says_all_that_decided_a_claim(ask):
    claim = claim_of("progressive", "lower_error")
    [row] = claims_frame([ask("progressive", claim, Made(-1.0))]).to_dict("records")
    assert row["contrast"] == "progressive \N{MINUS SIGN} progressive-baseline"
    assert (row["direction"], row["margin"], row["unit"]) == ("below", "0", "mm")
    assert (row["pairs"], row["subjects"], row["seeds"]) == (3 * PAIRS, 3 * PAIRS + 3, 4)
    assert row["data"].startswith("phantom-dirlab (phantoms) for DIR-Lab, ")
    assert float(row["low"]) < float(row["effect"]) < float(row["high"]) < 0
    assert float(row["p"]) == float(row["p_holm"]) < 1e-3
    assert 0 < float(row["minimal_detectable"]) < 1
    assert (row["pairing"], row["test"]) == ("pair and seed", "t over subjects and trainings")
    assert row["verdict"] == "supported"


def test_the_table_has_a_row_a_claim_with_effect_and_interval(ask):
    claim = claim_of("progressive", "lower_error")
    found = [ask("progressive", claim, Made(-1.0)), ask("progressive", claim, Made(-1.0, seeds=(0,)))]
    table = claims_table(found, "Claims.", "Declared before.")
    effect = table.rows[0][[head.title for head in table.heads].index("Effect")].text
    assert re.fullmatch(r"-1\.00 mm \[-1\.0\d, -[01]\.[09]\d\]", effect.replace("\N{MINUS SIGN}", "-"))
    assert [row[1].text for row in table.rows] == ["supported", "inconclusive"]
    assert table.notes[-1] == "Declared before."
    assert count(found) == Counts(supported=1, inconclusive=1)
    assert count(found).words == "1 supported, 1 inconclusive"


def test_calls_beside_other_work_decide_nothing(ask):
    found = ask("ldr-aldk", claim_of("ldr-aldk", "faster_21"), Made(21.0, contended=True))
    assert found.verdict == "inconclusive"
    assert "10 of 10 calls of rcn-3 not known to be alone on the machine" in found.why


def test_few_calls_decide_nothing(ask):
    found = ask("ldr-aldk", claim_of("ldr-aldk", "faster_21"), Made(21.0, calls=3))
    assert found.verdict == "inconclusive"
    assert "too few for an interval" in found.why


def test_a_gpu_that_this_run_has_not_decides_nothing_by_medians_alone(ask, monkeypatch):
    monkeypatch.setattr("reports.claims.costs.gpu_seconds", lambda: {"A card": {"rcn-3": 0.03, "ldr-3-aldk": 0.05}})
    claim = claim_of("ldr-aldk", "faster_gpu_3")
    on_cpu = replace(claim, measure=replace(claim.measure, device="cpu"))
    found = ask("ldr-aldk", claim, Made(2.0, device="cpu"))
    assert (found.verdict, found.evidence.value) == ("inconclusive", pytest.approx(0.6))
    assert "A card, measured apart from this run" in found.evidence.data
    assert ask("ldr-aldk", on_cpu, Made(2.0)).verdict == "supported"
    monkeypatch.setattr("reports.claims.costs.gpu_seconds", dict)
    assert ask("ldr-aldk", claim, Made(2.0, device="cpu")).verdict == "not measured"
