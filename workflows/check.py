"""List everything that is wrong with data of your own, before a run.

    python -m workflows.check ~/scans            # a Learn2Reg layout, or a folder with a CSV of pairs
    python -m workflows.check ~/mine/bench.yaml  # the data sets of module `folder` that a configuration runs, and the
                                                 # displacements made elsewhere (`like: fields`) that it scores

Every file is read and nothing is written. Problems are a line each, and the status is 1 where there are any; else a
few lines say what was found: pairs, subjects, grids, labels, the unit of the landmarks, the convention of the
displacements. docs/own-data.md and docs/own-fields.md have the forms.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from datasets.case import open_dataset
from datasets.files import DataError
from datasets.own.examine import Examined, examine
from datasets.own.options import Params
from datasets.own.summary import summary
from workflows.configuration.reading import read_yaml
from workflows.configuration.resolve import resolve
from workflows.configuration.settings import Settings
from workflows.planning.plan import Plan
from workflows.running.machine import of_system
from workflows.running.options import build, import_method

MODULE, FIELDS = "folder", "methods.fields"
CONFIGURATIONS = (".yaml", ".yml", ".json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m workflows.check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", type=Path, help="a folder, a CSV of pairs, a *_dataset.json, or a configuration file")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        found = _all_told(given.what)
    except DataError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {of_system(error)}")
    except KeyboardInterrupt:
        sys.exit("error: stopped before its end")
    if found:
        sys.exit(f"error: {found} problem{'s' if found > 1 else ''}; correct what is listed, and check again")


def _told(name: str, params: Params) -> int:
    """Print what is wrong with a data set, or what is in it; return how much is wrong."""
    try:
        found: Examined = examine(params)
    except DataError as error:
        sys.stdout.write(f"{name}: {error}\n")
        return 1
    lines = [str(problem) for problem in found.problems] or list(summary(found))
    sys.stdout.writelines(f"{name}: {line}\n" for line in lines)
    return len(found.problems)


def _all_told(what: Path) -> int:
    """Print what there is to say of a folder, or of the data sets and the displacements of a configuration."""
    if not what.exists():
        raise DataError(f"{what}: no such folder or file")
    if not _is_configuration(what):
        return _told(what.name or str(what), Params(folder=what))
    settings = resolve(read_yaml(what), [what])
    names = [name for name in _wanted(settings) if settings.dataset(name).module == MODULE]
    given = [(method, data) for method, data in settings.runs if settings.module(method) == FIELDS]
    if not names and not given:
        raise DataError(
            f"{what}: runs no data set of the module {MODULE!r} and no displacements made elsewhere; docs/own-data.md "
            "and docs/own-fields.md show entries"
        )
    found = sum(_told(name, params) for name, params in _data_sets(what, settings, names))
    return found + sum(_fields_told(what, settings, *each) for each in given)


def _fields_told(what: Path, settings: Settings, method: str, name: str) -> int:
    """Print what is wrong with displacements made elsewhere, or how they are read; return how much is wrong."""
    who, folder = f"{method} on {name}", Plan(settings).layout.data(name)
    if lost := [path for path in settings.given(method, name) if not path.exists()]:
        sys.stdout.writelines(f"{who}: {path}: no such file or folder; correct the path\n" for path in lost)
        return len(lost)
    if not Plan(settings).layout.description(name).exists():
        sys.stdout.write(
            f"{who}: {name} is not prepared, so that nothing can be compared with its pairs; first "
            f"snakemake --cores all data --configfile {what}\n"
        )
        return 1
    module = import_method(FIELDS)
    try:
        params = build(module.Params, settings.params(method, name))
        read = module.load(params, device="cpu", seed=0, data=open_dataset(folder))
    except (DataError, ValueError) as error:
        sys.stdout.write(f"{who}: {error}\n")
        return 1
    sys.stdout.write(f"{who}: {read.told}\n")
    return 0


def _data_sets(what: Path, settings: Settings, names: Sequence[str]) -> Iterator[tuple[str, Params]]:
    """Yield the user's own data sets of a configuration, by name."""
    for name in names:
        try:
            yield name, build(Params, settings.dataset(name).params)
        except ValueError as error:
            raise DataError(f"{what}, datasets.{name}.params: {error}") from error


def _is_configuration(what: Path) -> bool:
    return what.is_file() and what.suffix.lower() in CONFIGURATIONS and not what.name.endswith("_dataset.json")


def _wanted(settings: Settings) -> list[str]:
    return list(dict.fromkeys([*settings.datasets, *settings.prepared]))


if __name__ == "__main__":
    main()
