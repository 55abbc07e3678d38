"""The configuration: a catalogue of data sets and methods, a profile that selects from it, and one check of both.

Every fault is reported in one line, with the nearest valid name, before any work starts. What a method or a data set
accepts is read from its own dataclasses ``Params`` and ``Training`` (`workflows.configuration.sources`).
"""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from datasets.files import DataError
from workflows.configuration import annotations, sources

HERE = Path(__file__).resolve().parent.parent
CATALOGUE = HERE / "config" / "catalogue.yaml"
DEFAULT_PROFILE = HERE / "config" / "mini.yaml"
SCHEMA = HERE / "schemas" / "config.schema.yaml"


class SettingsError(DataError):
    """A configuration that cannot be run; the message is one line that says what, where and what to do."""


@dataclass(frozen=True)
class Settings:
    """A checked configuration."""

    config: Mapping[str, Any]

    @property
    def profile(self) -> str:
        return self.config["profile"]

    @property
    def device(self) -> str:
        return self.config["device"]

    @property
    def datasets(self) -> list[str]:
        """The selected data sets, in the order of display."""
        return self.config["run"]["datasets"]

    @property
    def methods(self) -> list[str]:
        """The selected methods, in the order of display."""
        return self.config["run"]["methods"]

    @property
    def prepared(self) -> list[str]:
        """The selected data sets and those that only serve for training."""
        return list(dict.fromkeys([*self.datasets, *(self.train_on(m, d) for m, d in self.runs if self.trains(m))]))

    @property
    def runs(self) -> list[tuple[str, str]]:
        """The (method, data set) combinations to run."""
        return [(m, d) for d in self.datasets for m in self.methods if d in self.method(m).get("datasets", [d])]

    def dataset(self, name: str) -> Mapping[str, Any]:
        return self.config["datasets"][name]

    def method(self, name: str) -> Mapping[str, Any]:
        return self.config["methods"][name]

    def module(self, method: str) -> str:
        """The dotted name of a method's module."""
        return f"methods.{self.method(method)['module']}"

    def module_path(self, method: str) -> Path:
        return sources.ROOT / "methods" / f"{self.method(method)['module']}.py"

    def trains(self, method: str) -> bool:
        return sources.has_function(self.module_path(method), "train")

    def needs(self, method: str) -> tuple[str, ...]:
        return tuple(sources.constant_of(self.module_path(method), "NEEDS", ()))

    def train_on(self, method: str, dataset: str) -> str:
        """The data set whose training split a method learns from before it runs on ``dataset``."""
        entry = self._adapted(method, dataset)
        return entry.get("train_on") or self.dataset(dataset).get("train_on") or dataset

    def teacher(self, method: str) -> str | None:
        """The method that a student learns from."""
        return self.method(method).get("teacher")

    def seeds(self, method: str) -> list[int]:
        """The seeds with which a method runs; the first is its main run."""
        return self.method(method).get("seeds", self.config["seeds"])

    def watched(self, method: str) -> list[str]:
        """The selected data sets on whose landmarks a method's snapshots are judged while it trains."""
        return [name for name in self.method(method).get("watch", []) if name in self.datasets]

    def params(self, method: str, dataset: str) -> dict[str, Any]:
        return self._adapted(method, dataset).get("params", {})

    def training(self, method: str, dataset: str) -> dict[str, Any]:
        return self._adapted(method, dataset).get("training", {})

    def timed(self, dataset: str) -> Sequence[str]:
        """The methods that are timed on a data set, as far as they run there."""
        methods = self.config["timing"].get("methods", self.methods)
        return methods.get(dataset, self.methods) if isinstance(methods, Mapping) else methods

    def time_limit(self, method: str, dataset: str) -> float:
        """Seconds that one pair may take, all told."""
        return self._adapted(method, dataset).get("time_limit", self.config["time_limit"])

    def _adapted(self, method: str, dataset: str) -> dict[str, Any]:
        entry = self.method(method)
        return merge(entry, entry.get("by_dataset", {}).get(dataset, {}))


def resolve(config: Mapping[str, Any], configfiles: Iterable[Path] = ()) -> Settings:
    """Lay a configuration over the catalogue (and over the mini profile when it names no profile), and check it."""
    for path in configfiles:
        read_yaml(Path(path))  # Snakemake has read it already, but takes the last of two equal keys in silence
    base = read_yaml(CATALOGUE)
    if "profile" not in config:
        base = merge(base, read_yaml(DEFAULT_PROFILE))
    settings = Settings(merge(base, config))
    _check_schema(settings.config)
    _check_names(settings)
    return settings


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge dictionaries key by key; anything else (lists too) in ``over`` replaces what ``base`` has."""
    merged = copy.deepcopy(dict(base))
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; duplicate keys, tabs and other faults are refused with their line."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # a SafeLoader
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected keys and values")
    return content


class _StrictLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key, (key_node, _) in zip(keys, node.value, strict=True):
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} appears twice", problem_mark=key_node.start_mark)
        return super().construct_mapping(node, deep)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: the nearest known one, or the list of them."""
    known = sorted(known)
    close = difflib.get_close_matches(str(word), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}"


def _check_schema(config: Mapping[str, Any]) -> None:
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is None:
        return
    where = ".".join(map(str, error.absolute_path)) or "top level"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        raise SettingsError(f"configuration, {where}: unknown key {unknown!r}; {nearest(unknown, known)}")
    raise SettingsError(f"configuration, {where}: {error.message}{_number_hint(error.instance)}")


