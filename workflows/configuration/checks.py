"""Refuse a faulty configuration before any work starts, in one line with the nearest valid name.

The options of a method or a data set are read from its own dataclasses ``Params`` and ``Training``
(`workflows.configuration.sources`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema.exceptions

from benchmarks.provenance import is_own
from benchmarks.records import Options
from workflows.configuration import annotations, sources
from workflows.configuration.config import Adaptation, Config, SettingsError, nearest
from workflows.configuration.values import example, number_hint, range_fault, shown
from workflows.planning.specs import REFINEMENT

TYPES = {
    "array": "a list",
    "object": "keys and values",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
}


def check_values(config: object) -> None:
    """Refuse keys that are no text and numbers that are NaN, endless or vast, wherever they stand."""
    for fault in _unnamed_keys(config):
        raise SettingsError(f"configuration, {fault}; put it into quotes, or correct it")
    for fault in _infinite_numbers(config):
        raise SettingsError(f"configuration, {fault}; write another")


def check_schema(config: Options, schema: Mapping[str, object]) -> None:
    """Refuse a configuration whose keys or values are of another form than the JSON schema says."""
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is None:
        return
    where = ".".join(map(str, error.absolute_path)) or "top level"
    if error.validator == "required" and "'module'" in error.message and len(error.absolute_path) == 2:
        section, name = map(str, error.absolute_path)
        others = {known for known, entry in config[section].items() if "module" in entry}
        raise SettingsError(
            f"configuration, {where}: nothing of this name is in the catalogue; "
            f"{nearest(name, others)} A new entry needs a module"
        )
    raise SettingsError(f"configuration, {where}: {_in_words(error)}")


def _in_words(error: jsonschema.exceptions.ValidationError) -> str:
    """Return a fault that the schema finds in the words of a reader who knows no code."""
    limit: Any = error.validator_value
    schema: Any = error.schema
    instance: Any = error.instance
    got = shown(error.instance)
    if error.validator == "required":
        return f"the key {next(key for key in limit if key not in instance)!r} is missing"
    if error.validator == "additionalProperties":
        known = schema.get("properties", {})
        unknown = next(iter(instance.keys() - known.keys()))
        return f"unknown key {unknown!r}; {nearest(unknown, known)}"
    hint = number_hint(error.instance) if limit in ("number", "integer") else ""
    texts = {
        "type": f"expected {TYPES.get(str(limit), 'a list, or null for none')}, got {got}{hint}",
        "enum": f"expected one of {', '.join(map(str, limit if isinstance(limit, list) else []))}, got {got}",
        "pattern": f"{got} is no name; use small letters, digits and hyphens, and begin with a letter or digit",
        "minItems": f"expected {limit} value or more, got an empty list",
        "uniqueItems": f"{got} names something twice; keep one of them",
        "minimum": f"expected a number of at least {limit}, got {got}",
        "maximum": f"expected a number of at most {limit}, got {got}",
        "exclusiveMinimum": f"expected a number above {limit}, got {got}",
        "anyOf": f"expected a list of names, or such a list for each data set, got {got}",
    }
    return texts.get(str(error.validator), error.message)


def check_names(config: Config, papers: Mapping[str, Sequence[str]]) -> None:
    """Refuse a configuration that names what is not there; ``papers`` are all papers and their own data sets."""
    data = [*config.datasets, *config.groups]  # what may stand where a data set is named
    for name, members in config.groups.items():
        _known(members, config.datasets, f"groups.{name}", "data set")
    _known(config.run.datasets, data, "run.datasets", "data set")
    _known(config.run.methods, config.methods, "run.methods", "method")
    _check_labels(config)
    methods, datasets = _used(config)
    for name in config.datasets:
        with _broken_files_matter(name in datasets):
            _check_dataset(config, name)
    for name in config.methods:
        with _broken_files_matter(name in methods):
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
    for key in ("methods", "once", "all_threads"):
        _known(getattr(timing.paper_size, key) or [], config.methods, f"timing.paper_size.{key}", "method")
    grid = timing.paper_size.grid
    if grid is not None and len(grid) != 3:
        raise SettingsError(f"configuration, timing.paper_size.grid: expected three axes, got {shown(grid)}")


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
        if not label.strip() or any(ord(letter) < 32 for letter in label):
            raise SettingsError(f"configuration, methods.{method}.label: {shown(label)} is no name; write one line")
        named[label] = method


def _check_dataset(config: Config, name: str) -> None:
    entry, where = config.datasets[name], f"datasets.{name}"
    _check_module("datasets", entry.module, where)
    _known([entry.train_on] if entry.train_on else [], config.datasets, f"{where}.train_on", "data set")
    options = sources.options_of(_module_file("datasets", entry.module), "Params")
    _check_options(entry.params, options, f"{where}.params", whole=True)
    if name in config.run.datasets and entry.params.get("test") == 0:
        raise SettingsError(
            f"configuration, {where}.params.test: 0 leaves no pair to register; write 1 or more, "
            "or take the data set out of run.datasets"
        )


def _check_method(config: Config, name: str) -> None:
    entry, where, data = config.methods[name], f"methods.{name}", [*config.datasets, *config.groups]
    path = sources.method_file(entry.module)
    if not is_own(entry.module):
        _check_module("methods", entry.module, where)
    if entry.kind == "learned" and not sources.has_function(path, "train"):
        raise SettingsError(
            f"configuration, {where}.kind: learned, but {_shown_module(entry.module)} has no function `train`"
        )
    if entry.reported and sources.constant_of(path, "CLOCKED", True):
        raise SettingsError(f"configuration, {where}.reported: this method is timed here; leave it out")
    _known(entry.datasets or [], data, f"{where}.datasets", "data set")
    _known(entry.watch, data, f"{where}.watch", "data set")
    if entry.watch and "watch" not in sources.parameters_of(path, "train"):
        raise SettingsError(f"configuration, {where}.watch: {entry.module} keeps no snapshots")
    _known(entry.by_dataset, data, f"{where}.by_dataset", "data set")
    refining = sources.options_of(sources.file_of(REFINEMENT), "Refinement")
    parts: dict[str, Adaptation] = {where: entry}
    parts |= {f"{where}.by_dataset.{dataset}": part for dataset, part in entry.by_dataset.items()}
    for place, part in parts.items():
        _check_options(part.params, sources.options_of(path, "Params"), f"{place}.params")
        _check_options(part.training, sources.options_of(path, "Training"), f"{place}.training")
        _check_options(part.refine, refining, f"{place}.refine")
        _known([part.train_on] if part.train_on else [], config.datasets, f"{place}.train_on", "data set")


def _used(config: Config) -> tuple[set[str], set[str]]:
    """Return the methods and data sets that a run needs, those that only teach or are only learned from included."""
    chosen = {name for name in config.run.methods if name in config.methods}
    methods = chosen | {teacher for name in chosen if (teacher := config.methods[name].teacher)}
    entries = [config.methods[name] for name in methods if name in config.methods]
    parts = [part for entry in entries for part in (entry, *entry.by_dataset.values())]
    data = [config.datasets[name] for name in config.run.datasets if name in config.datasets]
    return methods, {*config.run.datasets, *(part.train_on for part in (*parts, *data) if part.train_on)}


def _broken_files_matter(used: bool) -> contextlib.AbstractContextManager[None]:
    """Pass over source files that cannot be read where nobody needs them."""
    return contextlib.nullcontext() if used else contextlib.suppress(sources.BrokenFileError)


def _check_module(room: str, module: str, where: str) -> None:
    if module.isidentifier() and _module_file(room, module).is_file():
        sources.sources_of([f"{room}.{module}"])  # a file that cannot be read is refused in a line of its own
    _known([module], sources.module_names(room), f"{where}.module", "module")


def _check_teacher(config: Config, name: str) -> None:
    student, where = config.methods[name], f"configuration, methods.{name}.teacher"
    if student.teacher is None:
        return
    _known([student.teacher], config.methods, f"methods.{name}.teacher", "method")
    teacher = config.methods[student.teacher]
    file = sources.method_file(student.module)
    if "teacher" not in sources.parameters_of(file, "train"):
        raise SettingsError(f"{where}: {student.module} cannot learn from a teacher")
    if teacher.module not in sources.constant_of(file, "TEACHERS", (student.module,)):
        raise SettingsError(f"{where}: {student.teacher!r} is made by another module, so it cannot teach")
    if teacher.teacher is not None:
        raise SettingsError(f"{where}: {student.teacher!r} must be a method that learns without a teacher")


def _shown_module(module: str) -> str:
    return module if is_own(module) else f"methods/{module}.py"


def _check_options(given: Options, known: Mapping[str, sources.Option], where: str, *, whole: bool = False) -> None:
    """Refuse options that are unknown or do not fit, and, where ``given`` is the ``whole``, one that has to be given.

    Options of methods all have defaults (`own_methods`).
    """
    _known(given, known, where, "option")
    for name, option in known.items():
        if whole and option.default is ... and name not in given:
            wanted = annotations.in_words(option.annotation)
            raise SettingsError(f"configuration, {where}.{name}: missing, and it has no default; write {wanted}")
    for name, value in given.items():
        if fault := range_fault(name, value, known[name].default):
            raise SettingsError(f"configuration, {where}.{name}: {fault}")
        expected, fields = known[name].annotation, known[name].fields
        if fields is not None and value is not None:
            if not isinstance(value, Mapping):
                raise SettingsError(f"configuration, {where}.{name}: expected keys and values, got {shown(value)}")
            _check_options(value, fields, f"{where}.{name}", whole=whole)
        elif not annotations.accepts(expected, value):
            wanted = annotations.in_words(expected)
            raise SettingsError(
                f"configuration, {where}.{name}: expected {wanted}{example(known[name].default)}, "
                f"got {shown(value)}{number_hint(value)}"
            )


def _unnamed_keys(content: Any, *place: str) -> Iterator[str]:
    """Yield the places of keys that are no text: YAML reads ``no:`` as false and ``1:`` as a number."""
    for key, value in content.items() if isinstance(content, Mapping) else ():
        if not isinstance(key, str):
            yield f"{'.'.join(place) or 'top level'}: the key {json.dumps(key, default=str)} is no text"
        yield from _unnamed_keys(value, *place, str(key))


def _infinite_numbers(content: Any, *place: str) -> Iterator[str]:
    """Yield the places of numbers that are none: NaN, those without end, whole ones that no machine counts to."""
    parts = content.items() if isinstance(content, Mapping) else enumerate(content) if _is_list(content) else ()
    for key, value in parts:
        if isinstance(value, (int, float)) and not abs(value) < (float("inf") if isinstance(value, float) else 2**63):
            yield f"{'.'.join((*place, str(key)))}: {str(value)[:30]} is no number to work with"
        yield from _infinite_numbers(value, *place, str(key))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _known(names: Iterable[str], known: Iterable[str], where: str, what: str) -> None:
    for name in names:
        if name not in known:
            raise SettingsError(f"configuration, {where}: unknown {what} {name!r}; {nearest(name, known)}")


def _module_file(room: str, module: str) -> Path:
    return sources.ROOT / room / f"{module}.py"
