"""Printed seconds against the work that they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from reports.audit.finding import Finding, Holds
from reports.audit.networks import networks
from reports.audit.sheet import COSTS, Sheet, number, where
from reports.paper.contents import Cell

APART = 10  # ours: rows of one processor whose arithmetic a second differs by more are not of one measurement
PEAK = 0.5  # ours: the share of a card's peak that a training's convolutions alone may take to be believed
PASSES = 3  # forward, and backward to inputs and to weights


def check_throughput(sheet: Sheet) -> Iterator[Finding]:
    """Work out the arithmetic a second that each row's seconds on a CPU imply, beside the fastest row's."""
    rows: dict[tuple[str, str], list[Cell]] = {}
    for cell in sheet.find(metric="seconds", device="cpu", against=""):
        if cell.method in networks():
            rows.setdefault((cell.method, cell.printed.text), []).append(cell)
    rates = {key: 2 * networks()[key[0]].macs / number(cells[0]).value / 1e9 for key, cells in rows.items()}
    for key, cells in rows.items():
        apart, fastest = max(rates.values()) / rates[key], max(rates.values())
        gmac = networks()[key[0]].macs / 1e9
        follows = (
            f"{apart:.0f} times below the fastest row on what is said to be one processor: these seconds are of other "
            "software or another machine, so no speed-up between the two can be read off the table."
        )
        yield Finding(
            f"throughput/{cells[0].table}/{key[0]}",
            where(cells),
            f"arithmetic a second of {cells[0].row.name}, {gmac:.1f} GMAC; the fastest row has {fastest:.0f} GFLOP/s",
            f"{key[1]} s",
            f"{rates[key]:.1f}",
            "GFLOP/s",
            "implausible" if apart > APART else "yes",
            follows if apart > APART else "Compare such rows with each other alone.",
        )


def check_alike(sheet: Sheet) -> Iterator[Finding]:
    """Compare the costs that one table prints of methods that register with one and the same network."""
    known = networks()
    costs = [cell for cell in sheet.cells if cell.metric in COSTS and not cell.against and cell.method in known]
    for one, other in combinations(costs, 2):
        alike = one.table == other.table and one.column == other.column and one.method != other.method
        if alike and known[one.method].parts == known[other.method].parts:
            yield _alike(one, other)


def _alike(one: Cell, other: Cell) -> Finding:
    holds = number(one).value == number(other).value
    return Finding(
        f"alike/{one.table}/{one.column.key}/{one.row.key}/{other.row.key}",
        where((one, other)),
        f"{one.column.label}: {one.row.name} has the network of {other.row.name} ({networks()[one.method].parts})",
        one.printed.text,
        other.printed.text,
        one.unit,
        "yes" if holds else "no",
        "One network, one cost."
        if holds
        else "One network has one cost: at least one of the two is not of the network that was run.",
    )


def check_training(sheet: Sheet) -> Iterator[Finding]:
    """Work out the share of the card's peak that the stated hours of training need for the student's network alone."""
    known, student = sheet.known, networks()["ldr-1"]
    hours = next((cell for cell in sheet.numbers if cell.unit == "h"), None)
    if hours is None or not {"iterations", "batch", "peak"} <= known.keys():
        return
    work = PASSES * 2 * student.macs * known["batch"].value * known["iterations"].value
    share = work / (number(hours).value * 3600) / (known["peak"].value * 1e12)
    holds: Holds = "yes" if share <= PEAK else "implausible"
    yield Finding(
        "training/hours",
        f"{hours.printed.locator}; peak: {known['peak'].locator}",
        f"share of the card's peak of {known['peak'].value:g} TFLOP/s for the student's convolutions alone "
        f"({student.macs / 1e9:.1f} GMAC, forward and backward, {known['iterations'].printed} batches of "
        f"{known['batch'].printed})",
        f"{hours.printed.text} h",
        f"{100 * share:.0f}",
        "%",
        holds,
        "The hours can be those of this training."
        if holds == "yes"
        else "Plan with more: warps, teacher and discriminator come on top of these convolutions.",
    )
