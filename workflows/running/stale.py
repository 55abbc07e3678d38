"""Data sets whose original files have changed since they were prepared, so that a run prepares them anew."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from datasets.description import DATASET_JSON
from datasets.files import DataError, one_line, replacing
from datasets.found import is_wanted, list_names
from datasets.originals import Originals, Search, Stamp, complete, located, stamp, stored


@dataclass
class Comparison:
    """Original files today: the first that is another than it was, those that are gone, and the states of the rest."""

    changed: str = ""
    gone: list[str] = field(default_factory=list)
    files: dict[str, Stamp] = field(default_factory=dict)


def record_of(folder: Path) -> Path:
    """Return the file that keeps what a data set was prepared from: beside its folder, whose content comes and goes."""
    return folder.with_name(f"{folder.name}.originals.json")


def keep(originals: Originals, folder: Path) -> None:
    """Keep what a data set was prepared from; nothing where it was drawn."""
    if not originals.files and not originals.searches:
        record_of(folder).unlink(missing_ok=True)
        return
    _write(folder, replace(complete(originals), changes=_kept(folder).changes))


@dataclass(frozen=True)
class Look:
    """How often the files behind a data set have changed, a line for the user, and whether it has to be prepared."""

    changes: int
    line: str = ""
    due: bool = False


def looks(folders: Iterable[Path], *, writes: bool) -> dict[str, Look]:
    """Look at the files behind each data set and return what is found, by its name.

    The number of changes is part of a data set's specification. Where ``writes`` is false nothing on the disk changes.
    """
    return {folder.name: _look(folder, writes) for folder in folders}


def changes_before(folders: Iterable[Path]) -> dict[str, int]:
    """Return how often the files behind each data set had changed at the last look, by its name."""
    return {folder.name: _kept(folder).changes for folder in folders}


def _look(folder: Path, writes: bool) -> Look:
    kept, whose = _kept(folder), f"data set {folder.name}"
    if kept.due:
        why = "its files have changed and it was not yet prepared from them"
        return Look(kept.changes, f"{whose}: {why}, so it is prepared anew", due=True)
    if not (folder / DATASET_JSON).exists():
        return Look(kept.changes)
    today = compare(kept)
    if today.changed:
        again = replace(kept, changes=kept.changes + 1, due=True)
        if writes:
            _write(folder, again)
        return Look(again.changes, one_line(f"{whose}: {today.changed}, so it is prepared anew"), due=True)
    if writes and today.files != kept.files:
        _write(folder, replace(kept, files=today.files))
    if today.gone:
        more = f" and {len(today.gone) - 1} more" if today.gone[1:] else ""
        gone = f"{today.gone[0]}{more} can no longer be read; what was prepared from it is kept"
        return Look(kept.changes, one_line(f"{whose}: {gone}"))
    return Look(kept.changes)


def _kept(folder: Path) -> Originals:
    """Return what is kept of a data set; where that was cut short, the data set is due."""
    path = record_of(folder)
    try:
        return msgspec.convert(json.loads(path.read_bytes()), Originals)
    except OSError:
        return Originals()
    except ValueError:
        return Originals(changes=path.stat().st_mtime_ns, due=True)  # another number than any before


def compare(kept: Originals) -> Comparison:
    """Compare what was kept with what lies there today: sizes and times first, contents where these differ."""
    today = Comparison(files=dict(kept.files))
    for search in kept.searches:
        if added := _added(search, kept):
            today.changed = f"{added} was added since it was prepared"
            return today
    for text, before in kept.files.items():
        try:
            today.files[text] = stamp(located(text), before)
        except OSError:
            today.gone.append(str(located(text)))
            continue
        if today.files[text].sha256 != before.sha256:
            today.changed = f"{located(text)} has changed since it was prepared"
            return today
    return today


def _added(search: Search, kept: Originals) -> Path | None:
    """Return a file that a search would meet today and did not."""
    place, known = located(search.place), set(search.names)
    try:
        fresh = [place / name for name in list_names(place, search.pattern) if name not in known]
    except DataError:  # a folder that cannot be listed is as good as gone
        return None
    fresh = [path for path in fresh if stored(path) not in kept.files]
    return next((path for path in fresh if is_wanted(path, search.pattern)), None)


def _write(folder: Path, originals: Originals) -> None:
    # Piece by piece: as one text, 300,000 slices would take half a gigabyte.
    with replacing(record_of(folder)) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        json.dump(originals, stream, default=vars)
