"""How far a reader walks from a printed cell's line in the CSV to its row in the ledger: modules and names."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from reports.paper import ledger
from reports.paper.cast import PaperRun
from reports.paper.layout import load_paper
from reports.paper.ledger import judge, ledger_frame
from tests.reports.paper.paper_inputs import dice_rows, make_run, size_rows, timing, write_paper

ROOT = Path(ledger.__file__).parents[2]
ROWS = [
    *dice_rows("shells", "syn", [0.69, 0.70, 0.72]),
    *dice_rows("shells", "net", [0.90, 0.92, None]),
    *size_rows("shells", "net", 40_000, 561_318),
]
# From cold: reading the paper, indexing the run, working out who plays whom, and checking what was as in the paper are
# all counted; aim: 6.
MODULES = 13


class Walk:
    """Records the project's modules that are entered, and the texts that each of its functions returns."""

    def __init__(self):
        self.modules, self.names = set(), Counter()

    def __call__(self, frame, event, result):
        path = Path(frame.f_code.co_filename)
        if ROOT in path.parents and "tests" not in path.relative_to(ROOT).parts and ".venv" not in path.parts:
            name = str(path.relative_to(ROOT))
            if name.startswith("reports/claims/"):  # a paper's claims are read beside its cells
                return
            self.modules.add("benchmarks/statistics" if name.startswith("benchmarks/statistics/") else name)  # one door
            if event == "return" and isinstance(result, str) and result:
                self.names[frame.f_code.co_qualname, result] += 1

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)


@pytest.fixture(scope="module")
def paper_run(tmp_path_factory):
    times = timing("syn", [9.0, 9.5, 11.0], dataset="shells")
    return make_run(tmp_path_factory.mktemp("walk"), ROWS, plays={"one": "shells"}, timing=times)


@pytest.fixture(scope="module")
def building(tmp_path_factory):
    """The walk from the files of a paper to its cells."""
    folder = write_paper(tmp_path_factory.mktemp("papers"))
    with Walk() as walked:
        load_paper("toy", folder=folder)
    return walked


@pytest.mark.parametrize(("row", "column"), [
    ("plain", "one_dice"), ("taught", "one_dice"), ("taught", "one_dice_gain"), ("taught", "params"), ("plain", "cpu"),
    ("plain", "two_dice"), ("taught", "gpu"),
])  # fmt: skip
def test_a_cell_passes_few_modules_and_no_name_is_made_twice(paper_run, building, row, column):
    cells = [cell for cell in paper_run.paper.cells if (cell.row.key, cell.column.key) == (row, column)]
    one = PaperRun(replace(paper_run.paper, cells=cells), replace(paper_run.run), paper_run.cast)  # nothing read yet
    with Walk() as judging:
        found = ledger_frame(judge(one))
    assert len(found) == 1
    modules = sorted(building.modules | judging.modules)
    print(f"{row}, {column}: {len(modules)} modules: {', '.join(modules)}")
    assert len(modules) <= MODULES
    assert [name for name, times in (building.names + judging.names).items() if times > 1] == []
