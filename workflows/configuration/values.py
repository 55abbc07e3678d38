"""Values that a configuration gives to options: which of them none can mean, and how a message shows one."""

from __future__ import annotations

import json
import math
from typing import Any

# Options that count or scale something of which there must be some.
NEVER_ZERO = frozenset({
    "batch", "cascades", "channels", "checkpoint_every", "iterations", "learning_rate", "levels", "processes",
    "repeat", "resolutions", "samples", "shrink", "snapshot_every", "step",
})  # fmt: skip
SIGNED = frozenset({"window"})  # options of numbers that may be below 0, such as Hounsfield units
MOST_VOXELS = 2**33  # 32 GiB for one image


def range_fault(name: str, value: Any, default: Any) -> str:
    """Return why no option can mean such numbers: a list without any, one below zero, none of what there must be some.

    Empty where nothing is wrong.
    """
    several = isinstance(value, list)
    numbers = [each for each in (value if several else [value]) if isinstance(each, (int, float))]
    if several and not value and default != []:
        return "the list is empty; leave the option out to have its default"
    below = name in SIGNED or (isinstance(default, (int, float)) and default < 0)
    if any(each < 0 for each in numbers) and not below:
        return f"expected no number below 0, got {shown(value)}"
    if name == "shape" and several and math.prod(numbers) > MOST_VOXELS:
        return f"{shown(value)} voxels are more than a machine holds; write less"
    if name in NEVER_ZERO and value is not False and numbers and not any(numbers):
        return f"expected a number above 0, got {shown(value)}"
    return ""


def example(default: Any) -> str:
    """Return a default that is a list as an example of the form, empty where it is none."""
    shown_so = json.dumps(default, separators=(",", ":")) if isinstance(default, (list, tuple)) and default else ""
    return f" such as {shown_so}" if shown_so else ""


def shown(value: Any) -> str:
    """Return a value as a configuration has it, cut where it is long."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def number_hint(value: Any) -> str:
    """Return a hint where YAML has read a number as text, as it does with 1e-3."""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return ""
    return f" (YAML reads {value} as text: write {number!r})" if math.isfinite(number) else ""
