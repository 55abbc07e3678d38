"""A paper's files: what is read from them, and one clear line for each fault."""

import re
from dataclasses import replace

import pytest

from reports.paper import layout as paper
from reports.paper.layout import PAPERS, PaperError, load_paper
from reports.paper.printed import is_blank, read_number, read_printed
from reports.reading.trainings import Training
from tests.reports.paper.paper_inputs import LEARNED, csv_frame, layout, make_run, varied, write_paper


def test_a_paper_is_read(tmp_path):
    toy = load_paper("toy", folder=write_paper(tmp_path))
    assert (toy.key, toy.title, toy.hardware) == ("toy", "A <toy> paper", "An abacus")
    assert len(toy.tables[0].cells) == len(toy.cells) == 11  # 2 rows x 5 columns and one gain
    assert toy.tables[0].cells["taught", "params"].printed.value == 560000
    assert sum(cell.printed.number is None for cell in toy.cells) == 3  # two dashes, and one that cannot be read


@pytest.mark.parametrize(("text", "value", "step"), [
    ("91.2", 91.2, 0.1), ("+3.4", 3.4, 0.1), ("-1.25", -1.25, 0.01), ("\u22121.0", -1.0, 0.1), ("59,025", 59025, 1),
    ("748", 748, 1),
    ("[\u22126.4, 6.4]", 6.4, 0.1), ("[-12.8, 12.8]", 12.8, 0.1), ("4\u00d74\u00d74", 4, 1),
    ("0.56M", 560000, 10000), ("98.90M", 98900000, 10000), ("12k", 12000, 1000),
])  # fmt: skip
def test_printed_numbers(text, value, step):
    found = read_number(text)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.step == pytest.approx(step)


@pytest.mark.parametrize(
    "text", ["5 + 5.5", "-", "", "59,02", "1e3", "3.4%", "M", "[\u22123.2, 6.4]", "4\u00d74\u00d78", "N/A"]
)
def test_what_is_no_printed_number(text):
    assert read_number(text) is None


def change(**changes):
    """The CSV with the cell of row taught and column one_dice changed."""
    cells = csv_frame()
    at = (cells.row == "taught") & (cells.column == "one_dice")
    for name, value in changes.items():
        cells.loc[at, name] = value
    return cells


def without(key):
    changed = layout()
    del changed[key]
    return changed


CSV_FAULTS = {
    "value that is not the printed one": (change(value="92.1"), r"line 7: printed '91.2' is 91.2, but value says '92"),
    "value where none can be": (change(printed="?"), r"line 7: '\?' is no number, so value must be empty"),
    "unreadable without a note": (change(printed="9x", value=""), r"line 7: '9x' is neither a number nor a dash"),
    "no locator": (change(locator=""), "line 7: a printed number needs a locator"),
    "other unit": (change(unit="mm"), "row taught, column one_dice has unit 'mm', its column '%'"),
    "unknown cell": (change(column="three_dice"), "row taught, column three_dice is not in the layout"),
    "missing cell": (csv_frame().iloc[:-1], "row taught, column params of the layout is missing"),
    "cell twice": (csv_frame().iloc[[*range(11), 0]], r"cell \(1, 'plain', 'one_dice'\) occurs twice"),
    "table that is no number": (csv_frame().assign(table="I"), "line 2: table must be a number, got 'I'"),
    "missing column": (csv_frame().drop(columns="locator"), "columns must be table,row,column,printed,value,unit,loc"),
}
YAML_FAULTS = {
    "missing entry": (without("cite"), "top level: 'cite' is a required property"),
    "unknown option": (layout(one_dice={"colour": "red"}), "colour"),
    "unknown data set": (layout(one_dice={"dataset": "three"}), "dataset names 'three', which is none of one, two"),
    "unknown gain": (layout(one_dice_gain={"gain_of": "x"}), "gain_of names 'x'"),
    "gain of a gain": (layout(one_dice_gain={"gain_of": "one_dice_gain"}), "gain_of names 'one_dice_gain'"),
    "gain over no row": (layout(taught={"gain_over": "nobody"}), "row taught: gain_over names 'nobody'"),
    "labels without heads": (layout(taught={"labels": ["Taught"]}), "row taught needs 2 labels"),
    "no unit": (layout(one_dice={"unit": None}, without="unit"), "column one_dice: the cell needs unit"),
    "no method": (
        layout(plain={"method": None}, without="method"),
        "row plain, column one_dice: the cell needs method",
    ),
    "two methods wanted": (layout(one_dice={"statistic": "signed_rank"}), "column one_dice: the cell needs against"),
    "counts of landmarks": (
        layout(two_dice={"pooled": True, "statistic": "sum"}),
        "two_dice: pooled goes with mean, sd",
    ),
    "only no column": (layout(plain={"only": ["x"]}), "row plain: only names 'x'"),
    "cells of no column": (layout(plain={"cells": {"x": {}}}), "row plain: cells names 'x'"),
    "SD of a gain": (layout(two_dice={"sd_of": "one_dice_gain"}), "two_dice: sd_of names 'one_dice_gain'"),
    "unknown statistic": (layout(one_dice={"statistic": "mode"}), "'mode' is not one of"),
    "row twice": (layout(taught={"key": "plain"}), "table 1: row plain occurs twice"),
    "no margin": (
        layout(two_dice={"margin": None}, without="margin"),
        "toy.yaml: table 1, row plain, column two_dice: the cell needs a margin",
    ),
    "margin that is none": (layout(two_dice={"margin": "wide"}), "columns.2.margin: "),
    "other paper": ({**layout(), "paper": "else"}, "paper is 'else', the file's name says 'toy'"),
}


