"""Data sets whose original files have changed since they were prepared, so that a run prepares them anew."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
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
    _write(folder, complete(originals))


def outdated(folders: Iterable[Path], *, writes: bool) -> tuple[list[str], list[str]]:
    """Return the descriptions of prepared data sets to be prepared anew, and a line on each of them that needs one.

    Where ``writes`` is false nothing on the disk changes.
    """
    found = {folder: _look(folder, writes) for folder in folders if record_of(folder).exists()}
    stale = [str(folder / DATASET_JSON) for folder, (again, _) in found.items() if again]
    return stale, [f"data set {folder.name}: {line}" for folder, (_, line) in found.items() if line]


def _look(folder: Path, writes: bool) -> tuple[bool, str]:
    """Return whether a data set is to be prepared anew, and a line on it or nothing."""
    try:
        kept = msgspec.convert(json.loads(record_of(folder).read_bytes()), Originals)
    except (OSError, ValueError) as error:
        return True, f"{record_of(folder)} cannot be read ({one_line(error)}), so it is prepared anew"
    if kept.due:
        return True, "its files have changed and it was not yet prepared from them; it is prepared anew"
    if not (folder / DATASET_JSON).exists():
        return False, ""
    today = compare(kept)
    if writes and (today.changed or today.files != kept.files):
        _write(folder, replace(kept, files=today.files if not today.changed else kept.files, due=bool(today.changed)))
    if today.changed:
        return True, f"{today.changed} since it was prepared, so it is prepared anew"
    if today.gone:
        more = f" and {len(today.gone) - 1} more" if today.gone[1:] else ""
        return False, f"{today.gone[0]}{more} can no longer be read; what was prepared from it is kept"
    return False, ""


def compare(kept: Originals) -> Comparison:
    """Compare what was kept with what lies there today: sizes and times first, contents where these differ."""
    today = Comparison(files=dict(kept.files))
    for search in kept.searches:
        if added := _added(search, kept):
            today.changed = f"{added} was added"
            return today
    for text, before in kept.files.items():
        try:
            today.files[text] = stamp(located(text), before)
        except OSError:
            today.gone.append(str(located(text)))
            continue
        if today.files[text].sha256 != before.sha256:
            today.changed = f"{located(text)} has changed"
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
    with replacing(record_of(folder)) as temporary:
        temporary.write_text(json.dumps(asdict(originals), indent=1), encoding="utf-8")
