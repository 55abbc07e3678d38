"""A file with the weights of a network: which network that is, and what it has learned from, as far as it is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.provenance import is_own, placeless
from benchmarks.records import Learned, TrainingOutcome, read
from datasets.files import DataError, one_line, sha256
from workflows.pair.rule import Seen, are_axes
from workflows.planning.layout import TrainingFolder

ABOUT = "about"  # the key of a checkpoint's metadata
ABOVE = 4  # folders above the weights in which the outcome of their training may lie


@dataclass(frozen=True)
class Recorded:
    """What weights say of themselves: the network's options, ``shrink`` in training, the images they learned from.

    None stands for what they do not say, as does a false ``phantom``: whether these images were drawn.
    """

    params: Mapping[str, object] = field(default_factory=dict[str, object])
    shrink: int | None = None
    seen: Seen | None = None
    phantom: bool = False


@dataclass(frozen=True)
class _Grid:
    spacing: tuple[float, float, float]
    orientation: str = ""
    phantom: bool = False
    levels: tuple[float, float] | None = None

    @property
    def is_sound(self) -> bool:
        """Whether there are such voxels and such axes; anyone may write anything into a file."""
        sizes = all(math.isfinite(size) and size > 0 for size in self.spacing)
        scale = self.levels is None or 0 <= self.levels[0] < self.levels[1] <= 1
        return sizes and scale and (not self.orientation or are_axes(self.orientation))


@dataclass(frozen=True)
class _Options:
    shrink: int | None = None


@dataclass(frozen=True)
class _Run:
    params: _Options = field(default_factory=_Options)
    grid: _Grid | None = None


@dataclass(frozen=True)
class _About:
    """A checkpoint's metadata, as far as they are read here."""

    method: str = ""
    params: Mapping[str, object] = field(default_factory=dict[str, object])
    run: _Run = field(default_factory=_Run)


def recorded(weights: Path, module: str) -> Recorded:
    """Return what a file of weights records; raise `DataError` for none of such weights, or of another network."""
    about = _metadata(weights)
    trained_by = about.method or ("" if is_own(module) else "nothing of this project")
    if trained_by and trained_by not in (Path(module).stem, module.removeprefix("methods.")):
        raise DataError(f"--weights: {weights}: of {trained_by}, while the method is of {placeless(module)}")
    shrink, grid = about.run.params.shrink, about.run.grid
    seen = Seen(grid.spacing, grid.orientation, shrink or 1, grid.levels) if grid and grid.is_sound else None
    return Recorded(about.params, shrink, seen, phantom=bool(grid and grid.phantom))


def _metadata(weights: Path) -> _About:
    if not weights.is_file():
        raise DataError(f"--weights: {weights}: {'is a folder; name a file' if weights.is_dir() else 'no such file'}")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "np") as file:
            text = (file.metadata() or {}).get(ABOUT, "{}")
        return msgspec.json.decode(text, type=_About)
    except msgspec.ValidationError:  # of somebody else's making
        return _About()
    except (SafetensorError, ValueError, OSError) as error:
        raise DataError(f"--weights: {weights}: not a safetensors file ({one_line(error)})") from error


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


def warning_of(method: str, learned: Learned | None, *, phantom: bool = False) -> str:
    """Return a warning for weights that know nothing of real images; empty for others.

    Where no outcome of a training lies beside them, ``phantom`` is what they record themselves.
    """
    if learned is None:
        alone = f"the weights of {method} have learned from phantoms: they know nothing of real images"
        return alone if phantom else ""
    if not learned.phantom:
        return ""
    at = f", at a {learned.shrink}th of the resolution along each axis" if learned.shrink > 2 else ""
    at = ", at half the resolution" if learned.shrink == 2 else at
    return (
        f"the weights of {method} have learned from {learned.cases} phantoms in {learned.iterations} iterations{at}: "
        "they register phantoms, and know nothing of real images"
    )
