"""What the numbers of a user's pair say in plain words, above all where a registration has made things worse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.metrics import METRICS
from datasets.own.words import listed
from reports.tables.numbers import quantity
from workflows.pair.about import Number
from workflows.pair.labels import held_by

MEANT = {"labels": "labels overlap less", "landmarks": "landmarks lie further apart"}


def remarks(method: str, found: Sequence[Number], labels: tuple[Any, Any] | None) -> list[str]:
    """Return a line for each thing that a reader of a method's numbers should not miss.

    ``labels`` are the label maps of both images, as ITK has them.
    """
    return [*_worsened(method, found), *_vanished(method, found), *(_unscored(found, labels) if labels else ())]


def headline(found: Sequence[Number]) -> list[Number]:
    """Return the numbers that a table quotes: of each metric the first protocol, in its usual region."""
    quoted = {(name, next(iter(metric.protocols)), metric.region) for name, metric in METRICS.items()}
    return [each for each in found if (each.metric, each.protocol, each.region) in quoted]


def in_words(metric: str, value: float | None) -> str:
    """Return a number with its unit; a count of voxels is a whole number, and its name says of what."""
    if value is None:
        return "none"
    unit, name = METRICS[metric].unit, METRICS[metric].name
    if name.endswith(f" {unit}") and value.is_integer():
        return f"{value:,.0f}"
    return quantity(metric, value) + (unit if unit == "%" else "" if unit == "1" else f" {unit}")


def _worsened(method: str, found: Sequence[Number]) -> Iterator[str]:
    """Yield the numbers of accuracy that are worse than before registration by more than their last decimal."""
    for each in headline(found):
        metric = METRICS[each.metric]
        if not metric.ranks or each.value is None or each.before is None:
            continue
        worse = each.before - each.value if metric.higher_is_better else each.value - each.before
        if worse > 0.5 * 10**-metric.decimals:
            after, before = (in_words(each.metric, value) for value in (each.value, each.before))
            yield (
                f"{method} has made this pair worse: its {MEANT[metric.needs]} than before registration "
                f"({metric.symbol or metric.name} {after}, before: {before})"
            )


def _vanished(method: str, found: Sequence[Number]) -> Iterator[str]:
    """Yield a line where numbers are none because labels that both images have are gone once the moving is warped."""
    lost, names = set[int](), list[str]()
    for each in headline(found):
        if each.value is None and each.before is not None and METRICS[each.metric].needs == "labels":
            names.append(METRICS[each.metric].short)
            lost |= {int(one.region.removeprefix("label_")) for one in found if _is_lost(one, each)}
    if lost:
        are = "label vanished" if len(lost) == 1 else "labels vanished"
        yield f"{' and '.join(names)}: none, for {are} when {method} warped the moving image: {listed(lost)}"


def _is_lost(one: Number, mean: Number) -> bool:
    """Return whether a number is of a label that has none after registration and had one before."""
    same = (one.metric, one.protocol) == (mean.metric, mean.protocol) and one.region.startswith("label_")
    return same and one.value is None and one.before is not None


def _unscored(found: Sequence[Number], labels: tuple[Any, Any]) -> Iterator[str]:
    """Yield the labels that count for nothing: those of one image alone, and those beyond the fixed image."""
    fixed, moving = (held_by(each) for each in labels)
    if alone := fixed ^ moving:
        yield f"labels of one image alone are not scored: {listed(alone)}"
    scored = {each.region for each in found if each.metric == "dice" and each.value is not None}
    if lost := [label for label in fixed & moving if f"label_{label}" not in scored]:
        yield f"labels of the moving image beyond the fixed one are not scored: {listed(lost)}"
