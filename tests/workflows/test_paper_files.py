"""The papers' own files are read before a run, not after it."""

import shutil

import pytest
import yaml

from reports import PAPERS
from reports.paper.layout import load_paper
from reports.paper.printed import PaperError
from workflows.ahead import papers
from workflows.configuration.resolve import resolve


@pytest.fixture
def folder(tmp_path):
    """The papers' files, to be spoilt."""
    return shutil.copytree(PAPERS, tmp_path / "papers")


def problems(folder, **config):
    return papers.problems(resolve(config), folder=folder)


def test_the_papers_of_the_project_have_no_problem(folder):
    assert problems(folder) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", margin: 1}", "}", "the cell needs a margin"),
        (", margin: 1}", ", margin: .nan}", "margin: nan is no number; write one that is finite"),
        (", margin: 1}", ", margin: .inf}", "margin: inf is no number; write one that is finite"),
        ("protocol: linear_thr128", "protocol: linear_thr129", "protocol names 'linear_thr129', which is none of"),
        ("method: rcn-3", "method: rnc-3", "unknown method 'rnc-3'; did you mean 'rcn-3'?"),
    ],
)
def test_a_fault_of_a_paper_is_one_line_that_says_where(folder, old, new, message):
    path = folder / "ldr-aldk.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    (line,) = problems(folder)
    assert message in line
    assert "ldr-aldk" in line


def test_a_claim_on_an_absent_method_is_one_line(folder):
    path = folder / "claims" / "progressive.yaml"
    written = yaml.safe_load(path.read_text())
    key = written["claims"][0]["key"]
    written["claims"][0]["methods"][0] = "progressiv"
    path.write_text(yaml.safe_dump(written))
    (line,) = problems(folder)
    assert line == f"paper progressive, claim {key}: unknown method 'progressiv'; did you mean 'progressive'?"


def test_a_claim_with_a_bound_that_is_no_number_is_refused(folder):
    path = folder / "claims" / "progressive.yaml"
    written = yaml.safe_load(path.read_text())
    written["claims"][0] |= {"above": float("nan")}
    path.write_text(yaml.safe_dump(written))
    with pytest.raises(PaperError, match=r"claims\.0\.above: nan is no number"):
        load_paper("progressive", folder=folder)
