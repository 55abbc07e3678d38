"""Rows and timed calls of two methods, and what the ledger has in one cell."""

import pandas as pd

from reports.paper.ledger import judge
from tests.reports.paper.paper_inputs import dice_rows, timing

BOTH = dice_rows("one", "syn", [0.69, 0.70, 0.71]) + dice_rows("one", "net", [0.90, 0.91, 0.92])
TIMES = pd.concat([timing("syn", [9.0, 9.5, 11.0]), timing("net", [0.5, 0.7, 0.8])])


def cell(paper_run, row, column):
    return next(each for each in judge(paper_run) if (each.cell.row.key, each.cell.column.key) == (row, column))
