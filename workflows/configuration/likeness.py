"""A data set that is like another: methods take the options there that they have on that one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workflows.configuration.config import SettingsError, merge, nearest

Content = Mapping[str, object]


def likenesses(files: Sequence[Content]) -> dict[str, str]:
    """Return which data set each one that says ``like`` is like; the last file counts.

    Raises:
        SettingsError: nothing of that name is there, or it is like another one itself.
    """
    entries: Content = {}
    for content in files:
        entries = merge(entries, _mapping(content.get("datasets")))
    found = {name: like for name, entry in entries.items() if (like := _mapping(entry).get("like")) is not None}
    for name, like in found.items():
        where = f"configuration, datasets.{name}.like"
        if like == name:
            raise SettingsError(f"{where}: {name!r} is like itself; give the data set a name of its own")
        if like not in entries:
            raise SettingsError(f"{where}: unknown data set {like!r}; {nearest(str(like), entries.keys() - {name})}")
        if like in found:
            raise SettingsError(f"{where}: {like!r} is itself like {found[str(like)]!r}; name that one")
    return {name: str(like) for name, like in found.items()}


def with_likenesses(content: Content, likes: Mapping[str, str]) -> Content:
    """Return a file's content whose methods say of a data set what they say of the one that it is like."""
    entries = _mapping(content.get("methods"))
    methods = {name: _method(entry, likes) if isinstance(entry, Mapping) else entry for name, entry in entries.items()}
    return {**content, "methods": methods} if likes and methods else content


def _method(entry: Content, likes: Mapping[str, str]) -> Content:
    changed = dict(entry)
    options = entry.get("by_dataset")
    if isinstance(options, Mapping):
        own = {
            name: merge(_mapping(options[like]), _mapping(options.get(name)))
            for name, like in likes.items()
            if like in options
        }
        changed["by_dataset"] = {**options, **own}
    names = entry.get("datasets")
    if isinstance(names, list):
        changed["datasets"] = [*names, *(name for name, like in likes.items() if like in names and name not in names)]
    return changed


def _mapping(value: object) -> Content:
    return value if isinstance(value, Mapping) else {}
