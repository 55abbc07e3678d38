"""List everything that is wrong with data of your own, before a run.

    python -m workflows.check ~/scans            # a Learn2Reg layout, or a folder with a CSV of pairs
    python -m workflows.check ~/mine/bench.yaml  # the data sets of module `folder` that a configuration runs

Every file is read and nothing is written. Problems are a line each, and the status is 1 where there are any; else a
few lines say what was found: pairs, subjects, grids, labels, the unit of the landmarks. docs/own-data.md has the forms.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from datasets.files import DataError
from datasets.own.examine import Examined, examine
from datasets.own.options import Params
from datasets.own.summary import summary
from workflows.configuration.reading import read_yaml
from workflows.configuration.resolve import resolve
from workflows.configuration.settings import Settings
from workflows.running.command import of_system
from workflows.running.options import build

MODULE = "folder"
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
        found = sum(_told(name, params) for name, params in _data_sets(given.what))
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


def _data_sets(what: Path) -> Iterator[tuple[str, Params]]:
    """Yield what is to be checked by name: the folder, or the user's own data sets of a configuration."""
    if not what.exists():
        raise DataError(f"{what}: no such folder or file")
    if not _is_configuration(what):
        yield what.name or str(what), Params(folder=what)
        return
    settings = resolve(read_yaml(what), [what])
    names = [name for name in _wanted(settings) if settings.dataset(name).module == MODULE]
    if not names:
        raise DataError(f"{what}: runs no data set of the module {MODULE!r}; docs/own-data.md shows an entry")
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
