"""The options that a configuration gives to a method or a data set, checked against the fields of its dataclasses."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.records import Options
from workflows.configuration import annotations, sources
from workflows.configuration.config import SettingsError, nearest

# Options that count or scale something of which there must be some.
NEVER_ZERO = frozenset({
    "batch", "cascades", "channels", "checkpoint_every", "iterations", "learning_rate", "levels", "processes",
    "repeat", "resolutions", "samples", "shrink", "snapshot_every", "step",
})  # fmt: skip
SIGNED = frozenset({"window"})  # options of numbers that may be below 0, such as Hounsfield units
MOST_VOXELS = 2**33  # 32 GiB for one image


def check_options(given: Options, known: Mapping[str, sources.Option], where: str, *, whole: bool = False) -> None:
    """Refuse options that are unknown or do not fit, and, where ``given`` is the ``whole``, one that has to be given.

    Options of methods all have defaults (`own_methods`).
    """
    check_known(given, known, where, "option")
    for name, option in known.items():
        if whole and option.default is ... and name not in given:
            wanted = annotations.in_words(option.annotation)
            raise SettingsError(f"configuration, {where}.{name}: missing, and it has no default; write {wanted}")
    for name, value in given.items():
        _check_range(name, value, known[name].default, f"{where}.{name}")
        expected, fields = known[name].annotation, known[name].fields
        if fields is not None and value is not None:
            if not isinstance(value, Mapping):
                raise SettingsError(f"configuration, {where}.{name}: expected keys and values, got {shown(value)}")
            check_options(value, fields, f"{where}.{name}", whole=whole)
        elif not annotations.accepts(expected, value):
            wanted = annotations.in_words(expected)
            raise SettingsError(
                f"configuration, {where}.{name}: expected {wanted}{_example(known[name].default)}, "
                f"got {shown(value)}{number_hint(value)}"
            )


def _example(default: Any) -> str:
    """Return a default that is a list as an example of the form, empty where it is none."""
    shown_so = json.dumps(default, separators=(",", ":")) if isinstance(default, (list, tuple)) and default else ""
    return f" such as {shown_so}" if shown_so else ""


def _check_range(name: str, value: Any, default: Any, where: str) -> None:
    """Refuse numbers that no option can mean: a list without any, one below zero, none of what there must be some."""
    several = isinstance(value, list)
    numbers = [each for each in (value if several else [value]) if isinstance(each, (int, float))]
    if several and not value and default != []:
        raise SettingsError(f"configuration, {where}: the list is empty; leave the option out to have its default")
    below = name in SIGNED or (isinstance(default, (int, float)) and default < 0)
    if any(each < 0 for each in numbers) and not below:
        raise SettingsError(f"configuration, {where}: expected no number below 0, got {shown(value)}")
    if name == "shape" and several and math.prod(numbers) > MOST_VOXELS:
        raise SettingsError(f"configuration, {where}: {shown(value)} voxels are more than a machine holds; write less")
    if name in NEVER_ZERO and value is not False and numbers and not any(numbers):
        raise SettingsError(f"configuration, {where}: expected a number above 0, got {shown(value)}")


def check_known(names: Iterable[str], known: Iterable[str], where: str, what: str) -> None:
    """Refuse a name that is none of the known, with the nearest of these."""
    for name in names:
        if name not in known:
            raise SettingsError(f"configuration, {where}: unknown {what} {name!r}; {nearest(name, known)}")


def shown(value: Any) -> str:
    """Return a value as a configuration has it, cut where it is long."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def number_hint(value: Any) -> str:
    """Return a hint where YAML has read a number as text, as it does with 1e-3."""
    try:
        return f" (YAML reads {value} as text: write {float(value)!r})" if isinstance(value, str) else ""
    except ValueError:
        return ""
