"""Every LaTeX file that a report leaves is typeset by a real engine, with no package but those that it names itself."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from reports.paper.cast import PaperRun
from reports.paper.layout import load_paper
from reports.paper.page import write_paper
from reports.tables.latex import PREAMBLE, latex
from reports.tables.table import Head, Table, Text
from tests.reports.paper.progressive_inputs import OWN, all_rows, make_run

ENGINES = [name for name in ("pdflatex", "lualatex", "xelatex") if shutil.which(name)]
OPTIONS = ("-halt-on-error", "-interaction=nonstopmode")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ENGINES, reason="none of pdflatex, lualatex and xelatex is installed"),
]


@pytest.fixture(scope="module")
def files(built, tmp_path_factory):
    """The tables of a small report, and those of both papers: all cells of one filled, of the other none."""
    folder = tmp_path_factory.mktemp("papers")
    full = make_run(folder / "run", all_rows(OWN))
    empty = PaperRun(load_paper("ldr-aldk"), replace(full.run), {})
    for name, paper_run in (("full", full), ("empty", empty)):
        write_paper(folder / name, paper_run)
    return sorted([*(built[0] / "tables").glob("*.tex"), *folder.glob("*/tables/*.tex")])


def typeset(engine, folder, name, preamble, body):
    """Run an engine twice, for what the second run reads of captions; return its log."""
    document = (
        rf"\documentclass{{article}}{preamble}\begin{{document}}" + "\n" + rf"{body}\listoftables\end{{document}}"
    )
    (folder / f"{name}.tex").write_text(document, encoding="utf-8")
    for _ in range(2):
        words = [engine, *OPTIONS, f"{name}.tex"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, f"{name}: {done.stdout[-1500:]}"
    return (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("engine", ENGINES)
def test_every_table_of_a_report_is_typeset(engine, files, tmp_path):
    assert {path.stem for path in files} >= {"overview", "timing", "failures", "costs", "ldr-aldk-table1"}
    for path in files:
        first, _, _ = path.read_text(encoding="utf-8").partition("\n")
        preamble = re.fullmatch(r"% needs (\\usepackage\{[a-z,]+\})", first)
        assert preamble, path
        log = typeset(engine, tmp_path, path.stem, preamble[1], rf"\input{{{path}}}")
        assert "Float too large" not in log, path
        assert "Missing character" not in log, path
        assert (tmp_path / f"{path.stem}.pdf").stat().st_size > 1000


@pytest.mark.parametrize("engine", ENGINES)
def test_long_notes_stay_on_the_page(engine, tmp_path):
    rows = [[Text(f"row {number}"), Text("0.5", printed="0.4")] for number in range(18)]
    table = latex([Table("C", [Head("A"), Head("B")], rows, ["words of a note " * 40] * 8)])
    log = typeset(engine, tmp_path, "long", PREAMBLE, table)
    assert "Float too large" not in log


@pytest.mark.parametrize("engine", ENGINES)
def test_a_fault_is_seen(engine, tmp_path):
    with pytest.raises(AssertionError, match="Undefined control sequence"):
        typeset(engine, tmp_path, "fault", PREAMBLE, r"\undefinedhere")