def _number_hint(value: Any) -> str:
    """YAML reads 1e-3 as a string; say so instead of leaving the user with a riddle."""
    try:
        return f" (YAML reads {value} as text: write {float(value)!r})" if isinstance(value, str) else ""
    except ValueError:
        return ""


def _check_names(settings: Settings) -> None:
    config = settings.config
    _known(settings.datasets, config["datasets"], "run.datasets", "data set")
    _known(settings.methods, config["methods"], "run.methods", "method")
    for name, entry in config["datasets"].items():
        where = f"datasets.{name}"
        _known([entry["module"]], sources.module_names("datasets"), f"{where}.module", "module")
        _known([entry["train_on"]] if "train_on" in entry else [], config["datasets"], f"{where}.train_on", "data set")
        options = _declared("datasets", entry, "Params") or sources.keywords_of(
            _module_file("datasets", entry), "prepare"
        )
        _options(entry.get("params", {}), options, f"{where}.params")
    for name, entry in config["methods"].items():
        _check_method(name, entry, config["datasets"])
        _check_teacher(settings, name)
    _check_papers(config)
    timing = config["timing"]
    _known(timing["datasets"], config["datasets"], "timing.datasets", "data set")
    methods = timing.get("methods", [])
    if isinstance(methods, Mapping):
        _known(methods, timing["datasets"], "timing.methods", "data set of timing.datasets")
    for names in methods.values() if isinstance(methods, Mapping) else [methods]:
        _known(names, config["methods"], "timing.methods", "method")


def _check_method(name: str, entry: Mapping[str, Any], datasets: Mapping[str, Any]) -> None:
    where = f"methods.{name}"
    _known([entry["module"]], sources.module_names("methods"), f"{where}.module", "module")
    params, training = (_declared("methods", entry, name) for name in ("Params", "Training"))
    _known(entry.get("datasets", []), datasets, f"{where}.datasets", "data set")
    _known(entry.get("watch", []), datasets, f"{where}.watch", "data set")
    if entry.get("watch") and "watch" not in sources.parameters_of(_module_file("methods", entry), "train"):
        raise SettingsError(f"configuration, {where}.watch: {entry['module']} keeps no snapshots")
    _known(entry.get("by_dataset", {}), datasets, f"{where}.by_dataset", "data set")
    for place, part in [
        (where, entry),
        *((f"{where}.by_dataset.{d}", e) for d, e in entry.get("by_dataset", {}).items()),
    ]:
        _options(part.get("params", {}), params, f"{place}.params")
        _options(part.get("training", {}), training, f"{place}.training")
        _known([part["train_on"]] if "train_on" in part else [], datasets, f"{place}.train_on", "data set")


def _check_papers(config: Mapping[str, Any]) -> None:
    folder = sources.ROOT / "reports" / "papers"
    papers = config.get("papers", {})
    _known(papers, [path.stem for path in folder.glob("*.yaml")], "papers", "paper")
    for paper, cast in papers.items():
        roles = read_yaml(folder / f"{paper}.yaml")["datasets"]
        _known(cast, roles, f"papers.{paper}", "data set of the paper")
        _known(cast.values(), config["datasets"], f"papers.{paper}", "data set")


def _check_teacher(settings: Settings, name: str) -> None:
    where, teacher = f"methods.{name}.teacher", settings.teacher(name)
    if teacher is None:
        return
    _known([teacher], settings.config["methods"], where, "method")
    if "teacher" not in sources.parameters_of(settings.module_path(name), "train"):
        raise SettingsError(f"configuration, {where}: {settings.method(name)['module']} cannot learn from a teacher")
    if settings.module(teacher) != settings.module(name):
        raise SettingsError(f"configuration, {where}: {teacher!r} is no network of {settings.module(name)}")
    if settings.teacher(teacher) is not None:
        raise SettingsError(f"configuration, {where}: {teacher!r} must be a method that learns without a teacher")
    if absent := sorted({*settings.seeds(name)} - {*settings.seeds(teacher)}):
        raise SettingsError(f"configuration, {where}: {teacher!r} is not trained with seed {absent[0]}")


def _known(names: Iterable[str], known: Iterable[str], where: str, what: str) -> None:
    for name in names:
        if name not in known:
            raise SettingsError(f"configuration, {where}: unknown {what} {name!r}; {nearest(name, known)}")


def _module_file(room: str, entry: Mapping[str, Any]) -> Path:
    return sources.ROOT / room / f"{entry['module']}.py"


def _declared(room: str, entry: Mapping[str, Any], name: str) -> dict[str, sources.Option]:
    return sources.options_of(_module_file(room, entry), name)


def _options(given: Mapping[str, Any], known: Mapping[str, sources.Option], where: str) -> None:
    _known(given, known, where, "option")
    for name, value in given.items():
        expected, fields = known[name].annotation, known[name].fields
        if fields is not None and value is not None:
            if not isinstance(value, Mapping):
                raise SettingsError(f"configuration, {where}.{name}: expected keys and values, got {value!r}")
            _options(value, fields, f"{where}.{name}")
        elif not annotations.accepts(expected, value):
            got = json.dumps(value) if isinstance(value, (str, int, float, bool, Sequence, dict)) else repr(value)
            raise SettingsError(f"configuration, {where}.{name}: expected {expected}, got {got}{_number_hint(value)}")
