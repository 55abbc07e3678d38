"""From the catalogue, a profile and the command line to checked settings.

Each file is laid over the ones before it. Within a file, groups of data sets are replaced by their members and ``like``
by the entry that it names.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.provenance import is_own
from benchmarks.records import Options
from datasets.files import one_line
from reports import PAPERS
from workflows.configuration import own_methods, sources
from workflows.configuration.checks import check_names, check_schema, check_values
from workflows.configuration.config import Config, SettingsError, merge, nearest
from workflows.configuration.likeness import likenesses, with_likenesses
from workflows.configuration.places import placed
from workflows.configuration.reading import OURS, read_yaml
from workflows.configuration.settings import Layer, Settings
from workflows.configuration.stages import check_stages

HERE = Path(__file__).resolve().parent.parent
CATALOGUE = HERE / "config" / "catalogue"
DEFAULT_PROFILE = HERE / "config" / "mini.yaml"
SCHEMA = HERE / "schemas" / "config.schema.yaml"


def resolve(config: Mapping[str, object], configfiles: Iterable[Path] = ()) -> Settings:
    """Lay a configuration over the catalogue (and over the mini profile when it names no profile), and check it."""
    # Snakemake takes the last of two equal keys in silence.
    read = {path: read_yaml(Path(path)) for path in configfiles}
    try:
        return _resolved(config, read)
    except SettingsError as error:
        raise SettingsError(_with_file(str(error), read)) from error


def _resolved(config: Mapping[str, object], read: Mapping[Path, Mapping[str, object]]) -> Settings:
    check_values(config)
    if read and "profile" not in config:
        path = next(iter(read))
        raise SettingsError(
            f"configuration: {path} names no profile, and its results would take the place of the default profile's; "
            "write a line `profile: NAME`, which names their folder below results"
        )
    files = [("catalogue", catalogue())]
    config = placed(config, read, files[0][1])
    if "profile" not in config:
        files.append(("profile mini", read_yaml(DEFAULT_PROFILE, OURS)))
    files.append((f"profile {config['profile']}" if "profile" in config else "command line", config))
    groups = _groups([content for _, content in files])
    files = [(name, _with_members(content, groups)) for name, content in files]
    likes = likenesses([content for _, content in files])
    files = [(name, with_likenesses(content, likes)) for name, content in files]
    layers: dict[str, list[Layer]] = {}
    for name, content in files:
        layers |= Inheritance(name, _section(content, "methods"), layers).all()
    merged = reduce(lambda base, over: merge(_without_others(base, over), over), (content for _, content in files))
    methods = {name: reduce(merge, (layer.entry for layer in found)) for name, found in layers.items()}
    check_schema({**merged, "methods": methods}, read_yaml(SCHEMA, OURS))
    _check_new(layers)
    settings = Settings(_converted({**merged, "methods": methods}), layers)
    own_methods.check(settings.config)
    check_names(settings.config, papers(settings.config.papers))
    check_stages(settings.config)
    _check_trainings(settings)
    return settings


def _without_others(base: Mapping[str, object], over: Mapping[str, object]) -> Mapping[str, object]:
    """Return files without the options of data sets to which the file above them gives another module.

    What an option of one module means another one does not know.
    """
    kept = _section(base, "datasets")
    for name, entry in _section(over, "datasets").items():
        if name in kept and entry.get("module", kept[name].get("module")) != kept[name].get("module"):
            kept[name] = {key: value for key, value in kept[name].items() if key != "params"}
    return {**base, "datasets": kept}


def _check_new(layers: Mapping[str, Sequence[Layer]]) -> None:
    """Refuse another module under the name of a method, whose label and options it would take over."""
    for name, found in layers.items():
        modules = [m for layer in found if layer.method == name and isinstance(m := layer.value("module"), str)]
        if len(set(modules)) > 1 and (is_own(modules[-1]) or modules[-1] in sources.module_names("methods")):
            raise SettingsError(
                f"configuration, methods.{name}.module: the catalogue has a method of this name, of the module "
                f"{modules[0]}; give yours another name"
            )


def _check_trainings(settings: Settings) -> None:
    """Refuse a method that learns from a data set without training images, or looks at validation pairs without any."""
    for method, dataset in settings.runs:
        name = settings.train_on(method, dataset)
        if settings.trains(method) and settings.dataset(name).params.get("training") == 0:
            raise SettingsError(
                f"configuration, datasets.{name}.params.training: 0 leaves nothing for {method} to learn from; "
                "write 2 or more, or take the method out of run.methods"
            )
        looks = settings.trains(method) and settings.training(method, dataset).get("validate_every")
        if looks and _option(settings, name, "validation") == 0:
            raise SettingsError(
                f"configuration, methods.{method}.training.validate_every: {name} has no validation subjects to look "
                f"at; set datasets.{name}.params.validation, or leave validate_every at 0"
            )


def _option(settings: Settings, dataset: str, option: str) -> object:
    """Return an option of a data set as it is prepared: what is configured, or its module's own; None for none."""
    entry = settings.dataset(dataset)
    own = sources.options_of(sources.file_of(f"datasets.{entry.module}"), "Params").get(option)
    return entry.params.get(option, own.default if own else None)


def _converted(content: Mapping[str, object]) -> Config:
    try:
        return msgspec.convert(content, Config)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        said = one_line(what).replace("`int`", "a whole number").replace("`float`", "one with a point")
        where = place.strip(".`") or "top level"
        raise SettingsError(
            f"configuration, {where}: {said}; write whole numbers without a point (1, not 1.0)"
        ) from error


