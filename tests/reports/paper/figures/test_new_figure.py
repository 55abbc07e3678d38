"""A new figure is one file: its name is the kind, its `Options` are what an entry of the paper's YAML says to it."""

import sys

import pytest

from reports.paper import draw, figures
from reports.paper.draw import draw_figures, kinds
from reports.paper.printed import PaperError
from tests.reports.paper.paper_inputs import layout, make_run
from workflows.planning.code import files_of

THROWAWAY = '''
"""A bar for every method."""

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Options:
    methods: tuple[str, ...]
    height: float = 2.0


def draw(paper_run, options):
    figure = Figure()
    figure.subplots().bar(options.methods, options.height)
    return figure, f"Bars of {len(options.methods)} methods in {paper_run.paper.title}."
'''
ENTRY = {"number": 3, "kind": "throwaway_bars", "caption": "Bars.", "methods": ["syn", "net"]}


@pytest.fixture
def one_file(tmp_path, monkeypatch):
    """A folder of figures with one more file in it."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "throwaway_bars.py").write_text(THROWAWAY)
    monkeypatch.setattr(figures, "__path__", [str(tmp_path / "figures"), *figures.__path__])
    yield
    sys.modules.pop(f"{draw.LOADS}.throwaway_bars", None)


def test_one_file_is_a_figure(tmp_path, one_file):
    paper_run = make_run(tmp_path, [], plays={}, layout={**layout(), "figures": [ENTRY]})
    ((number, caption, path, why_not),) = draw_figures(paper_run, tmp_path / "drawn")
    assert (number, caption, why_not) == (3, "Bars. Bars of 2 methods in A <toy> paper.", "")
    assert path.with_name("toy-fig3.svg").exists()


@pytest.mark.parametrize(("entry", "message"), [
    ({"height": "tall"}, "Expected `float`, got `str` - at `$.height`"),
    ({"colour": "red"}, "kind throwaway_bars knows no colour, only methods, height"),
    ({"methods": []}, "kind throwaway_bars needs methods"),
])  # fmt: skip
def test_options_are_checked_in_one_line(tmp_path, one_file, entry, message):
    paper_run = make_run(tmp_path, [], plays={}, layout={**layout(), "figures": [{**ENTRY, **entry}]})
    with pytest.raises(PaperError) as error:
        draw_figures(paper_run, tmp_path / "drawn")
    assert str(error.value) == f"toy: figure 3: {message}"


def test_the_report_depends_on_every_figure():
    known = files_of("workflows.archive.report")
    assert {f"reports/paper/figures/{kind}.py" for kind in kinds()} <= set(known)
    assert "reports/drawing/level_sketch.py" in known  # which a figure alone imports
