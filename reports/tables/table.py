"""A table as data, and its three texts: CSV for machines, Markdown for readers, LaTeX (booktabs, graphicx) for papers.

The texts depend on nothing but their input: no time stamp, no locale, no hash order.
"""

from __future__ import annotations

import csv
import io
import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pandas as pd

from benchmarks.metrics import METRICS

MINUS = "\N{MINUS SIGN}"
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    MINUS: "$-$", "\N{EN DASH}": "--", "—": "---", "†": r"\textdagger{}", "·": r"$\cdot$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "…": r"\ldots{}", "µ": r"$\mu$", "≤": r"$\leq$", "≥": r"$\geq$",
    "\u202f": r"\,", "δ": r"$\delta$", "Δ": r"$\Delta$", "∘": r"$\circ$",
    "“": "``", "”": "''", "\N{RIGHT SINGLE QUOTATION MARK}": "'", "[": "{[}", "]": "{]}",
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One entry: its text, whether it is the best of its column, whether it says that there is no number, and what a
    paper prints in its place.
    """

    text: str
    best: bool = False
    muted: bool = False
    printed: str = ""


@dataclass(frozen=True)
class Group:
    """A head above several columns: a title and a line below it."""

    title: str
    detail: str = ""


@dataclass(frozen=True)
class Head:
    """A column head: a short title, the protocol and unit below it, a width for long text (LaTeX, such as 7cm), and the
    group that it shares with its neighbours.
    """

    title: str
    detail: str = ""
    width: str = ""
    number: bool = True
    group: Group | None = None


@dataclass(frozen=True)
class Table:
    """A table that can stand alone: its caption says what it is, its notes what the marks mean."""

    caption: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()

    def groups(self) -> list[tuple[Group | None, int]]:
        """Each group with the number of columns below it, in order; None for columns without one."""
        return [(group, len(list(heads))) for group, heads in groupby(self.heads, key=lambda head: head.group)]


NOTHING = Cell("—", muted=True)


def number(value: float, decimals: int) -> str:
    """``value`` with a fixed number of decimals, a true minus sign, and never a negative zero."""
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def quantity(metric: str, value: float) -> str:
    """A metric's value as text, with its decimals, and no more significant digits than it says."""
    decimals, digits = METRICS[metric].decimals, METRICS[metric].digits
    if digits and value > 0:
        decimals = min(decimals, max(0, digits - 1 - math.floor(math.log10(value))))
    return number(value, decimals)


def exact(value: float) -> str:
    """``value`` for machines: ten significant digits, whole numbers without a point, empty for NaN."""
    return "" if math.isnan(value) else f"{value:.10g}"


def direction(higher_is_better: bool) -> str:
    return "↑" if higher_is_better else "↓"


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV: floats with six decimals, missing values empty, booleans true and false, lines end in LF."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows([_plain(value) for value in row] for row in frame.itertuples(index=False, name=None))
    return stream.getvalue()


def markdown(tables: Iterable[Table]) -> str:
    return "\n".join(_markdown(table) for table in tables)


def latex(tables: Iterable[Table]) -> str:
    """Tables as LaTeX floats; the document needs ``booktabs`` and ``graphicx`` only."""
    return "\n".join(_latex(table) for table in tables)


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands; control characters and line ends become spaces."""
    flat = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
    return "".join(_LATEX.get(character, character) for character in flat)


def markdown_escape(text: str) -> str:
    """Text that a Markdown table cell prints as it stands."""
    flat = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", flat)


def write_tables(folder: Path, name: str, frame: pd.DataFrame, tables: Sequence[Table]) -> None:
    """Write ``<name>.csv`` from a tidy frame, and ``<name>.md`` and ``<name>.tex`` from tables."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{name}.csv", csv_text(frame))
    write_text(folder / f"{name}.md", markdown(tables))
    write_text(folder / f"{name}.tex", latex(tables))


def write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _plain(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _markdown(table: Table) -> str:
    heads = [_markdown_head(head) for head in table.heads]
    lines = [f"**{markdown_escape(table.caption)}**", "", _bar(heads)]
    lines.append(_bar("---:" if head.number else ":---" for head in table.heads))
    lines += [_bar(_markdown_cell(cell) for cell in row) for row in table.rows]
    for note in table.notes:
        lines += ["", markdown_escape(note)]
    return "\n".join(lines) + "\n"


def _markdown_head(head: Head) -> str:
    group = head.group or Group("")
    lines = [f"{group.title} {head.title}".strip(), head.detail, group.detail]
    return "<br>".join(markdown_escape(line) for line in lines if line)


def _markdown_cell(cell: Cell) -> str:
    text = markdown_escape(cell.text)
    printed = f" ({markdown_escape(cell.printed)})" if cell.printed else ""
    return (f"**{text}**" if cell.best else text) + printed


def _bar(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _latex(table: Table) -> str:
    columns = "".join(f"p{{{head.width}}}" if head.width else "r" if head.number else "l" for head in table.heads)
    lines = [r"\begin{table}[htbp]", r"\centering", rf"\caption{{{latex_escape(table.caption)}}}"]
    if sum(any(cell.printed for cell in row) for row in table.rows) > 12:
        lines.append(r"\renewcommand{\arraystretch}{0.7}")  # two lines a row have to fit a page
    lines.append(r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%")
    lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *_latex_groups(table)]
    lines.append(_latex_row(latex_escape(head.title) for head in table.heads))
    if any(head.detail for head in table.heads):
        lines.append(_latex_row(rf"{{\footnotesize {latex_escape(head.detail)}}}" for head in table.heads))
    lines += [r"\midrule", *(line for row in table.rows for line in _latex_rows(row))]
    lines += [r"\bottomrule", r"\end{tabular}}"]
    size = r"\footnotesize" if sum(map(len, table.notes)) < 1500 else r"\scriptsize"
    lines += [r"\raggedright"] if table.notes else []
    lines += [rf"\par\smallskip{size} {latex_escape(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _latex_groups(table: Table) -> list[str]:
    """The row of groups, each with a rule below it; nothing where a table has none."""
    if not any(head.group for head in table.heads):
        return []
    cells, rules, column = [], [], 1
    for group, width in table.groups():
        if group is None:
            cells += [""] * width
        else:
            stack = [rf"\footnotesize {latex_escape(line)}" for line in textwrap.wrap(group.detail, 12 * width)]
            text = r" \\ ".join([latex_escape(group.title), *stack])
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{\shortstack{{{text}}}}}")
            rules.append(rf"\cmidrule(lr){{{column}-{column + width - 1}}}")
        column += width
    return [_latex_row(cells), "".join(rules)]


def _latex_rows(row: Sequence[Cell]) -> list[str]:
    """A row, and below it what a paper prints in its place."""
    lines = [_latex_row(_latex_cell(cell) for cell in row)]
    if any(cell.printed for cell in row):
        printed = (rf"{{\footnotesize({latex_escape(cell.printed)})}}" if cell.printed else "" for cell in row)
        lines += [_latex_row(printed), r"\addlinespace[2pt]"]
    return lines


def _latex_cell(cell: Cell) -> str:
    text = latex_escape(cell.text)
    return rf"\textbf{{{text}}}" if cell.best else text


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
