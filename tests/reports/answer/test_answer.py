"""The first screen as a value: what was run, counts of verdicts, claims of speed, two sentences. No HTML."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from reports.answer.content import Count, KindCounts, PaperAnswer, Rival, Seconds, Speed, count, total
from reports.answer.gather import Told, answer, effects, paper_answer, speeds
from reports.answer.pictures import plots, speed_plot
from reports.answer.ran import ran
from reports.answer.words import sentences, short_label
from reports.claims import contents as claims
from reports.overview.frontier import frontiers
from reports.paper.ledger import judge
from reports.reading.trainings import Training
from tests.reports.paper.paper_inputs import csv_frame, dice_rows, layout, paper_size
from tests.reports.paper.paper_inputs import make_run as make_paper_run
from tests.reports.report_inputs import frame, make_run, row, runs_frame, small_metrics, timing_frame, write_dataset

FAST, SLOW = [0.9, 1.0, 1.0, 1.1, 1.2], [3.8, 4.0, 4.0, 4.1, 4.4]
CLAIM = {
    "number": 2,
    "caption": "Of the text.",
    "head": ["What"],
    "cells": {"dataset": "one", "statistic": "ratio", "unit": "1", "digits": 3, "method": "syn", "against": "net",
              "metric": "seconds", "device": "cpu", "margin": "20 %"},
    "columns": [{"key": "ratio", "label": "Net as released"}],
    "rows": [{"key": "seconds", "labels": ["Seconds"]}],
    "readings": [{"topic": "A", "run": "b", "other": "c"}],
}  # fmt: skip


def claimed(tmp_path, *frames):
    toy = layout()
    toy["tables"] = [*toy["tables"], CLAIM]
    said = (2, "seconds", "ratio", "21", "21", "1", "Section IV", "")
    cells = pd.concat([csv_frame(), pd.DataFrame([said], columns=csv_frame().columns)])
    timing = pd.concat(frames) if frames else None
    rows = dice_rows("shells", "syn", [0.7, 0.8, 0.9])
    return make_paper_run(tmp_path, rows, plays={"one": "shells"}, layout=toy, cells=cells, timing=timing)


def decided(key, value, *, verdict="supported", unit="points", kind="values", trainings=3):
    measure = claims.Measure("dice", unit)
    claim = claims.Claim(key, f"It {key}.", "IV", ["net", "syn"], measure, claims.Region(above=0), kind)
    return claims.Judged(
        "toy",
        claim,
        claims.Evidence(value=value, low=value - 1, high=value + 1, trainings=trainings),
        0.01,
        verdict,
        "",
    )


def test_claims_that_share_a_unit_and_were_measured_are_effects():
    rare, size = decided("rare", 3.0, unit="voxels"), decided("size", 4.0, kind="parameters")
    absent = decided("absent", math.nan, verdict="not measured")
    assert all(each.once for each in effects([decided("one", 1.0, trainings=1), decided("two", 1.0, trainings=1)]))
    found = effects([decided("it_rises", 2.0), rare, size, absent, decided("Falls", -2.0, verdict="contradicted")])
    assert [(each.label, each.value, each.low, each.verdict) for each in found] == [
        ("It rises", 2.0, 1.0, "supported"),
        ("Falls", -2.0, -3.0, "contradicted"),
    ]
    assert {(each.above, each.below, each.once) for each in found} == {(0, math.inf, False)}


def test_both_directions_of_a_pair_count_as_in_the_tables(tmp_path):
    data = write_dataset(tmp_path, "d", phantom=True, n_pairs=2)
    rows = [row("d", pair, "syn", "seconds", 1.0, unit="s") for pair in ("a__b0", "b0__a", "a__b1")]
    rows += [row("d", "a__b1", "syn", "seconds", 1.0, unit="s", seed=1)]
    rows += [row("d", "a__b0", "net", "seconds", math.nan, status="failed", reason="r")]
    rows += [row("d", "a__b0", "truth", "seconds", math.nan, status="not_applicable", reason="r")]
    found = ran(make_run(frame(rows), {"d": data}))
    assert (found.pairs, found.subjects, found.registrations) == (3, 3, 5)
    assert (found.failed, found.not_applicable) == (1, 1)
    named = replace(data, description=replace(data.description, subjects={"b0": "b", "b1": "b"}))
    assert ran(make_run(frame(rows), {"d": named})).subjects == 2


def test_a_pair_that_nobody_tried_is_not_counted(built):
    tried = small_metrics()
    found = ran(make_run(tried[tried.pair != "a__b2"], built[1]))
    assert (found.pairs, found.methods, found.controls) == (2 + 1, 2, 2)
    assert ran(make_run(tried[tried.method != "net"], built[1])).methods == 1


def test_trainings_and_days_are_those_on_record(built):
    days = runs_frame().assign(started_utc=["2026-01-02T23:00:00Z", *["2026-01-03T01:00:00Z"] * 7])
    drawn = [Training("net", "shells", seed, "ok", "", None) for seed in (0, 1, 1)]
    other = Training("other", "shells", 0, "diverged", "", None)
    found = ran(make_run(small_metrics(), built[1], runs=days, trainings=[*drawn, other]))
    assert (found.trainings, found.seeds) == (3, 2)
    assert found.when == "2 January 2026 to 3 January 2026"
    assert found.machines == ["A CPU"]
    assert replace(found, first="", last="").when == "not recorded"


@pytest.mark.parametrize(
    ("phantoms", "real", "words"),
    [
        (2, 0, "of phantoms, drawn and of no patient"),
        (1, 2, "1 of the 3 data sets are phantoms"),
        (0, 2, "of 4 subjects"),
    ],
)
def test_phantoms_are_said_plainly(built, phantoms, real, words):
    found = replace(ran(make_run(small_metrics(), built[1])), phantoms=phantoms, real=real, subjects=4)
    first, _ = sentences(found, [], [])
    assert words in first
    assert ("no accuracy" in first) is bool(phantoms)
    assert ("phantom" in found.data) is bool(phantoms)


@pytest.mark.parametrize(("phantoms", "real"), [(0, 3), (1, 2)])
def test_what_is_partly_synthetic_is_not_called_real(built, phantoms, real):
    found = replace(ran(make_run(small_metrics(), built[1])), phantoms=phantoms, real=real, synthetic=1)
    assert found.data.endswith("1 of them partly synthetic")
    assert sentences(found, [], [])[0].endswith("1 of the 3 data sets is partly synthetic.")


def test_counts_keep_the_order_of_the_ledger_and_lose_no_word():
    words = ["differs", "new word", "agrees", "differs"]
    found = count(words, ("agrees", "inconclusive", "differs"))
    assert found == [Count("agrees", 1), Count("differs", 2), Count("new word", 1)]
    assert [each.tone for each in found] == ["for", "against", "none"]
    assert total([found, found]) == [Count("agrees", 2), Count("differs", 4), Count("new word", 2)]


def test_every_printed_cell_is_counted_once(tmp_path):
    paper_run = claimed(tmp_path)
    judged = judge(paper_run)
    found = paper_answer(Told(paper_run, judged, []))
    assert sum(each.number for each in found.numbers) == len(judged) == len(paper_run.paper.cells)
    kinds = [each.cell.kind for each in judged]
    assert {each.kind: each.number for each in found.numbers} == {kind: kinds.count(kind) for kind in kinds}
    assert found.name == "Nobody 2026"


def test_a_claim_of_speed_has_the_seconds_of_its_ratio(tmp_path):
    paper_run = claimed(tmp_path, paper_size("syn", FAST), paper_size("net", SLOW))
    [found] = speeds(paper_run.run, judge(paper_run))
    [rival] = found.rivals
    assert found.reference == Seconds("SyN", 1.0, 1.0, 1.1, calls=5)
    assert rival.seconds == Seconds("Net as released", 4.0, 4.0, 4.1, calls=5)
    assert found.machine == "Some CPU"
    beside = claimed(tmp_path / "2", paper_size("syn", FAST), paper_size("net", SLOW, contended=True))
    [other] = speeds(beside.run, judge(beside))
    assert [each.disturbed for each in other.seconds] == [0, 5]
    assert rival.times == pytest.approx(found.reference.median / rival.seconds.median)
    assert (rival.printed, found.grid, found.threads) == (21, "128x128x128", 2)


def test_a_claim_of_speed_that_was_not_timed_is_not_shown(tmp_path):
    for number, frames in enumerate([(), (paper_size("syn", FAST),)]):
        paper_run = claimed(tmp_path / str(number), *frames)
        assert list(speeds(paper_run.run, judge(paper_run))) == []


def test_the_second_sentence_says_claims_then_speed_else_the_numbers(built):
    what = ran(make_run(small_metrics(), built[1]))
    results = KindCounts("result", [Count("agrees", 2), Count("not measured", 3)])
    paper = PaperAnswer("p", "Nobody 2026", [results, KindCounts("size", [Count("agrees", 9)])])
    assert sentences(what, [], [])[1].startswith("This profile names no paper, so that no printed number")
    assert sentences(what, [PaperAnswer("p", "Nobody 2026", [])], [])[1] == "No printed result is compared with."
    assert sentences(what, [paper], [])[1] == "Of 5 printed results and blanks: 2 agrees, 3 not measured."
    one = Seconds("Small", 4.0, 4.0, 4.0)
    speed = Speed("p", Seconds("Big", 1.0, 1.0, 1.0), [Rival(one, 0.25, 0.2, 0.3, 21.2)], "1x1x1", 2, "")
    told = replace(paper, claims=[Count("supported", 1), Count("contradicted", 2)])
    text = sentences(what, [told], [speed])[1]
    assert text.startswith("Of 3 claims of the papers, put to the test on these data, 1 is supported, 2 contradicted; ")
    some = sentences(what, [replace(told, claims=[*told.claims, Count("not measured", 4)])], [speed])[1]
    assert some.startswith("Of 7 claims of the papers, 3 were put to the test on these data: 1 is supported, 2 contra")
    none = sentences(what, [replace(told, claims=[Count("not measured", 4)])], [])[1]
    assert none == "Of 4 claims of the papers none was put to the test on these data."
    assert text.endswith("21.2 times as fast as Big, as printed, is here 0.25 times for Small.")


def test_what_this_project_claims_is_not_counted_among_a_papers_claims(tmp_path):
    paper_run = claimed(tmp_path)
    papers_own = decided("a_rises", 1.5)
    ours = replace(papers_own, claim=replace(papers_own.claim, key="ours", locator=claims.BEYOND))
    found = paper_answer(Told(paper_run, judge(paper_run), [papers_own, ours]))
    assert [(each.word, each.number) for each in found.claims] == [("supported", 1)]


def test_plots_have_words_for_those_who_do_not_see_them(built, tmp_path):
    run = make_run(small_metrics(), built[1], timing=timing_frame())
    paper_run = claimed(tmp_path, paper_size("syn", FAST), paper_size("net", SLOW))
    told = Told(
        paper_run, judge(paper_run), [decided("a_rises", 1.5), decided("a_falls", -1.5, verdict="contradicted")]
    )
    found = plots(answer(run, [told], list(frontiers(run))))
    assert len(found) == 3
    assert all(plot.figure is not None and plot.alt and plot.caption.count(".") >= 1 for plot in found)
    speed = next(plot for plot in found if plot.name == "answer-speed")
    assert "Net as released 4 s, 0.25 times as fast, printed 21" in speed.alt


def test_no_words_beside_the_seconds_are_cut_off():
    longest = "a network whose name is long"
    seconds = [Seconds(longest, slow, 0.9 * slow, 1.1 * slow) for slow in (0.02, 3.0)]
    speed = Speed("paper", seconds[0], [Rival(seconds[1], 0.0067, 0.006, 0.007, 21.0)], "8x8x8", 2, "a chip")
    figure = speed_plot([speed])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert max(text.get_window_extent().x1 for text in axes.texts) <= axes.get_window_extent().x1


def test_without_timing_the_plots_say_why_they_are_not_there(built):
    found = plots(answer(make_run(small_metrics(), built[1]), [], []))
    assert [plot.figure for plot in found] == [None] * len(found)
    assert all(plot.caption.endswith(".") for plot in found)


def test_a_plot_names_a_claim_in_words():
    keys = ("aldk_raises_dice_1", "teacher_mean_sigmoid_brain", "teacher_wgan_gp", "near_rcn_3", "initialisation")
    assert [short_label(key) for key in keys] == [
        "ALDK raises Dice 1", "Teacher: mean sigmoid, brain", "Teacher: WGAN GP", "Near RCN 3", "Initialisation",
    ]  # fmt: skip
