"""Show what there is to run, and what holds for a method on a data set.

Without names it lists methods, data sets, metrics, papers and profiles. With `data` it says of every data set, or of
the one named behind it, how it is licensed, what of it is there, what is missing and the next step. With a method it
prints on which data sets that runs under a profile, what it resolves to on all that say nothing else, where each value
comes from, and what each option means; with a data set behind it, what holds there. Values marked - are defaults of the
code.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.metrics import METRICS
from benchmarks.provenance import placeless
from benchmarks.records import text_of
from workflows.ahead import supplies
from workflows.configuration import annotations, sources
from workflows.configuration.config import SettingsError, nearest
from workflows.configuration.document import KINDS, default_of, refinement_options
from workflows.configuration.resolve import CATALOGUE, DEFAULT_PROFILE, papers, read_yaml, resolve
from workflows.configuration.settings import Settings
from workflows.planning.plan import Plan
from workflows.planning.specs import REFINEMENT
from workflows.planning.wildcards import Wildcards
from workflows.running.options import build, import_method

WIDTH = 118


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what the command line asks for; a fault or a misspelt name is one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", nargs="?")
    parser.add_argument("dataset", nargs="?", metavar="data set")
    parser.add_argument("--configfile", type=Path, default=DEFAULT_PROFILE, help="a profile; mini where left out")
    parser.add_argument("--specifications", action="store_true", help="print what the steps of a run are handed")
    given = parser.parse_args(arguments)
    try:
        settings = resolve(read_yaml(given.configfile), [given.configfile])
        lines = _asked(settings, given.method, given.dataset, given.specifications)
        sys.stdout.write("\n".join(lines) + "\n")
    except (SettingsError, ValueError, ImportError) as error:  # a method may lack its library
        sys.exit(f"error: {error}")


def _asked(settings: Settings, method: str | None, dataset: str | None, specifications: bool) -> list[str]:
    if method is None:
        return list(overview(settings))
    if method == "data":
        if dataset is not None:
            _known(dataset, settings.config.datasets, "data set")
        return list(supplies.lines(settings, Plan(settings).layout, dataset))
    if method in settings.config.datasets:
        raise SettingsError(f"{method!r} is a data set; name a method before it, or: python -m workflows.show data")
    _known(method, settings.config.methods, "method")
    if dataset is None and specifications:
        raise SettingsError(f"--specifications: name a data set too: {', '.join(settings.config.datasets)}")
    if dataset is None:
        return list(describe(settings, method))
    if members := settings.config.groups.get(dataset):
        raise SettingsError(f"{dataset} is a group of data sets; name one of them: {', '.join(members)}")
    _known(dataset, settings.config.datasets, "data set")
    return list((_specifications if specifications else describe)(settings, method, dataset))


def overview(settings: Settings) -> Iterator[str]:
    """Yield the lines that list all there is, and what the profile runs of it."""
    config = settings.config
    yield f"* marks what the profile {settings.profile} runs"
    profiles = [_profile(path, settings.profile) for path in sorted(CATALOGUE.parent.glob("[!.]*.yaml"))]
    sections = {
        "Methods": [
            (_mark(name in settings.methods), name, entry.kind, placeless(entry.module), entry.label)
            for name, entry in config.methods.items()
        ],
        "Data sets": [
            (_mark(name in settings.datasets), name, entry.module, entry.train_on and f"learns on {entry.train_on}")
            for name, entry in config.datasets.items()
        ],
        "Groups of data sets": [(" ", name, ", ".join(members)) for name, members in config.groups.items()],
        "Metrics": [
            (" ", name, metric.unit, f"{'higher' if metric.higher_is_better else 'lower'} is better", metric.name)
            for name, metric in METRICS.items()
        ],
        "Papers, and their data sets": [
            (_mark(name in config.papers), name, ", ".join(data)) for name, data in papers().items()
        ],
        "Profiles (--configfile workflows/config/<name>.yaml)": profiles,
    }
    for title, rows in sections.items():
        yield from _titled(title, _table(rows))


def _profile(path: Path, chosen: str) -> tuple[str, str, str, str]:
    try:
        content = read_yaml(path)
        methods = f"{len(content['run']['methods'])} methods"
        return _mark(path.stem == chosen), path.stem, methods, content.get("about", "")
    except (SettingsError, KeyError, TypeError) as error:  # somebody's own, and unfinished
        return " ", path.stem, "no profile", str(error)


def describe(settings: Settings, method: str, dataset: str = "") -> Iterator[str]:
    """Yield the lines that say what holds for a method, and why: on a data set, or on all that say nothing else."""
    entry = settings.method(method)
    if dataset:
        runs = "runs" if (method, dataset) in settings.runs else "does not run"
        yield f"{method} on {dataset} in the profile {settings.profile}, which {runs} it"
    else:
        yield f"{method} in the profile {settings.profile}, on data sets that say nothing else"
    yield ""

    def where(key: str, otherwise: str = "-") -> str:
        return settings.origin(method, dataset, key) or otherwise

    rows = [
        ("label", entry.label, where("label")),
        ("module", _file(settings.module_path(method)), where("module")),
        ("kind", entry.kind, where("kind")),
        ("cite", entry.cite, where("cite")),
        ("seeds", ", ".join(map(str, settings.seeds(method, dataset))), where("seeds", "all methods")),
        ("time limit", f"{settings.time_limit(method, dataset):g} s", where("time_limit", "all methods")),
    ]
    if settings.trains(method):
        learns = settings.train_on(method, dataset) if dataset else entry.train_on or "what the data set's entry says"
        rows += [
            ("learns on", learns, where("train_on", "the data set")),
            ("teacher", entry.teacher or "none", where("teacher")),
            ("watched on", ", ".join(settings.watched(method)) or "nothing", where("watch")),
        ]
    yield from _table(rows)
    yield from () if dataset else _table(_places(settings, method))
    module = import_method(settings.module(method))
    given = {"params": entry.on(dataset).params, "training": entry.on(dataset).training}
    for kind, part in KINDS.items():
        options = sources.options_of(settings.module_path(method), kind)
        if options:
            made = build(getattr(module, kind), given[part])
            yield from _titled(f"Options under {part}", _options(settings, (method, dataset, part), options, made))
    if refine := entry.on(dataset).refine:
        made, options = build(importlib.import_module(REFINEMENT).Refinement, refine), refinement_options()
        yield from _titled("Options under refine", _options(settings, (method, dataset, "refine"), options, made))


def _places(settings: Settings, method: str) -> list[tuple[str, str]]:
    """Return rows on the data sets that a method runs on, and on those where some of its options are others."""
    entry = settings.method(method)
    runs = [name for one, name in settings.runs if one == method]
    absent = "nothing: it is not among the profile's run.methods"
    rows = [("runs on", ", ".join(runs) or ("nothing" if method in settings.methods else absent))]
    if others := [name for name in entry.by_dataset if name in settings.config.datasets]:
        first = next((name for name in others if name in runs), others[0])
        rows += [("other options on", ", ".join(others)), ("which", f"python -m workflows.show {method} {first}")]
    return rows


def _options(
    settings: Settings, path: tuple[str, ...], options: Mapping[str, sources.Option], made: object
) -> Iterator[str]:
    """Yield two lines or more an option: its value and who says it, then its type, default and meaning."""
    for name, option in options.items():
        value, here = getattr(made, name), (*path, name)
        inside = option.fields if option.fields and value is not None else {}
        otherwise = "follows from other options" if default_of(option) == "open" else "-"
        label, text = ".".join(here[3:]), "" if inside else _text(value)
        yield f"  {label:<26}  {text:<28}  {settings.origin(*here) or otherwise}"
        yield from textwrap.wrap(_meaning(option), WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
        yield from _options(settings, here, inside, value)


def _meaning(option: sources.Option) -> str:
    kind = annotations.in_words(option.annotation)
    return f"{option.doc} ({'options of its own' if option.fields else kind}; default {default_of(option)})".lstrip()


def _specifications(settings: Settings, method: str, dataset: str) -> Iterator[str]:
    """Yield the specifications of the jobs of a method's first seed and of the first chunk of a data set."""
    plan = Plan(settings)
    job = Wildcards(dataset, method, str(settings.main_seed(method, dataset)), "0")
    learned = replace(job, dataset=settings.train_on(method, dataset))
    steps = {"prepare": plan.prepare(job), "register": plan.register(job)}
    if settings.trains(method):
        steps["train"] = plan.train(learned)
    for step, spec in steps.items():
        yield from _titled(f"python -m workflows.{step} <this as a file>", [text_of(spec).rstrip()])


def _known(name: str, known: Iterable[str], what: str) -> None:
    if name not in known:
        raise SettingsError(f"unknown {what} {name!r}; {nearest(name, known)}")


def _file(path: Path) -> str:
    """Return a file of this project from its root, any other one as it is."""
    return str(path.relative_to(sources.ROOT) if path.is_relative_to(sources.ROOT) else path)


def _mark(chosen: bool) -> str:
    return "*" if chosen else " "


def _text(value: Any) -> str:
    """Return a value as a configuration has it."""
    return value if isinstance(value, str) else json.dumps(value)


def _titled(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ("", title, *lines)


def _table(rows: Iterable[Sequence[str | None]]) -> list[str]:
    """Return rows as aligned lines; the last cell is wrapped below itself."""
    cells = [[cell or "" for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]) - 1)]
    lines = []
    for row in cells:
        start = "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)) + "  "
        wrapped = textwrap.wrap(row[-1], max(40, WIDTH - len(start))) or [""]
        lines += [(start + wrapped[0]).rstrip(), *(" " * len(start) + more for more in wrapped[1:])]
    return lines


if __name__ == "__main__":
    main()