def _with_file(fault: str, read: Mapping[Path, Any]) -> str:
    """Return a fault of the configuration with the file that says most of the faulty place, the last of such files."""
    start, _, place = fault.partition(":")[0].partition(", ")
    if start != "configuration" or not read:
        return fault

    def depth(path: Path) -> int:
        found, known = 0, read[path]
        for key in place.split("."):
            if not isinstance(known, Mapping) or key not in known:
                break
            found, known = found + 1, known[key]
        return found

    return f"{max(reversed(list(read)), key=depth)}{fault.removeprefix(start)}"


def catalogue() -> Options:
    """Read the catalogue, all its files together."""
    return reduce(merge, (read_yaml(path, OURS) for path in sorted(CATALOGUE.glob("[!.]*.yaml"))))


def papers(wanted: Container[str] | None = None) -> dict[str, list[str]]:
    """Read the papers that can be regenerated, and the names of each one's own data sets (of those ``wanted``)."""
    found = {path.stem: path for path in sorted(PAPERS.glob("[!.]*.yaml"))}
    read = {name: wanted is None or name in wanted for name in found}
    return {name: list(read_yaml(path, OURS)["datasets"]) if read[name] else [] for name, path in found.items()}


@dataclass(frozen=True)
class Inheritance:
    """The methods of one ``file``, ``like`` followed; ``below`` are the layers of the files before it."""

    file: str
    entries: Mapping[str, Options]
    below: Mapping[str, Sequence[Layer]]

    def all(self) -> dict[str, list[Layer]]:
        """Return the layers of each method of the file, those of the files before it first."""
        chains = {name: self._chain(name, ()) for name in self.entries}
        return {name: [*self._start(name), *chain] for name, chain in chains.items()}

    def _start(self, name: str) -> Sequence[Layer]:
        """Return the layers below the file's own; a new method starts from those of the one it is like."""
        if name in self.below or name not in self.entries:
            return self.below.get(name, ())
        return self._start(self.entries[name].get("like", ""))

    def _chain(self, name: str, seen: tuple[str, ...]) -> list[Layer]:
        """Return the layers of the file itself."""
        where, seen = f"configuration, methods.{name}.like", (*seen, name)
        entry = dict(self.entries[name])
        like = entry.pop("like", None)
        if not isinstance(like, str | None):
            raise SettingsError(f"{where}: expected the name of a method, got {like!r}")
        if like in seen:
            raise SettingsError(f"{where}: goes round in a circle: {', '.join([*seen, like])}")
        if like is None or like in self.entries:
            before = [] if like is None else self._chain(like, seen)
            return [*before, Layer(self.file, name, entry)]
        if like not in self.below:
            known = {*self.entries, *self.below}
            raise SettingsError(f"{where}: unknown method {like!r}; {nearest(like, known)}")
        if name in self.below:
            raise SettingsError(f"{where}: {like!r} has no entry in the {self.file}, so there is nothing to take over")
        return [Layer(self.file, name, entry)]


def _groups(files: Sequence[Options]) -> dict[str, list[str]]:
    groups = [_mapping(content.get("groups", {}), "groups") for content in files]
    found: dict[str, list[str]] = {}
    for each in groups:
        for name, members in each.items():
            if found.setdefault(name, members) != members:
                raise SettingsError(
                    f"configuration, groups.{name}: a group of this name has other members already; choose another name"
                )
    data = {name for content in files for name, entry in _section(content, "datasets").items() if "module" in entry}
    for name, members in found.items():
        if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
            raise SettingsError(f"configuration, groups.{name}: expected a list of data sets, got {members!r}")
        if name in data:
            raise SettingsError(f"configuration, groups.{name}: a data set has this name; choose another")
    return dict(found)


def _with_members(content: Options, groups: Mapping[str, list[str]]) -> Options:
    """Return a file's content with the members of groups in place of their names, wherever data sets are named."""

    def names(value: Any) -> Any:
        if not isinstance(value, list) or not any(isinstance(name, str) and name in groups for name in value):
            return value
        return list(dict.fromkeys(member for name in value for member in groups.get(name, [name])))

    def keys(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        shared: Mapping[str, object] = {}
        for name, member, entry in ((n, member, entry) for n, entry in value.items() for member in groups.get(n, ())):
            one, other = {member: entry}, {key: said for key, said in shared.items() if key == member}
            if merge(one, other) != merge(other, one):
                raise SettingsError(
                    f"configuration, groups.{name}: another group that is named beside it says otherwise of "
                    f"{member!r}; say it of {member!r} itself and of groups that do not overlap"
                )
            shared = merge(shared, one)
        return merge(shared, {name: entry for name, entry in value.items() if name not in groups})

    def changed(value: Any, **how: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: how[key](part) if key in how else part for key, part in value.items()}

    def methods(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: changed(entry, datasets=names, watch=names, by_dataset=keys) for name, entry in value.items()}

    return changed(
        content,
        run=lambda value: changed(value, datasets=names),
        stages=lambda value: [changed(each, datasets=names) for each in value] if isinstance(value, list) else value,
        timing=lambda value: changed(value, datasets=names, methods=keys),
        datasets=keys,
        methods=methods,
    )


def _section(content: Options, name: str) -> dict[str, Options]:
    entries = _mapping(content.get(name, {}), name)
    return {key: _mapping(entry, f"{name}.{key}") for key, entry in entries.items()}


def _mapping(value: Any, where: str) -> Options:
    if not isinstance(value, Mapping):
        raise SettingsError(f"configuration, {where}: expected keys and values, got {value!r}")
    return value
