"""Tables as LaTeX floats."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from reports.tables.letters import COMMAND, DEFINITION, escape
from reports.tables.table import Table, Text

# The first line of a file: what the preamble of a document that inputs it has to have.
PREAMBLE = r"\usepackage{booktabs,graphicx}"

# A table with long notes shrinks to the height of a page; floats that are higher would be cut off at its foot.
OPEN = (
    r"\resizebox*{!}{\ifdim\totalheight>0.98\textheight 0.98\textheight\else\totalheight\fi}{%",
    r"\begin{minipage}{\linewidth}",
)
CLOSE = r"\end{minipage}}"


def latex(tables: Iterable[Table]) -> str:
    """Return tables as LaTeX floats, behind a comment with the packages and the definition of what they need beside."""
    text = "\n".join(_table(table) for table in tables)
    return "\n".join([f"% needs {PREAMBLE}", *([DEFINITION] if COMMAND in text else []), text])


def _table(table: Table) -> str:
    columns = "".join(f"p{{{head.width}}}" if head.width else "r" if head.number else "l" for head in table.heads)
    lines = [r"\begin{table}[htbp]", *OPEN, r"\centering", rf"\caption{{{escape(table.caption)}}}"]
    if sum(any(cell.printed for cell in row) for row in table.rows) > 12:
        lines.append(r"\renewcommand{\arraystretch}{0.7}")  # two lines a row have to fit a page
    lines.append(r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%")
    lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *_groups(table)]
    lines.append(_row(escape(head.title) for head in table.heads))
    if any(head.detail for head in table.heads):
        lines.append(_row(rf"{{\footnotesize {escape(head.detail)}}}" for head in table.heads))
    lines += [r"\midrule", *(line for row in table.rows for line in _rows(row))]
    lines += [r"\bottomrule", r"\end{tabular}}"]
    size = r"\footnotesize" if sum(map(len, table.notes)) < 1500 else r"\scriptsize"
    lines += [r"\raggedright"] if table.notes else []
    lines += [rf"\par\smallskip{size} {escape(note)}" for note in table.notes]
    return "\n".join([*lines, CLOSE, r"\end{table}"]) + "\n"


def _groups(table: Table) -> list[str]:
    """Return the row of groups, each with a rule below it; nothing where a table has none."""
    if not any(head.group for head in table.heads):
        return []
    cells, rules, column = [], [], 1
    for group, width in table.groups():
        if group is None:
            cells += [""] * width
        else:
            stack = [rf"\footnotesize {escape(line)}" for line in textwrap.wrap(group.detail, 12 * width)]
            text = r" \\ ".join([escape(group.title), *stack])
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{\shortstack{{{text}}}}}")
            rules.append(rf"\cmidrule(lr){{{column}-{column + width - 1}}}")
        column += width
    return [_row(cells), "".join(rules)]


def _rows(row: Sequence[Text]) -> list[str]:
    """Return a row, and below it the numbers that a paper prints in its place."""
    lines = [_row(_cell(cell) for cell in row)]
    if any(cell.printed for cell in row):
        printed = (rf"{{\footnotesize({escape(cell.printed)})}}" if cell.printed else "" for cell in row)
        lines += [_row(printed), r"\addlinespace[2pt]"]
    return lines


def _cell(cell: Text) -> str:
    text = escape(cell.text)
    return rf"\textbf{{{text}}}" if cell.best else text


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
