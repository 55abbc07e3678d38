"""The rules by which claims are decided, by closed forms and by hand."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.statistics import Estimate
from reports.claims import pairs
from reports.claims.contents import Claim, Claims, Evidence, Flattening, Measure, Region
from reports.claims.intervals import by_estimate
from reports.claims.judge import judge, verdict
from reports.claims.sources import Sources
from reports.claims.training import flattened
from reports.paper.cast import PaperRun
from reports.reading.method import Method
from reports.reading.run import Run
from reports.reading.trainings import Training
from tests.reports.claims.claims_inputs import PAPERS
from tests.reports.report_inputs import failed_row, frame, row, write_dataset

TRE = Measure("tre", "mm", "continuous", "mean")
RULE = Flattening(last=0.2, share=0.05)
METHODS = {
    "a": Method("A", "learned"),
    "b": Method("B", "learned"),
    "identity": Method("Identity", "control"),
    "syn": Method("SyN", "classical"),
}


BELOW = Region(below=0)


def claim_on(*methods, region=BELOW, datasets=("dirlab",), **more):
    return Claim("it", "It is so.", "I", methods, TRE, region, datasets=datasets, **more)


def errors(dataset, method, seed, values):
    """A status row and an error for pairs a__b0, a__b1, …; None is a registration that failed."""
    out = []
    for at, value in enumerate(values):
        if value is None:
            out.append(failed_row(dataset, f"a__b{at}", method, reason="out of luck") | {"seed": seed})
            continue
        out.append(row(dataset, f"a__b{at}", method, "seconds", 1.0, unit="s", seed=seed))
        out.append(row(dataset, f"a__b{at}", method, "tre", float(value), unit="mm", seed=seed))
    return out


def run_of(tmp_path, claims, rows, *, sizes=(4,), trainings=(), sha=()):
    data = {
        key: write_dataset(tmp_path, f"phantom-{key}", phantom=True, n_pairs=size, shape=(6, 5, 4))
        for key, size in zip(("dirlab", "creatis"), sizes, strict=False)
    }
    run = Run(
        metrics=frame(rows),
        timing=None,
        runs=pd.DataFrame(sha, columns=["method", "dataset", "seed", "checkpoint_sha"]),
        datasets={each.name: each for each in data.values()},
        methods=METHODS,
        trainings=list(trainings),
    )
    paper = replace(PAPERS["progressive"], claims=Claims("progressive", RULE, claims))
    return PaperRun(paper, run, {key: each.name for key, each in data.items()})


def read(tmp_path, claim, rows, **more):
    found = pairs.read(Sources(run_of(tmp_path, [claim], rows, **more)), claim)
    return found if isinstance(found, str) else found.set_index(["dataset", "pair", "seed"]).value.sort_index()


def trained(tmp_path, method, seed, loss, sha=""):
    kept = tmp_path / f"{method}-{seed}-{sha}"
    kept.mkdir(parents=True)
    lines = [{"iteration": at, "total": float(value)} for at, value in enumerate(loss)]
    (kept / "curve.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return Training(method, f"lidc{sha}", seed, "ok", "", kept, sha)


def test_only_pairs_and_seeds_that_all_methods_have_are_compared(tmp_path):
    rows = errors("phantom-dirlab", "a", 0, [3, 4, 5, 6]) + errors("phantom-dirlab", "a", 1, [1, 1, 1, None])
    rows += errors("phantom-dirlab", "b", 1, [2, 3, None, 5]) + errors("phantom-dirlab", "b", 2, [9, 9, 9, 9])
    found = read(tmp_path, claim_on("a", "b"), rows)
    assert found.to_dict() == {("phantom-dirlab", "a__b0", 1): -1.0, ("phantom-dirlab", "a__b1", 1): -2.0}


def test_a_repeatable_method_is_subtracted_from_each_seed(tmp_path):
    rows = errors("phantom-dirlab", "a", 0, [3, 4]) + errors("phantom-dirlab", "a", 1, [5, 5])
    rows += errors("phantom-dirlab", "syn", 0, [1, 2])
    for methods, sign in ((("a", "syn"), 1), (("syn", "a"), -1)):
        found = read(tmp_path / methods[0], claim_on(*methods), rows, sizes=(2,))
        assert found.tolist() == [sign * value for value in (2.0, 4.0, 2.0, 3.0)]


def test_a_difference_of_differences_takes_pairs_that_all_four_have(tmp_path):
    rows = errors("phantom-dirlab", "a", 0, [8, 8]) + errors("phantom-dirlab", "b", 0, [5, 4])
    rows += errors("phantom-dirlab", "syn", 0, [2, None]) + errors("phantom-dirlab", "identity", 0, [1, 1])
    found = read(tmp_path, claim_on("a", "b", "syn", "identity"), rows, sizes=(2,))
    assert found.tolist() == [(8 - 5) - (2 - 1)]


def test_without_trained_methods_nothing_was_drawn(tmp_path):
    rows = errors("phantom-dirlab", "syn", 0, [1, 2, 3, 5]) + errors("phantom-dirlab", "identity", 0, [4, 4, 4, 4])
    [judged] = judge(run_of(tmp_path, [claim_on("syn", "identity")], rows))
    assert judged.evidence.trainings == 0
    assert (judged.evidence.pairing, judged.evidence.doubts) == ("pair", ())
    assert judged.evidence.value == pytest.approx(-1.25)


def test_data_sets_that_count_alike_give_the_mean_of_their_means_with_their_own_spread(tmp_path):
    first, second = [1.0, 3.0, 8.0], [20.0, 22.0, 27.0, 29.0, 30.0, 34.0]
    claim = claim_on("syn", datasets=("dirlab", "creatis"), average="datasets")
    rows = errors("phantom-dirlab", "syn", 0, first) + errors("phantom-creatis", "syn", 0, second)
    found = read(tmp_path, claim, rows, sizes=(3, 6))
    assert found.mean() == pytest.approx((np.mean(first) + np.mean(second)) / 2)
    error = np.sqrt(np.sum((found - found.mean()) ** 2)) / len(found)  # of the mean, as if all were independent
    assert error == pytest.approx(np.sqrt(np.var(first) / 3 + np.var(second) / 6) / 2)


def test_a_slope_is_that_of_least_squares_and_of_each_seed(tmp_path):
    before, rng = np.array([2.0, 4.0, 5.0, 9.0, 11.0, 12.0]), np.random.default_rng(0)
    rows, slopes = errors("phantom-dirlab", "identity", 0, before), []
    for seed, slope in ((0, 0.25), (1, 0.75)):
        after = 1 + slope * before + rng.normal(0, 0.01, 6)
        rows += errors("phantom-dirlab", "a", seed, after)
        slopes.append(np.polyfit(before, after, 1)[0])
    found = read(tmp_path, claim_on("a", kind="slope"), rows, sizes=(6,))
    assert found.groupby("seed").mean().to_numpy() == pytest.approx(slopes, abs=2e-3)
    assert found.mean() == pytest.approx(np.mean(slopes), abs=2e-3)


def test_an_exact_line_has_its_slope_in_every_jackknife_value(tmp_path):
    rows = errors("phantom-dirlab", "identity", 0, [2, 4, 9, 11]) + errors("phantom-dirlab", "syn", 0, [2, 3, 5.5, 6.5])
    found = read(tmp_path, claim_on("syn", kind="slope"), rows)
    assert found.to_numpy() == pytest.approx(np.full(4, 0.5))


def test_a_slope_needs_different_distances(tmp_path):
    rows = errors("phantom-dirlab", "identity", 0, [2, 2, 2, 2]) + errors("phantom-dirlab", "syn", 0, [2, 3, 5.5, 6.5])
    assert "three pairs" in read(tmp_path, claim_on("syn", kind="slope"), rows)


def test_too_few_pairs_decide_nothing(tmp_path):
    rows = errors("phantom-dirlab", "syn", 0, [1, 2, 1, None]) + errors("phantom-dirlab", "identity", 0, [9, 9, 9, 9])
    [judged] = judge(run_of(tmp_path, [claim_on("syn", "identity")], rows))
    assert (judged.verdict, judged.why) == ("inconclusive", "3 of 4 pairs")


def test_holm_counts_the_claims_of_the_paper_that_were_tested(tmp_path):
    rng, before = np.random.default_rng(0), np.full(8, 9.0)
    rows = errors("phantom-dirlab", "syn", 0, 8 + rng.normal(0, 1, 8)) + errors("phantom-dirlab", "identity", 0, before)
    asked = [claim_on("syn", "identity"), claim_on("syn", "identity", region=Region(above=-3)), claim_on("b", "syn")]
    judged = judge(run_of(tmp_path, asked, rows, sizes=(8,)))
    one, other = judged[0].evidence.p, judged[1].evidence.p
    assert sorted([judged[0].p_holm, judged[1].p_holm]) == pytest.approx(
        sorted([2 * min(one, other), max(one, other, 2 * min(one, other))])
    )
    assert (judged[2].verdict, judged[2].why) == ("not measured", "b is not run on Shells <b> phantom")
    assert np.isnan(judged[2].p_holm)


@pytest.mark.parametrize(
    ("p", "value", "said"),
    [(0.049, -1, "supported"), (0.051, -1, "inconclusive"), (0.049, 1, "contradicted"), (0.051, 1, "inconclusive")],
)
def test_the_corrected_p_decides(p, value, said):
    found = Evidence(value=value, low=value - 0.1, high=value + 0.1, p=0.001)
    assert verdict(claim_on("a", "b"), found, p)[0] == said


VALUES = np.array([0.1, 0.3, 0.2, 0.35, 0.15])
# The estimate of the plain t test, as SciPy has it.
PLAIN = Estimate(
    value=float(VALUES.mean()), se=float(stats.sem(VALUES)), df=4.0, low=0.09, high=0.35, level=0.95,
    pairs=5, subjects=5, trainings=0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("region", "alternatives"),
    [
        (Region(above=0), [("two-sided", 0)]),
        (Region(below=0.5), [("two-sided", 0.5)]),
        (Region(0, 0.5), [("greater", 0), ("less", 0.5)]),
    ],
)
def test_p_is_that_of_a_t_test_at_the_bounds(region, alternatives):
    found = by_estimate(PLAIN, region, "t")
    wanted = [stats.ttest_1samp(VALUES, bound, alternative=side).pvalue for side, bound in alternatives]
    assert found.p == pytest.approx(max(wanted), rel=1e-6)


@pytest.mark.parametrize(
    ("region", "side", "bound"), [(Region(0.3, 0.5), "less", 0.3), (Region(-0.5, 0.1), "greater", 0.1)]
)
def test_outside_of_two_bounds_p_is_twice_that_of_the_nearer_one(region, side, bound):
    found = by_estimate(PLAIN, region, "t")
    assert found.p == pytest.approx(2 * stats.ttest_1samp(VALUES, bound, alternative=side).pvalue, rel=1e-6)


def test_a_loss_has_flattened_when_its_last_part_hardly_falls():
    steps = np.arange(100)
    assert flattened(pd.Series(np.where(steps < 20, 1.0, 0.2)), RULE)
    assert flattened(pd.Series(steps / 100), RULE)  # it rises: nothing is left to fall
    assert not flattened(pd.Series(1 - steps / 100), RULE)
    # 1.0 in the first fifth, 0.2 in the fourth: a fall of 0.8, of which the last fifth may fall by 0.04
    for last, flat in ((0.161, True), (0.159, False)):
        loss = np.repeat([1.0, 0.5, 0.4, 0.2, last], 20)
        assert flattened(pd.Series(loss), RULE) is flat


def test_the_trainings_behind_a_data_set_are_told_by_their_weights(tmp_path):
    falling, flat = 1 - np.arange(50) / 50, np.repeat([1.0, 0.2, 0.2, 0.2, 0.2], 10)
    rows = errors("phantom-dirlab", "a", 0, [1, 2, 1, 2]) + errors("phantom-dirlab", "a", 1, [1, 2, 1, 2])
    made = [
        trained(tmp_path, "a", seed, loss, sha)
        for seed in (0, 1)
        for loss, sha in ((falling, f"other{seed}"), (flat, f"own{seed}"))
    ]
    sha = [("a", "phantom-dirlab", seed, f"own{seed}") for seed in (0, 1)] + [("a", "phantom-creatis", 0, "other0")]
    [judged] = judge(run_of(tmp_path, [claim_on("a", region=Region(below=9))], rows, trainings=made, sha=sha))
    assert not judged.evidence.doubts
    [judged] = judge(run_of(tmp_path / "2", [claim_on("a", region=Region(below=9))], rows, trainings=made))
    lost = "what a learned under seed 0, 1 is not on record"
    assert judged.evidence.doubts == (lost, "a had not flattened in 2 of 4 trainings")


def test_a_training_without_a_curve_decides_nothing(tmp_path):
    rows = errors("phantom-dirlab", "a", 0, [1, 2, 1, 2]) + errors("phantom-dirlab", "a", 1, [1, 2, 1, 2])
    [judged] = judge(run_of(tmp_path, [claim_on("a", region=Region(below=9))], rows))
    lost = "what a learned under seed 0, 1 is not on record"
    assert (judged.verdict, judged.why) == ("inconclusive", f"{lost}; no loss of a on record")


FLAT = np.repeat([1.0, 0.2, 0.2, 0.2, 0.2], 10)
THREE = [each for seed in (0, 1, 2) for each in errors("phantom-dirlab", "a", seed, [1 + seed / 50, 2, 1, 2])]


def claim_by(tmp_path, weights, left, rows=THREE):
    """The verdict on three trainings that left some weights, of registrations by some."""
    made = [trained(tmp_path, "a", seed, FLAT, sha) for seed, sha in left.items()]
    sha = [("a", "phantom-dirlab", seed, each) for seed, each in weights.items()]
    [judged] = judge(run_of(tmp_path, [claim_on("a", region=Region(below=9))], rows, trainings=made, sha=sha))
    return judged.verdict, judged.why


ALL = {0: "x", 1: "y", 2: "z"}


@pytest.mark.parametrize(
    ("weights", "left", "why"),
    [
        ({0: "x"}, ALL, "what a learned under seed 1, 2 is not on record"),
        (ALL | {1: ""}, ALL, "what a learned under seed 1 is not on record"),
        (ALL, {0: "x"}, "what a learned under seed 1, 2 is not on record"),
        (ALL | {2: "elsewhere"}, ALL, "what a learned under seed 2 is not on record"),
        (ALL | {1: "x"}, ALL | {1: "x"}, "the same weights of a under several seeds"),
    ],
)
def test_weights_that_cannot_be_traced_decide_nothing(tmp_path, weights, left, why):
    assert claim_by(tmp_path / "whole", ALL, ALL)[0] == "supported"
    assert claim_by(tmp_path / "part", weights, left) == ("inconclusive", why)


def test_a_seed_that_registered_few_pairs_makes_all_of_it_few(tmp_path):
    rows = [each for each in THREE if each["seed"] == 0 or each["pair"] in ("a__b0", "a__b1")]
    assert claim_by(tmp_path, ALL, ALL, rows) == ("inconclusive", "2 of 4 pairs")


def test_the_teachers_share_stands_beside_a_claim_on_students(tmp_path):
    rows = errors("phantom-dirlab", "a", 0, [1, 2, 1, 2])
    training = trained(tmp_path, "a", 0, np.ones(10))
    text = "\n".join(
        json.dumps({"iteration": at, "total": 1.0} | ({"teacher_share": 0.004} if at % 4 == 3 else {}))
        for at in range(12)
    )
    (training.folder / "curve.jsonl").write_text(text)
    [judged] = judge(run_of(tmp_path, [claim_on("a")], rows, trainings=[training]))
    assert "the teacher's part of the gradient of a is 0.4 % of the rest" in judged.why
