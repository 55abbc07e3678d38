"""A file with the weights of a network: which network that is, and what it has learned from, as far as it is known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.provenance import is_own, placeless
from benchmarks.records import Learned, TrainingOutcome, read
from datasets.files import DataError, one_line, sha256
from workflows.pair.rule import Seen
from workflows.planning.layout import TrainingFolder

ABOUT = "about"  # the key of a checkpoint's metadata
ABOVE = 4  # folders above the weights in which the outcome of their training may lie


@dataclass(frozen=True)
class Recorded:
    """What weights say of themselves: the network's options, ``shrink`` in training, the images they learned from.

    None stands for what they do not say.
    """

    params: Mapping[str, object] = field(default_factory=dict[str, object])
    shrink: int | None = None
    seen: Seen | None = None


def recorded(weights: Path, module: str) -> Recorded:
    """Return what a file of weights records; raise `DataError` for none of such weights, or of another network."""
    about = _metadata(weights)
    trained_by = about.get("method", "" if is_own(module) else "nothing of this project")
    if trained_by and trained_by not in (Path(module).stem, module.removeprefix("methods.")):
        raise DataError(f"--weights: {weights}: of {trained_by}, while the method is of {placeless(module)}")
    run = about.get("run") or {}
    shrink = (run.get("params") or {}).get("shrink")
    return Recorded(about.get("params") or {}, shrink, _seen(run.get("grid") or {}, shrink or 1))


def _metadata(weights: Path) -> Mapping[str, Any]:
    if not weights.is_file():
        raise DataError(f"--weights: {weights}: no such file")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "np") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
    except (SafetensorError, ValueError, OSError) as error:
        raise DataError(f"--weights: {weights}: not a safetensors file ({one_line(error)})") from error
    return about if isinstance(about, dict) else {}


def _seen(grid: Mapping[str, Any], shrink: int) -> Seen | None:
    """Return the images that weights learned from; None where what they record is no grid."""
    try:
        first, second, third = map(float, grid.get("spacing", ()))
    except (TypeError, ValueError):
        return None
    sound = all(math.isfinite(size) and size > 0 for size in (first, second, third))
    return Seen((first, second, third), str(grid.get("orientation", "")), shrink) if sound else None


def learned_by(weights: Path) -> Learned | None:
    """Return what a run says that weights have learned from, where they still lie where it left them."""
    digest = ""
    for folder in list(weights.resolve().parents)[:ABOVE]:
        path = TrainingFolder(folder).outcome
        if not path.is_file():
            continue
        try:
            outcome = read(path, TrainingOutcome)
        except DataError:
            continue
        digest = digest or sha256(weights)
        if outcome.sha256 == digest:
            return outcome.learned
    return None


def warning_of(method: str, learned: Learned) -> str:
    """Return a warning for weights that know nothing of real images; empty for others."""
    if not learned.phantom:
        return ""
    at = f", at a {learned.shrink}th of the resolution along each axis" if learned.shrink > 2 else ""
    at = ", at half the resolution" if learned.shrink == 2 else at
    return (
        f"the weights of {method} have learned from {learned.cases} phantoms in {learned.iterations} iterations{at}: "
        "they register phantoms, and know nothing of real images"
    )
