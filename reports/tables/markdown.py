"""Tables as Markdown, for readers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reports.tables.table import Group, Head, Table, Text


def markdown(tables: Iterable[Table]) -> str:
    """Return tables as Markdown, each below its caption and above its notes."""
    return "\n".join(_table(table) for table in tables)


def escape(text: str) -> str:
    """Return text that a Markdown table cell prints as it stands."""
    flat = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", flat)


def _table(table: Table) -> str:
    heads = [_head(head) for head in table.heads]
    lines = [f"**{escape(table.caption)}**", "", _bar(heads)]
    lines.append(_bar("---:" if head.number else ":---" for head in table.heads))
    lines += [_bar(_cell(cell) for cell in row) for row in table.rows]
    for note in table.notes:
        lines += ["", escape(note)]
    return "\n".join(lines) + "\n"


def _head(head: Head) -> str:
    group = head.group or Group("")
    lines = [f"{group.title} {head.title}".strip(), head.detail, group.detail]
    return "<br>".join(escape(line) for line in lines if line)


def _cell(cell: Text) -> str:
    text = escape(cell.text)
    printed = f" ({escape(cell.printed)})" if cell.printed else ""
    return (f"**{text}**" if cell.best else text) + printed


def _bar(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
