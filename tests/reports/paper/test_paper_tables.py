"""A paper's tables in its own layout, in three formats and on the page."""

import csv
import re
from dataclasses import replace

import pandas as pd
import pytest

from reports import page
from reports.paper.ledger import judge
from reports.paper.tables import write_paper_tables
from reports.reading.trainings import Training
from reports.tables.latex import latex
from reports.tables.markdown import markdown
from reports.tables.numbers import MINUS
from reports.tables.table import Group, Head, Table, Text
from tests.reports.paper.paper_inputs import dice_rows, make_run, network, paper_size, size_rows, varied
from tests.reports.report_inputs import METHODS, Links, runs_frame

ROWS = [
    *dice_rows("shells", "syn", [0.69, 0.70, 0.72]),
    *dice_rows("shells", "net", [0.90, 0.92, None]),
    *size_rows("shells", "net", 40_000, 561_318),
]


@pytest.fixture(scope="module")
def paper_run(tmp_path_factory):
    folder, networks = tmp_path_factory.mktemp("run"), [network("net", "syn")]
    return make_run(folder, ROWS, plays={"one": "shells"}, timing=paper_size("syn", [9, 9.5, 11]), networks=networks)


def test_a_table_says_how_much_of_the_gradient_was_the_teachers(paper_run, tmp_path):
    def notes(run):
        [table] = write_paper_tables(tmp_path / "tables", run, judge(run))
        return [note for note in table.notes if "teacher over" in note]

    assert notes(paper_run) == []
    (tmp_path / "curve.jsonl").write_text(
        '{"total": 1}\n{"total": 1, "teacher_share": 0.0004}\n'
        '{"total": 1, "teacher_share": 0.003}\n{"total": 1, "teacher_share": 0.001}\n'
    )
    taught = varied(paper_run, trainings=[Training("net", "shells", 0, "ok", "", tmp_path)])
    said = "Logged in training, gradient from the teacher over gradient of the base loss: Net 0.0004 to 0.003, median"
    assert notes(taught) == [f"{said} 0.001 of 3 steps."]


