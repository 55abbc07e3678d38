"""Refuse a faulty configuration before any work starts, in one line with the nearest valid name.

The options of a method or a data set are read from its own dataclasses ``Params`` and ``Training``
(`workflows.configuration.sources`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema.exceptions
import yaml

from benchmarks.records import Options
from workflows.configuration import annotations, sources
from workflows.configuration.config import Adaptation, Config, SettingsError, nearest

SCHEMA = Path(__file__).resolve().parent.parent / "schemas" / "config.schema.yaml"


def check_schema(config: Options) -> None:
    """Refuse a configuration whose keys or values are of another form than the schema says."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is None:
        return
    where = ".".join(map(str, error.absolute_path)) or "top level"
    if error.validator == "required" and "module" in error.message and len(error.absolute_path) == 2:
        section, name = map(str, error.absolute_path)
        others = {known for known, entry in config[section].items() if "module" in entry}
        raise SettingsError(
            f"configuration, {where}: nothing of this name is in the catalogue; "
            f"{nearest(name, others)} A new entry needs a module"
        )
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        raise SettingsError(f"configuration, {where}: unknown key {unknown!r}; {nearest(unknown, known)}")
    raise SettingsError(f"configuration, {where}: {error.message}{_number_hint(error.instance)}")


def check_names(config: Config, papers: Mapping[str, Sequence[str]]) -> None:
    """Refuse a configuration that names what is not there; ``papers`` are all papers and their own data sets."""
    data = [*config.datasets, *config.groups]  # what may stand where a data set is named
    for name, members in config.groups.items():
        _known(members, config.datasets, f"groups.{name}", "data set")
    _known(config.run.datasets, data, "run.datasets", "data set")
    _known(config.run.methods, config.methods, "run.methods", "method")
    _check_labels(config)
    for name in config.datasets:
        _check_dataset(config, name)
    for name in config.methods:
        _check_method(config, name)
        _check_teacher(config, name)
    _known(config.papers, papers, "papers", "paper")
    for paper, cast in config.papers.items():
        _known(cast, papers[paper], f"papers.{paper}", "data set of the paper")
        _known(cast.values(), config.datasets, f"papers.{paper}", "data set")
    _check_timing(config, data)


def _check_timing(config: Config, data: Iterable[str]) -> None:
    timing = config.timing
    _known(timing.datasets, data, "timing.datasets", "data set")
    if isinstance(timing.methods, dict):
        _known(timing.methods, timing.datasets, "timing.methods", "data set of timing.datasets")
    for names in timing.methods.values() if isinstance(timing.methods, dict) else [timing.methods or []]:
        _known(names, config.methods, "timing.methods", "method")


def _check_labels(config: Config) -> None:
    """Refuse two rows of one name: a variant takes over the label of the method that it is like."""
    named: dict[str, str] = {}
    for method in config.run.methods:
        label = config.methods[method].label
        if label in named:
            raise SettingsError(
                f"configuration, methods.{method}.label: {named[label]!r} is called {label!r} too; "
                "their rows could not be told apart: give it a label of its own"
            )
        named[label] = method


def _check_dataset(config: Config, name: str) -> None:
    entry, where = config.datasets[name], f"datasets.{name}"
    _known([entry.module], sources.module_names("datasets"), f"{where}.module", "module")
    _known([entry.train_on] if entry.train_on else [], config.datasets, f"{where}.train_on", "data set")
    options = sources.options_of(_module_file("datasets", entry.module), "Params")
    _check_options(entry.params, options, f"{where}.params")


def _check_method(config: Config, name: str) -> None:
    entry, where, data = config.methods[name], f"methods.{name}", [*config.datasets, *config.groups]
    _known([entry.module], sources.module_names("methods"), f"{where}.module", "module")
    path = _module_file("methods", entry.module)
    _known(entry.datasets or [], data, f"{where}.datasets", "data set")
    _known(entry.watch, data, f"{where}.watch", "data set")
    if entry.watch and "watch" not in sources.parameters_of(path, "train"):
        raise SettingsError(f"configuration, {where}.watch: {entry.module} keeps no snapshots")
    _known(entry.by_dataset, data, f"{where}.by_dataset", "data set")
    parts: dict[str, Adaptation] = {where: entry}
    parts |= {f"{where}.by_dataset.{dataset}": part for dataset, part in entry.by_dataset.items()}
    for place, part in parts.items():
        _check_options(part.params, sources.options_of(path, "Params"), f"{place}.params")
        _check_options(part.training, sources.options_of(path, "Training"), f"{place}.training")
        _known([part.train_on] if part.train_on else [], config.datasets, f"{place}.train_on", "data set")


def _check_teacher(config: Config, name: str) -> None:
    student, where = config.methods[name], f"configuration, methods.{name}.teacher"
    if student.teacher is None:
        return
    _known([student.teacher], config.methods, f"methods.{name}.teacher", "method")
    teacher = config.methods[student.teacher]
    if "teacher" not in sources.parameters_of(_module_file("methods", student.module), "train"):
        raise SettingsError(f"{where}: {student.module} cannot learn from a teacher")
    if teacher.module != student.module:
        raise SettingsError(f"{where}: {student.teacher!r} is made by another module, so it cannot teach")
    if teacher.teacher is not None:
        raise SettingsError(f"{where}: {student.teacher!r} must be a method that learns without a teacher")
    if absent := sorted({*(student.seeds or config.seeds)} - {*(teacher.seeds or config.seeds)}):
        raise SettingsError(f"{where}: {student.teacher!r} is not trained with seed {absent[0]}")


def _check_options(given: Options, known: Mapping[str, sources.Option], where: str) -> None:
    _known(given, known, where, "option")
    for name, value in given.items():
        expected, fields = known[name].annotation, known[name].fields
        if fields is not None and value is not None:
            if not isinstance(value, Mapping):
                raise SettingsError(f"configuration, {where}.{name}: expected keys and values, got {value!r}")
            _check_options(value, fields, f"{where}.{name}")
        elif not annotations.accepts(expected, value):
            got = json.dumps(value) if isinstance(value, (str, int, float, bool, Sequence, dict)) else repr(value)
            wanted = annotations.in_words(expected)
            raise SettingsError(f"configuration, {where}.{name}: expected {wanted}, got {got}{_number_hint(value)}")


def _known(names: Iterable[str], known: Iterable[str], where: str, what: str) -> None:
    for name in names:
        if name not in known:
            raise SettingsError(f"configuration, {where}: unknown {what} {name!r}; {nearest(name, known)}")


def _module_file(room: str, module: str) -> Path:
    return sources.ROOT / room / f"{module}.py"


def _number_hint(value: Any) -> str:
    """Return a hint where YAML has read a number as text, as it does with 1e-3."""
    try:
        return f" (YAML reads {value} as text: write {float(value)!r})" if isinstance(value, str) else ""
    except ValueError:
        return ""
