"""A bar of progress on a terminal, where tqdm is installed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def progress(items: Sequence[T], title: str = "", *, unit: str = "it", show: bool = True, done: int = 0) -> Iterable[T]:
    """Return the items, and show on a terminal how many of them have been taken.

    Args:
        items: to be gone through.
        title: stands before the bar.
        unit: of the items.
        show: False draws nothing.
        done: how many were taken before, in a run that this one goes on with.
    """
    try:
        from tqdm import tqdm
    except ImportError:  # `make gpu` runs on machines that have little more than torch
        return items
    total = done + len(items)
    return tqdm(items, desc=title or None, unit=unit, initial=done, total=total, disable=None if show else True)
