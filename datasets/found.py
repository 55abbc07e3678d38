"""Files below a folder that people have filled: links are followed, leftovers of other systems passed over."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args, get_origin, get_type_hints

from datasets.files import DataError, one_line
from datasets.originals import is_noted, note, note_search, unrecorded

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

logger = logging.getLogger(__name__)

MOST = 20_000  # files of a folder that are noted
DICOM = "DICOM"  # in place of a pattern of names: known by content
# Of macOS, Windows and Synology; hidden files, among them `._x` of macOS and `.x.swp` of editors, and backups.
_LEFT_OVER = re.compile(r"\..*|.*~|#.*#|__macosx|thumbs\.db|desktop\.ini|@eadir|\$recycle\.bin|lost\+found", re.I)
_ENDINGS = (".dcm", ".dicom", ".ima")


def is_left_over(name: str) -> bool:
    """Return whether a name, or a folder in it, is one that systems and editors leave behind."""
    return any(_LEFT_OVER.fullmatch(part) for part in name.split("/"))


def search(place: Path, pattern: str) -> list[Path]:
    """Return the files at any depth whose name matches a ``pattern``, in order; with `DICOM` the content decides.

    Endings and all other letters count without regard to case. Links to folders are followed, and a folder or file is
    met once, however many links lead to it. A place that is not there has none.

    Raises:
        DataError: a folder cannot be listed.
    """
    names = list_names(place, pattern)
    note_search(place, pattern, names)
    return [place / name for name in names if is_wanted(place / name, pattern)]


def note_unseen(params: DataclassInstance) -> None:
    """Note the files and all files of the folders that options name, unless a search or a reader has noted them.

    A module that asks a library such as SimpleITK or h5py to open files leaves no other trace. An option may be a list
    or a mapping of names. One whose type lists its values, such as "liver", names no folder.
    """
    for place in _named(params):
        if is_noted(place):
            continue
        if place.is_file():
            note(place)
        elif len(names := list_names(place, ".*")) > MOST:
            logger.warning("warning: %s: holds over %d files, so no run will see that one was edited", place, MOST)
        else:
            note_search(place, ".*", names)
            for name in names:
                note(place / name)


def _named(params: DataclassInstance) -> Iterator[Path]:
    """Yield the files and folders that options name."""
    kinds = get_type_hints(type(params))
    for each in fields(params):
        option = getattr(params, each.name)
        if is_dataclass(option) and not isinstance(option, type):
            yield from _named(option)
        elif _names_any(kinds[each.name]):
            yield from _existing(option)


def _names_any(kind: Any) -> bool:
    """Return whether an option of a type may name a file: it is free text or a path, or a collection of them."""
    within = () if get_origin(kind) is Literal else get_args(kind)
    return kind in (str, Path, Any, object) or any(map(_names_any, within))


def _existing(option: object) -> Iterator[Path]:
    if isinstance(option, Mapping | list | tuple):
        for each in cast("Iterable[object]", option.values() if isinstance(option, Mapping) else option):
            yield from _existing(each)
    elif isinstance(option, str | Path) and str(option) and os.path.exists(option):
        yield Path(option)


def list_names(place: Path, pattern: str) -> list[str]:
    """Return the names below a place, relative to it, that a search looks at."""
    matches = re.compile(".*" if pattern == DICOM else pattern, re.IGNORECASE | re.DOTALL).fullmatch
    return [str(path.relative_to(place)) for path in sorted(_files(place)) if matches(path.name)]


def holds_files(place: Path, *, besides: Callable[[str], bool]) -> bool:
    """Return whether a search below a place would look at any file; no file is opened.

    ``besides`` says of the name of a file or folder right below whether it does not count.
    """
    return any(not besides(path.relative_to(place).parts[0]) for path in _files(place))


def is_wanted(path: Path, pattern: str) -> bool:
    """Return whether a file whose name fits is one of those searched for: all are, but for `DICOM`."""
    return pattern != DICOM or _is_dicom(path)


def _files(place: Path) -> Iterator[Path]:
    met = {os.path.realpath(place)}
    for folder, folders, names in os.walk(place, followlinks=True, onerror=_refuse):
        real = os.path.realpath(folder)
        kept = [name for name in sorted(folders) if not is_left_over(name) and _is_new(folder, real, name, met)]
        folders[:] = kept
        for name in sorted(names):
            is_file = not is_left_over(name) and os.path.isfile(os.path.join(folder, name))
            if is_file and _is_new(folder, real, name, met):
                yield Path(folder, name)


def _is_new(folder: str, real: str, name: str, met: set[str]) -> bool:
    """Return whether a name leads to what was not met before; ``real`` is its folder without links."""
    path = os.path.join(folder, name)
    path = os.path.realpath(path) if os.path.islink(path) else os.path.join(real, name)
    new = path not in met
    met.add(path)
    return new


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise DataError(f"{error.filename}: cannot be listed ({one_line(error.strerror)}); correct its permissions")


def _is_dicom(path: Path) -> bool:
    """Return whether a file is meant to be DICOM: by its ending or its mark, or empty where others have no ending."""
    if path.name.lower() == "dicomdir":  # the list of a disc's files, itself no image
        return False
    if path.suffix.lower() in _ENDINGS:
        return True
    with unrecorded(), open(path, "rb") as stream:
        head = stream.read(132)
    # Names such as IM0001 or 1.2.840.1 have no ending; where their content was lost they must not be passed over.
    lost = not head.strip(b"\0") and (not path.suffix or path.suffix[1:].isdigit())
    return head[128:] == b"DICM" or lost
