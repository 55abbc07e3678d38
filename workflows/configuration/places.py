"""Paths in a configuration file are relative to that file, wherever a command is called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path

from benchmarks.provenance import is_own
from workflows.configuration import sources
from workflows.configuration.config import merge

ROOMS = ("datasets", "methods")
Content = Mapping[str, object]


def placed(config: Content, files: Mapping[Path, Content], known: Content) -> Content:
    """Return a configuration with every path in it written out: files of a user's own methods, and options.

    An option is a path where its module declares it as one (``Path``).

    Args:
        config: what all files and the command line say together.
        files: what each file says, the last on top; what none of them says is relative to the working folder.
        known: the catalogue, which has the modules of entries that files only change.
    """
    for find in (_modules, _paths):  # a module says which of its options are paths
        for keys in find(config, known):
            text = str(_value(config, keys))
            folders = [path.parent for path, content in files.items() if _value(content, keys) == text]
            config = _with(config, keys, located(text, folders[-1] if folders else Path()))
    return config


def located(text: str, folder: Path) -> str:
    """Return the path that a text in a file of a folder means; the home folder may be written ``~``."""
    return os.path.abspath(folder / Path(text).expanduser())


def _modules(config: Content, known: Content) -> Iterator[tuple[str, ...]]:
    """Yield the keys of every method's module that is a file."""
    for name, entry in _mapping(config.get("methods")).items():
        module = _mapping(entry).get("module")
        if isinstance(module, str) and is_own(module):
            yield "methods", name, "module"


def _paths(config: Content, known: Content) -> Iterator[tuple[str, ...]]:
    """Yield the keys of every option that is a path and is given as text."""
    for room in ROOMS:
        entries = _mapping(config.get(room))
        for name, entry in entries.items():
            wanted = _path_options(room, _module(room, name, (known, config)))
            for part in _parts(room, _mapping(entry)):
                keys = (room, name, *part)
                for option, value in _mapping(_value(config, keys)).items():
                    if option in wanted and isinstance(value, str):
                        yield (*keys, option)


def _parts(room: str, entry: Content) -> Iterator[tuple[str, ...]]:
    yield ("params",)
    if room == "methods":
        yield from (("by_dataset", dataset, "params") for dataset in _mapping(entry.get("by_dataset")))


def _module(room: str, name: str, layers: Sequence[Content], seen: tuple[str, ...] = ()) -> str:
    """Return the module of an entry, or that of the one it is like; "" where nothing says it."""
    entry = reduce(merge, (_mapping(_value(layer, (room, name))) for layer in layers))
    like = entry.get("like")
    if "module" not in entry and isinstance(like, str) and like not in seen:
        return _module(room, like, layers, (*seen, name))
    return str(entry.get("module", ""))


def _path_options(room: str, module: str) -> set[str]:
    path = Path(module) if module.endswith(".py") else sources.module_path(f"{room}.{module}")
    if not module or path is None or not path.is_file():  # the check of modules says so
        return set()
    try:
        options = sources.options_of(path, "Params")
    except sources.BrokenFileError:
        return set()
    return {name for name, option in options.items() if re.search(r"\bPath\b", option.annotation)}


def _value(content: object, keys: Sequence[str]) -> object:
    for key in keys:
        content = _mapping(content).get(key)
    return content


def _with(config: Content, keys: Sequence[str], value: str) -> Content:
    return merge(config, reduce(lambda inner, key: {key: inner}, reversed(keys), value))  # type: ignore[arg-type]


def _mapping(value: object) -> Content:
    return value if isinstance(value, Mapping) else {}
