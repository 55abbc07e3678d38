"""Numbers of scans, pairs and landmarks that a text states, against each other and against its tables."""

from __future__ import annotations

import math
from collections.abc import Iterator

from reports.audit.finding import Finding
from reports.audit.sheet import Known, Sheet, number, where

ORDERED = ("sliver", "lits")  # data sets of which every scan is registered to every other one
PARTS = ("msd_liver", "msd_vessels", "msd_pancreas", "bfh")


def check_pairs(sheet: Sheet) -> Iterator[Finding]:
    """Work the stated numbers of pairs out of the stated numbers of scans."""
    known = sheet.known
    for name in ORDERED:
        if (scans := known.get(f"{name}_scans")) and (pairs := known.get(f"{name}_pairs")):
            title = sheet.paper.datasets[name].title
            words = f"ordered pairs of two distinct ones of the {scans.value:g} scans of {title}"
            yield _stated(
                f"pairs/{name}", pairs, words, scans.value * (scans.value - 1), "Not the pairs of these scans."
            )
    if (scans := known.get("lspig_scans")) and (pairs := known.get("lspig_pairs")):
        yield _stated("pairs/lspig", pairs, "both directions within each pig", scans.value, "Not both directions.")
    if (listed := known.get("released_sliver_scans")) and (pairs := known.get("sliver_pairs")):
        words = f"ordered pairs of the {listed.value:g} scans in the {listed.locator}"
        follows = (
            "Either one scan is missing in the release or the count is of the whole set: 342 pairs are what can be run."
        )
        yield _stated("pairs/sliver-released", pairs, words, listed.value * (listed.value - 1), follows)


def check_training_set(sheet: Sheet) -> Iterator[Finding]:
    """Work the stated number of training scans and of their pairs out of their parts."""
    known = sheet.known
    if not {*PARTS, "training_scans", "training_pairs"} <= known.keys():
        return
    parts, scans = [known[name] for name in PARTS], known["training_scans"]
    words = " + ".join(part.printed for part in parts)
    yield _stated("training/scans", scans, words, sum(part.value for part in parts), "The list has another sum.")
    distinct = scans.value * (scans.value - 1)
    follows = "The square counts every scan with itself; the released code draws ordered pairs of distinct scans."
    yield _stated("training/pairs", known["training_pairs"], "ordered pairs of two distinct scans", distinct, follows)


def check_rows(sheet: Sheet) -> Iterator[Finding]:
    """Count the pairs and landmarks of each data set in the table, and compare with what the text states of it."""
    landmarks = [cell for cell in sheet.find(region="count", statistic="sum") if cell.pair is not None]
    for name in sheet.paper.datasets:
        rows = [cell for cell in landmarks if cell.datasets == (name,)]
        pairs, each = sheet.known.get(f"{name}_pairs"), sheet.known.get(f"{name}_landmarks")
        if rows and pairs and each:
            follows = f"The totals need the {len(rows)} rows of the table; the text's number is a slip."
            yield _stated(f"rows/{name}", pairs, f"rows of {where(rows[:1])} and its neighbours", len(rows), follows)
            total, stated = sum(number(row).value for row in rows), pairs.value * each.value
            at = Known(f"{pairs.printed} x {each.printed}", stated, "landmarks", each.locator)
            yield _stated(f"landmarks/{name}", at, f"landmarks of the table's {len(rows)} rows", total, follows)
    if landmarks and (patients := sheet.known.get("patients")):
        yield _stated(
            "rows/all", patients, "pairs of the table, one a patient", len(landmarks), "Another number of rows."
        )


def check_extremes(sheet: Sheet) -> Iterator[Finding]:
    """Find the pair with the least and the one with the greatest misregistration before any registration."""
    before = [cell for cell in sheet.find(method="identity", metric="tre", statistic="mean") if cell.pair is not None]
    before = [cell for cell in before if cell.datasets == ("dirlab",)]
    for name, pick in (("lowest", min), ("highest", max)):
        if before and (stated := sheet.known.get(f"{name}_pair")):
            found = pick(before, key=lambda cell: number(cell).value)
            words = f"pair with the {name} mean error before registration, {found.printed.text} mm"
            follows = "The picture is of the pair that is numbered, not of the one that the words name."
            yield _stated(f"extremes/{name}", stated, words, found.pair or 0, follows)


def check_best_conventional(sheet: Sheet) -> Iterator[Finding]:
    """Compare what the text says of the best conventional methods with the lowest error of the methods it quotes."""
    quoted = [cell for cell in sheet.find(metric="tre", statistic="mean", method="") if not cell.column.sd_of]
    stated = [cell for cell in quoted if cell.row.key.startswith("conventional")]
    rows = [cell for cell in quoted if cell not in stated]
    for cell in stated if rows else []:
        best = min(rows, key=lambda row: number(row).value)
        step = number(cell).step
        holds = abs(number(best).value - number(cell).value) <= step / 2
        follows = (
            "The text is the table's best."
            if holds
            else f"The table's best is {best.printed.text} {best.unit}; quote the table."
        )
        parts = (where((cell, best)), f"lowest error of the methods quoted: {best.row.name}")
        shown = (cell.printed.text, best.printed.text, cell.unit)
        yield Finding(f"quoted/{cell.row.key}", *parts, *shown, "yes" if holds else "no", follows)


def _stated(key: str, stated: Known, words: str, value: float, follows: str) -> Finding:
    holds = math.isclose(stated.value, value)
    texts = (stated.locator, words, stated.printed, f"{value:,.0f}", stated.unit)
    return Finding(key, *texts, "yes" if holds else "no", "The text agrees with it." if holds else follows)
