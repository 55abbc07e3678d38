"""What is reported of displacements made elsewhere is never a number of ours."""

import json
from dataclasses import replace

import numpy as np
import pytest

from reports.overview.rows import overview_rows
from reports.overview.tables import dataset_table
from tests.reports.report_inputs import frame, make_run, rows_of, runs_frame, write_dataset


@pytest.fixture
def table(tmp_path):
    """Return a function that makes the table of a given method with these Dice values, 0.5 to 0.7 before."""
    data = write_dataset(tmp_path, "shells", phantom=True, n_pairs=3)

    def make(dice, found=None):
        runs = runs_frame()
        runs.loc[(runs.dataset == "shells") & (runs.method == "net"), "params"] = json.dumps({"found": found or {}})
        rows = rows_of("shells", "identity", [0.5, 0.6, 0.7]) + rows_of("shells", "net", dice, np.nan)
        run = make_run(frame(rows), {"shells": data}, runs=runs)
        mine = replace(run.methods["net"], label="Mine", kind="given", reported="0.8 s a pair on a GPU")
        run = replace(run, methods={**run.methods, "net": mine})
        return dataset_table(run, overview_rows(run), data)

    return make


def test_reported_seconds_stand_below_the_table_and_in_no_column(table):
    table = table([0.7, 0.8, 0.9])
    times = [place for place, head in enumerate(table.heads) if head.title.startswith("Time")]
    assert times
    cells = next(line for line in table.rows if line[0].text == "Mine")
    assert all(cells[place].empty for place in times)
    assert not any("0.8 s" in cell.text for cell in cells)
    assert "Mine: 0.8 s a pair on a GPU, as reported with its displacements; not measured here." in table.notes


@pytest.mark.parametrize(("dice", "doubted"), [([0.7, 0.8, 0.9], False), ([0.4, 0.6, 0.7], True)])
def test_displacements_that_make_labels_worse_are_doubted(table, dice, doubted):
    assert any("a convention that is not theirs" in note for note in table(dice).notes) == doubted


def test_what_images_say_against_a_statement_stands_below_the_table(table):
    found = {"content": "displacement", "unit": "mm", "but": "the images speak for [unit: voxels]"}
    notes = table([0.7, 0.8, 0.9], found).notes
    said = "content displacement, unit mm, but the images speak for [unit: voxels]"
    assert f"Mine: its displacements were read as {said}." in notes
