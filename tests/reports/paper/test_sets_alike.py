"""A mean over several data sets in which each counts alike, however many pairs it has."""

import copy

import pandas as pd
import pytest

from reports.paper.layout import PaperError, load_paper
from reports.paper.ledger import judge
from reports.paper.measured import Reader
from reports.paper.printed import COLUMNS
from reports.paper.tables import write_paper_tables
from tests.reports.paper.paper_inputs import LAYOUT, csv_frame, dice_rows, make_run, size_rows, write_paper

CELL = {
    "metric": "dice",
    "protocol": "linear_thr128",
    "statistic": "reduction",
    "unit": "%",
    "factor": 100,
    "margin": 1,
}
SETS = {"dataset": ["one", "two"], "sets_alike": True, "method": "net", "against": "syn"}
# ONE: two pairs that lose 0.10 and 0.20; TWO: one pair that loses 0.60
ROWS = [
    *dice_rows("one", "syn", [0.9, 0.9]),
    *dice_rows("one", "net", [0.8, 0.7]),
    *dice_rows("two", "syn", [0.9]),
    *dice_rows("two", "net", [0.3]),
]


def changed(**cell):
    """The toy paper with a second table of one cell."""
    table = {
        "number": 2,
        "title": "Text",
        "caption": "Losses.",
        "head": ["What"],
        "readings": LAYOUT["tables"][0]["readings"],
    }
    table |= {
        "columns": [{"key": "all", "label": "All"}],
        "rows": [{"key": "loss", "labels": ["Loss"], **CELL, **cell}],
    }
    layout = copy.deepcopy(LAYOUT)
    layout["tables"].append(table)
    line = pd.DataFrame([(2, "loss", "all", "0.5", "0.5", "%", "Section IV", "")], columns=COLUMNS)
    return {"layout": layout, "cells": pd.concat([csv_frame(), line])}


@pytest.mark.parametrize(("alike", "loss"), [(True, (15 + 60) / 2), (False, (10 + 20 + 60) / 3)])
def test_a_loss_over_two_sets(tmp_path, alike, loss):
    paper_run = make_run(tmp_path, ROWS, plays={"one": "one", "two": "two"}, **changed(**{**SETS, "sets_alike": alike}))
    found = Reader(paper_run).read(paper_run.paper.cells[-1])
    assert found.value == pytest.approx(loss)
    assert found.n == 3
    assert ("mean of the data sets" in found.statistic) == alike


def test_there_is_no_mean_where_a_set_is_missing(tmp_path):
    paper_run = make_run(tmp_path, ROWS, plays={"one": "one"}, **changed(**SETS))
    assert "TWO" in Reader(paper_run).read(paper_run.paper.cells[-1]).reason


def test_what_cannot_count_alike_is_refused(tmp_path):
    with pytest.raises(PaperError, match="sets_alike goes with mean, reduction over pairs"):
        load_paper("toy", folder=write_paper(tmp_path, **changed(**{**SETS, "statistic": "signed_rank"})))


def test_a_head_tells_costs_at_the_papers_size_from_numbers_on_data(tmp_path):
    both = changed(**SETS)
    size = {"metric": "parameters", "dataset": "one", "method": "net", "unit": "1"}
    both["layout"]["tables"][1]["rows"].append({"key": "size", "labels": ["Size"], **size})
    line = pd.DataFrame([(2, "size", "all", "0.56M", "560000", "1", "Section IV", "")], columns=COLUMNS)
    both["cells"] = pd.concat([both["cells"], line])
    rows = [*ROWS, *size_rows("one", "net", 40_000, 561_318)]
    paper_run = make_run(tmp_path, rows, plays={"one": "one", "two": "two"}, **both)
    first, second = write_paper_tables(tmp_path / "tables", paper_run, judge(paper_run))
    assert second.heads[1].detail == "costs at the paper's size"
    assert first.heads[-1].detail == "at the paper's size"
