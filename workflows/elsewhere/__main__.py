"""Train on another machine what a profile needs, several networks at a time, and let the run here go on with them.

python -m workflows.elsewhere list workflows/config/study.yaml    here: which trainings, what to copy there
python -m workflows.elsewhere train results/study/trainings.json --device cuda --at-once 12    there
python -m workflows.elsewhere adopt workflows/config/study.yaml   here, once results/study/models has been copied back

There it needs torch, NumPy, SciPy, safetensors, nibabel, msgspec, psutil and filelock alone. See docs/gpu.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.files import DataError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what cannot be done is one line."""
    given = _parser().parse_args(arguments)
    try:
        lines = given.run(given)
    except DataError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or ''}: {error.strerror or error}")
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _list(given: argparse.Namespace) -> list[str]:
    from workflows.elsewhere.planned import listed  # there, what it reads configurations with is not needed

    return listed(given.configfile, given.stage)


def _adopt(given: argparse.Namespace) -> list[str]:
    from workflows.elsewhere.planned import adopted

    return adopted(given.configfile)


def _train(given: argparse.Namespace) -> list[str]:
    from workflows.elsewhere.trained import trained

    if given.at_once < 1 or not given.seconds > 0:
        raise DataError("--at-once, --seconds: expected more than 0")
    return trained(given.trainings, given.device, given.at_once, given.seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workflows.elsewhere", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    lists, trains, adopts = (verbs.add_parser(name, help=about) for name, about in _VERBS.items())
    lists.set_defaults(run=_list)
    lists.add_argument("configfile", type=Path)
    lists.add_argument("--stage", type=int, help="of a profile that has stages: all up to this one")
    trains.set_defaults(run=_train)
    trains.add_argument("trainings", type=Path, help="the file that list has written")
    trains.add_argument("--device", default="cuda")
    trains.add_argument("--at-once", type=int, default=4, help="networks that learn at a time, a process each")
    trains.add_argument("--seconds", type=float, default=float("inf"), help="stop then; the same command goes on")
    adopts.set_defaults(run=_adopt)
    adopts.add_argument("configfile", type=Path)
    return parser


_VERBS = {
    "list": "write down which trainings a profile still needs",
    "train": "train them, where they were copied to",
    "adopt": "take what has been trained as this run's own",
}


if __name__ == "__main__":
    main()
