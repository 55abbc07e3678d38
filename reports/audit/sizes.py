"""Printed numbers of parameters against those of the layers, for each reading of a network."""

from __future__ import annotations

import math
from collections.abc import Iterator

from reports.audit.finding import Finding
from reports.audit.networks import compose, networks
from reports.audit.sheet import Sheet, number, where, within
from reports.paper.contents import Cell

BRAINS = "lpba"
READINGS = {
    "text": ("ldr_text", "one network as the text has it"),
    "released": ("ldr", "one released network, without the stem"),
    "composed": ("2 ldr", "the released one with its stem, as Table I counts it"),
}


def check_parameters(sheet: Sheet) -> Iterator[Finding]:
    """Compare each printed number of parameters with that of the layers, rounded or cut; each of a method once."""
    printed: dict[tuple[str, str], list[Cell]] = {}
    for cell in sheet.find(metric="parameters", against=""):
        printed.setdefault((cell.method, cell.printed.text), []).append(cell)
    for (method, _), cells in printed.items():
        if method in networks():
            yield _parameters(cells, method)


def _parameters(cells: list[Cell], method: str) -> Finding:
    cell, network = cells[0], networks()[method]
    printed = number(cell)
    cut = printed.value == math.floor(network.parameters / printed.step) * printed.step
    holds = within(cell, network.parameters) or cut
    follows = "The network is the one that the size is of."
    if not holds:
        follows = "The size is another network's or a slip; networks of one topology have one size."
    elif not within(cell, network.parameters):
        follows = "Cut and not rounded, unlike the other sizes of its table."
    return Finding(
        f"parameters/{cell.table}/{method}",
        where(cells),
        f"parameters of {cell.row.name}: {network.parts}",
        cell.printed.text,
        f"{network.parameters:,}",
        "1",
        "yes" if holds else "no",
        follows,
        notable=cut and not within(cell, network.parameters),
    )


def check_brains(sheet: Sheet) -> Iterator[Finding]:
    """Compare the sizes in rows that have numbers on brains with those of the networks released for brains."""
    rows: dict[tuple[str, str], list[Cell]] = {}
    for cell in sheet.find(metric="parameters", against=""):
        here, there = networks().get(cell.method), networks(brain=True).get(cell.method)
        if here and there and here != there and _on_brains(sheet, cell):
            rows.setdefault((there.parts, cell.printed.text), []).append(cell)
    for (parts, text), cells in rows.items():
        holds = within(cells[0], size := compose(parts).parameters)
        yield Finding(
            f"brain-parameters/{cells[0].table}/{cells[0].row.key}",
            where(cells),
            f"parameters of {cells[0].row.name} on brains, as released: {parts}",
            text,
            f"{size:,}",
            "1",
            "yes" if holds else "no",
            "The size is that of both networks."
            if holds
            else "The row's size is that of its CT network; the one that the brain numbers are of is larger.",
        )


def _on_brains(sheet: Sheet, cell: Cell) -> bool:
    return bool([each for each in sheet.find(table=cell.table, row=cell.row) if BRAINS in each.datasets])


def check_student(sheet: Sheet) -> Iterator[Finding]:
    """Work the ratio of parameters between VTN's dense network and the student out for each reading of the student."""
    for cell in sheet.find(metric="parameters", statistic="ratio", method="vtn-aldk")[:1]:
        for name, (parts, words) in READINGS.items():
            times = compose("vtn").parameters / compose(parts).parameters
            holds = within(cell, times, number(cell).value / 2)
            follows = (
                "This reading gives it." if holds else f"This reading gives {times:.0f} times; do not quote the text."
            )
            yield Finding(
                f"student/{name}",
                cell.printed.locator,
                f"VTN's dense network has so many times the parameters of the student: {words}",
                cell.printed.text,
                f"{times:.1f}",
                "1",
                "yes" if holds else "no",
                follows,
            )
