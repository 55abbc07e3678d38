"""What plays the progressive paper's data and set-up is named, and never taken for them."""

from dataclasses import replace

import pytest

from reports.paper.cast import PaperRun
from reports.paper.ledger import beside, judge
from reports.paper.tables import write_paper_tables
from reports.reading.summary import DRAWN
from reports.reading.trainings import Training
from tests.reports.paper.paper_inputs import size_rows, varied
from tests.reports.paper.progressive_inputs import (
    BENDS,
    LEARNED,
    OWN,
    PAPER,
    PHANTOMS,
    all_rows,
    by_place,
    data_of,
    make_run,
    one_training,
    printed_rows,
    repeated,
)
from tests.reports.report_inputs import write_dataset


def test_the_import_oracle_has_a_tolerance(tmp_path):
    rows = [
        each | {"value": each["value"] + 0.019}
        if (each["method"], each["region"]) == ("identity", "mean") and each["metric"] == "tre"
        else each
        for each in printed_rows(OWN)
    ]
    judged = judge(make_run(tmp_path, rows))
    before = [each for each in judged if each.cell.column.key == "before"]
    assert {each.verdict for each in before if each.cell.row.key != "all"} == {"agrees"}
    assert all("± 0.02" in each.note for each in before)


def test_a_wrong_training_set_up_is_said(tmp_path):
    """Ranges of t2,1 with x and z swapped: a twisted axis order shows."""
    wrong = {**BENDS, "t21": {"controls": [4, 4, 2], "ranges": [0.10, 0.05, 0.025]}}
    found = {
        (each.cell.row.key, each.cell.column.key): each
        for each in judge(make_run(tmp_path, [], bends=wrong))
        if each.cell.table == 1
    }
    assert (found["t21", "x"].remark, found["t21", "x"].measured.value) == ("set otherwise", pytest.approx(12.8))
    assert (found["t21", "y"].verdict, found["t21", "y"].remark) == ("as configured", "as printed")
    assert found["t21", "grid"].note == "synthetic.json has no single number bends.t21.controls"


def test_set_up_is_no_stand_in(tmp_path):
    rows = size_rows("phantom-dirlab", "progressive", 1000, 19_000_000)
    judged = judge(make_run(tmp_path, all_rows(PHANTOMS) + rows, PHANTOMS))
    assert {each.verdict for each in judged if each.cell.table == 1} == {"as configured"}
    of_phantoms = {each.verdict for each in judged if each.cell.table == 2}
    assert of_phantoms == {"reduced"}


def test_a_stand_in_with_fewer_pairs_says_so(tmp_path):
    paper_run = make_run(tmp_path, printed_rows(PHANTOMS), PHANTOMS)
    small = write_dataset(tmp_path / "small", "phantom-dirlab", phantom=True, n_pairs=4, shape=(6, 5, 4))
    judged = judge(varied(paper_run, plays={**paper_run.datasets, "dirlab": small}))
    cell = next(each for each in judged if each.cell.row.key == "dirlab_5" and each.cell.column.key == "progressive")
    assert cell.verdict == "not measured"
    assert cell.note == "Shells <b> phantom has 4 test pairs, the paper's row is of pair 5"


def test_a_part_of_the_papers_own_data_is_a_stand_in(tmp_path):
    paper_run = make_run(tmp_path, printed_rows(OWN))
    few = data_of(tmp_path / "few", "dirlab", "dirlab", phantom=False, n_pairs=3)
    paper_run = varied(paper_run, plays={**paper_run.datasets, "dirlab": few})
    assert [paper_run.players[key].stand_in for key in ("dirlab", "creatis", "popi")] == [True, False, False]
    found = {(each.cell.table, each.cell.row.key, each.cell.column.key): each for each in judge(paper_run)}
    for column in ("before", "progressive"):
        assert found[2, "dirlab_2", column].verdict == found[2, "all", column].verdict == "reduced"
    assert found[2, "creatis_1", "before"].verdict == "agrees"
    assert found[2, "creatis_1", "progressive"].verdict == "inconclusive"
    assert "on Real shells, which has 3 of the paper's 10 pairs" in found[2, "all", "progressive"].note
    assert "pair 2 of these may be another one of the paper's" in found[2, "dirlab_2", "progressive"].note
    two, three = write_paper_tables(tmp_path / "t", paper_run, [*judge(paper_run), *beside(paper_run)])[1:3]
    for table in (two, three):
        assert any("on DIR-Lab, which has 3 of the paper's 10 pairs" in note for note in table.notes)
    assert paper_run.players["dirlab"].in_figure == "Real shells, which has 3 of the paper's 10 pairs"
    player = paper_run.players["dirlab"]
    assert (player.stand_in, player.note) == (True, "has 3 of the paper's 10 pairs")


def test_a_network_trained_on_other_data_is_a_stand_in(tmp_path):
    paper_run = make_run(tmp_path, repeated(one_training(OWN), 5))
    drawn, others = replace(LEARNED, module="phantom", phantom=True), ("progressive", "progressive-square")
    elsewhere = [
        replace(each, dataset="phantom-lidc", learned=drawn) if each.method in others else each
        for each in paper_run.run.trainings
    ]  # fmt: skip
    paper_run = varied(paper_run, trainings=elsewhere)
    found = by_place(judge(paper_run))
    for key in (
        (2, "dirlab_1", "progressive"),
        (2, "all", "progressive_folding"),
        (5, "gain", "comparison"),
        (4, "square", "tre"),
    ):
        assert found[key].verdict == "reduced"
        assert "trained on phantom-lidc, the paper's on LIDC-IDRI" in found[key].note
    for key in ((2, "dirlab_1", "baseline"), (2, "all", "before")):
        assert found[key].verdict == "agrees"
    notes = write_paper_tables(tmp_path / "t", paper_run, [*judge(paper_run), *beside(paper_run)])[1].notes
    assert "Trained on other data than the paper's (LIDC-IDRI): Progressive network on phantom-lidc." in notes
    assert any(note.startswith("Stand-ins") for note in notes)


def test_a_setting_is_read_of_the_papers_training_data(tmp_path):
    paper_run = make_run(tmp_path, [])
    other = Training("progressive", "another", 0, "ok", "", tmp_path / "nothing")
    paper_run = varied(paper_run, trainings=[other, *paper_run.run.trainings])
    assert {each.measured.dataset for each in judge(paper_run) if each.cell.table == 1} == {"lidc"}


def test_stand_ins_are_named_where_rows_say_the_data_set(tmp_path):
    paper_run = make_run(tmp_path, printed_rows(PHANTOMS), PHANTOMS)
    table = write_paper_tables(tmp_path / "t", paper_run, [*judge(paper_run), *beside(paper_run)])[1]
    assert any("Data sets: DIR-Lab played by Shells <b> phantom; CREATIS played by" in note for note in table.notes)
    assert any(note.startswith("Stand-ins") for note in table.notes)


def test_a_distance_that_a_phantom_is_drawn_to_have_is_called_no_result(tmp_path):
    paper_run = make_run(tmp_path, printed_rows(PHANTOMS), PHANTOMS)
    drawn = {
        name: replace(data, description=replace(data.description, severity={data.test_pairs[0].name: 3.9}))
        for name, data in paper_run.run.datasets.items()
    }
    for run, expected in ((paper_run.run, []), (replace(paper_run.run, datasets=drawn), [2])):
        judged_run = PaperRun(PAPER, run, paper_run.cast)
        tables = write_paper_tables(tmp_path / "t", judged_run, judge(judged_run))
        said = [number for number, table in enumerate(tables, start=1) if DRAWN in table.notes]
        assert said == expected