@pytest.mark.parametrize("name", CSV_FAULTS)
def test_faults_of_the_numbers_are_one_line(tmp_path, name):
    cells, message = CSV_FAULTS[name]
    with pytest.raises(PaperError, match=message) as caught:
        load_paper("toy", folder=write_paper(tmp_path, cells=cells))
    assert "\n" not in str(caught.value)
    assert "toy.csv" in str(caught.value)


@pytest.mark.parametrize("name", YAML_FAULTS)
def test_faults_of_the_layout_are_one_line(tmp_path, name):
    changed, message = YAML_FAULTS[name]
    with pytest.raises(PaperError, match=message) as caught:
        load_paper("toy", folder=write_paper(tmp_path, layout=changed))
    assert "\n" not in str(caught.value)
    assert "toy.yaml" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(PaperError, match=r"toy\.yaml: no such file"):
        load_paper("toy", folder=tmp_path)
    write_paper(tmp_path)
    (tmp_path / "toy.csv").unlink()
    with pytest.raises(PaperError, match=r"toy\.csv: no such file"):
        load_paper("toy", folder=tmp_path)
    (tmp_path / "toy.csv").write_text('table,"row\n')
    with pytest.raises(PaperError, match=r"toy\.csv: "):
        load_paper("toy", folder=tmp_path)
    (tmp_path / "toy.yaml").write_text("paper: [toy\n")
    with pytest.raises(PaperError, match=r"toy\.yaml: not readable as YAML") as caught:
        load_paper("toy", folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_stand_in_has_another_name(tmp_path):
    paper_run = make_run(tmp_path, [], plays={"one": "one", "two": "shells"})
    assert not paper_run.players["one"].stand_in
    assert paper_run.players["two"].stand_in


@pytest.mark.parametrize(("pairs", "note"), [
    (3, ""), (7, "has 3 of the paper's 7 pairs"), (2, "has 3 pairs, the paper's 2"), (None, ""),
])  # fmt: skip
def test_too_small_a_part_of_the_papers_own_data_is_a_stand_in(tmp_path, pairs, note):
    changed = layout()
    for entry in changed["datasets"].values():
        entry.update({"pairs": pairs} if pairs else {})
    paper_run = make_run(tmp_path, [], plays={"one": "one", "two": "shells"}, layout=changed)
    assert paper_run.players["one"].note == note
    assert paper_run.players["one"].stand_in == bool(note)
    assert paper_run.players["two"].note == ""  # another data set has no pair of the paper's


def test_what_a_network_learned_from(tmp_path):
    """By what was recorded: data of the paper's origin under any name, and none of its name that were drawn."""
    paper_run = make_run(tmp_path, [], plays={})
    drawn = replace(LEARNED, phantom=True)
    on = [
        Training(method, data, 0, "ok", "", None, "", learned)
        for method, data, learned in (
            ("syn", "any", LEARNED), ("net", "toys", drawn), ("net", "any", LEARNED), ("old", "lessons", None),
        )
    ]  # fmt: skip
    paper_run = varied(paper_run, trainings=on)
    found = [paper_run.trained_elsewhere(method) for method in ("syn", "net", "old", "none")]
    assert found == ["", "any and toys", "lessons", ""]
    assert paper_run.own_data == "any"
    unnamed = varied(paper_run, paper=replace(paper_run.paper, trainings=()))
    assert unnamed.trained_elsewhere("net") == ""


@pytest.mark.parametrize("key", sorted(path.stem for path in paper.PAPERS.glob("*.yaml")))
def test_the_papers_of_the_project_load(key):
    known = load_paper(key)
    assert len(known.cells) + len(known.beside) == sum(len(table.cells) for table in known.tables)
    assert all(table.readings for table in known.tables)


def test_the_light_weight_paper_is_whole():
    """Cells of Tables I to IV counted by hand: rows x columns, and the gains in brackets; ratios of the text twice."""
    printed = read_printed(PAPERS / "ldr-aldk.csv")
    sizes = {1: 10 * 11, 2: 6 * 10 + 3 * 8, 3: 6 * 7, 4: 4 * 6 + 3 * 4, 5: 4 * 2 + 12}
    assert printed.groupby("table").size().to_dict() == sizes
    assert printed.printed.map(is_blank).sum() == 15
    corrupt = printed[printed.value.isna() & ~printed.printed.map(is_blank)]
    assert corrupt[["row", "column", "printed"]].values.tolist() == [["ldr_2_aldk", "lspig_dice_gain", "5 + 5.5"]]


def test_printed_gains_are_differences_of_printed_cells():
    """A slip in the transcription of a gain or of its two cells shows here; those of the paper itself are known."""
    known = load_paper("ldr-aldk")
    off = []
    for cell in known.cells:
        if of := cell.column.gain_of:
            values = {(one.method, one.column.key): one.printed.value for one in known.cells if one.table == cell.table}
            difference = values[cell.method, of] - values[cell.less, of]
            if not abs(difference - cell.printed.value) < 0.05:
                off.append((cell.table, cell.row.key, cell.column.key, round(difference, 1)))
    assert off == [(2, "ldr_1_aldk", "lpba_dice_gain", 1.5), (2, "ldr_2_aldk", "lspig_dice_gain", 5.5)]


def test_cells_that_several_tables_print_agree():
    """LDR + ALDK stands in all four tables with one set of numbers."""
    printed = read_printed(PAPERS / "ldr-aldk.csv").set_index(["table", "row", "column"]).printed
    shared = ("sliver_dice", "sliver_jacc", "lits_dice", "lits_jacc")
    for places in ([(1, "ldr_1_aldk"), (2, "ldr_1_aldk"), (3, "ldr"), (4, "rcn")], [(2, "ldr_1"), (4, "none")]):
        rows = [[printed[(*place, column)] for column in shared] for place in places]
        assert rows == [rows[0]] * len(rows)


def test_notes_on_impossible_overlaps_are_computed():
    """A mean Jaccard is at least D / (2 - D) of the mean Dice D: the cells below it, and no others, say so."""
    printed = read_printed(PAPERS / "ldr-aldk.csv").set_index(["table", "row", "column"])
    below, said = set(), set(printed.index[printed.note.str.contains(re.escape("D/(2-D)"))])
    for table, row, column in printed.index:
        jaccard = (table, row, re.sub("_dice$", "_jacc", column))
        if column.endswith("_dice") and printed.value.notna().get(jaccard, False):
            dice = (printed.value[table, row, column] - 0.05) / 100
            if (printed.value[jaccard] + 0.05) / 100 < dice / (2 - dice):
                below.add(jaccard)
    assert below == said
    assert len([cell for cell in said if cell[0] == 1]) == 6