@pytest.fixture(scope="module")
def written(paper_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    return folder, write_paper_tables(folder, paper_run, judge(paper_run))[0]


def test_the_layout_is_the_papers(written):
    table = written[1]
    assert [head.title for head in table.heads] == [
        "Network",
        "Teacher",
        "Dice (%)",
        "Dice (%)",
        "CPU",
        "GPU",
        "#Params",
    ]
    groups = [(group and (group.title, group.detail), width) for group, width in table.groups()]
    assert groups == [
        (None, 2),
        (("ONE", "played by Shells <b> phantom"), 1),
        (("TWO", "no data set plays it"), 1),
        (("Cost", "at the paper's size"), 2),
        (None, 1),
    ]
    assert table.heads[-1].detail == "at the paper's size"
    assert table.caption == "Table I of Nobody 2026, arXiv:2601.00001: Everything & more."


def test_measured_and_printed_stand_in_one_cell(written):
    plain, taught = written[1].rows
    shown = [(cell.text, cell.printed) for cell in taught]
    assert shown[:3] == [("Taught", ""), ("Net_work", ""), ("91.0, +21.5 †", "91.2, +3.4")]
    assert shown[3] == ("n. m. [1]", "80.0")
    assert shown[4:] == [("9.50", "0.69"), ("n. m. [2]", "0.16"), ("0.56M", "0.56M")]
    assert [(cell.text, cell.printed) for cell in plain[2:]] == [
        ("70.3", "70.0"), ("n. m. [1]", "5 + 5"), ("9.50", "9.5"), ("n. m. [2]", MINUS),
        ("n. m. [3]", MINUS),
    ]  # fmt: skip


def test_notes_say_what_a_reader_must_know(written):
    notes = "\n".join(written[1].notes)
    for words in (
        "[1] no data set plays TWO in this profile; [2] no CUDA device; [3] no network.",
        "are no reproductions",
        "† Without the registrations or calls that failed",
        "Networks narrower than the paper's, but for their costs: Taught, Net_work.",
        "threads: 2, on images drawn at random, 128 x 128 x 128 voxels; the same network timed once: Taught,",
        "Hardware of the seconds: Some CPU, ",
        "Not readable in print: Plain, None, “5 + 5”.",
        "Dice. Run: one way. Other reading: the other way, 2 % more.",
    ):
        assert words in notes, words


def test_a_table_of_the_papers_own_data_needs_no_warning(tmp_path):
    paper_run = make_run(tmp_path, dice_rows("one", "syn", [0.7, 0.7]), plays={"one": "one"})
    table = write_paper_tables(tmp_path / "t", paper_run, judge(paper_run))[0]
    assert table.heads[2].group == Group("ONE", "measured on it")
    assert table.heads[4].group == Group("Cost", "on ONE")
    assert not any("stand-in" in note.lower() or "†" in note for note in table.notes)


def test_the_csv_is_for_machines(written):
    found = pd.read_csv(written[0] / "toy-table1.csv").set_index("row")
    assert list(found.columns)[:5] == ["network", "teacher", "method", "one_dice", "one_dice_printed"]
    assert found.loc["taught", ["method", "params", "params_printed"]].tolist() == ["net", 561318, 560000]
    assert found.one_dice["plain"] == pytest.approx(100 * (0.69 + 0.70 + 0.72) / 3, abs=1e-7)  # not cut to the print
    assert found.one_dice_gain_printed["taught"] == 3.4
    missing = ["one_dice_gain", "one_dice_gain_printed", "gpu", "gpu_printed", "two_dice", "two_dice_printed"]
    assert found.loc["plain", missing].isna().all()


def test_markdown(written):
    lines = (written[0] / "toy-table1.md").read_text(encoding="utf-8").splitlines()
    bars = [line for line in lines if line.startswith("|")]
    assert "ONE Dice (%)<br>played by Shells &lt;b&gt; phantom" in bars[0]
    assert bars[-1].startswith("| Taught | Net\\_work | 91.0, +21.5 † (91.2, +3.4) | n. m. \\[1\\] (80.0) |")
    assert len({len(re.findall(r"(?<!\\)\|", bar)) for bar in bars}) == 1


def test_latex(written):
    text = (written[0] / "toy-table1.tex").read_text(encoding="utf-8")
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    assert text.isascii()
    lines = text.splitlines()
    measured = next(i for i, line in enumerate(lines) if line.startswith("Taught & Net"))
    assert lines[measured].startswith(r"Taught & Net\_work & 91.0, +21.5 \textdagger{} & n. m. {[}1{]} & 9.50 &")
    assert lines[measured + 1].startswith(r" &  & {\footnotesize(91.2, +3.4)} & {\footnotesize(80.0)} &")
    assert r"{\footnotesize($-$)}" in text
    body = re.search(r"\\toprule\n(.*)\\bottomrule", text, re.DOTALL)[1]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    for line in rows:
        spans = [int(width) - 1 for width in re.findall(r"\\multicolumn\{(\d+)\}", line)]
        assert len(re.findall(r"(?<!\\)&", line)) + sum(spans) == 6, line
    assert r"\cmidrule(lr){3-3}\cmidrule(lr){4-4}\cmidrule(lr){5-6}" in text


def test_a_table_without_groups_or_printed_cells_is_as_before():
    table = Table("C", [Head("A", number=False), Head("B")], [[Text("x"), Text("1", best=True)]])
    assert table.groups() == [(None, 2)]
    assert latex([table]).count("\\\\") == 2
    assert "multicolumn" not in latex([table])
    assert markdown([table]).splitlines()[2:] == ["| A | B |", "| :--- | ---: |", "| x | **1** |"]


def test_all_formats_repeat(paper_run, written, tmp_path):
    write_paper_tables(tmp_path, paper_run, judge(paper_run))
    for path in written[0].iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path


@pytest.fixture(scope="module")
def report(paper_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    whole = replace(paper_run.run, runs=runs_frame().iloc[:0], methods={**METHODS, **paper_run.run.methods})
    page.build(folder, whole, [replace(paper_run, run=whole)])
    return folder


def test_the_page_shows_the_paper(report):
    text = (report / "index.html").read_text(encoding="utf-8")
    for words in (
        "Paper: A &lt;toy&gt; paper",
        "<b>stand-in</b>: Shells &lt;b&gt; phantom",
        "no data set plays TWO in this profile",
        '<span class="printed">(91.2, +3.4)</span>',
        "Other reading: the other way, 2 % more.",
        "11 printed numbers and blanks: <strong>result: 2 other hardware, 3 reduced, 2 not measured, ",
        "; size: 1 agrees, 1 not printed</strong>",
        'colspan="2">Cost<small>at the paper&#39;s size</small>',
    ):
        assert words in text, words
    assert "file:" not in text
    found = Links(text)
    assert found.loads == []
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert all(b - a <= 1 for a, b in zip(found.headings, found.headings[1:], strict=False))


def test_the_report_has_the_ledger(report, paper_run):
    with (report / "ledger.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(paper_run.paper.cells)
    gain = next(each for each in rows if each["column"] == "one_dice_gain")
    assert gain | {"low": "", "high": "", "note": ""} == {
        "paper": "toy", "table": "1", "row": "taught", "column": "one_dice_gain", "kind": "result", "dataset": "shells",
        "stand_in": "true", "metric": "dice", "protocol": "linear_thr128", "statistic": "mean difference",
        "printed": "+3.4", "margin": "1", "measured": "21.5", "interval": "generalisation", "low": "", "high": "",
        "half_width": gain["half_width"], "unit": "%", "n": "2", "subjects": "3", "trainings": "1",
        "difference": "18.1",
        "verdict": "reduced", "note": "",
    }  # fmt: skip
    assert {path.name for path in (report / "tables").glob("toy*")} == {f"toy-table1.{s}" for s in ("csv", "md", "tex")}


def test_without_papers_the_ledger_is_empty(built):
    lines = (built[0] / "ledger.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("paper,table,row,column,kind,dataset,stand_in,metric,")
