"""Make the trainings of a list, several at a time, a process each; teachers before their students.

    python3 -m workflows.training results/study/trainings.json --device cuda --at-once 6

For a machine that has a GPU and little else: torch, NumPy, SciPy, safetensors, nibabel, msgspec, psutil and filelock.
Which trainings a profile needs, and what becomes of them: python -m workflows.training.elsewhere, and docs/gpu.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.files import DataError
from workflows.running.machine import of_system
from workflows.training.several import say, trained


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what cannot be done is one line."""
    parser = argparse.ArgumentParser(
        prog="python -m workflows.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trainings", type=Path, help="the list")
    parser.add_argument("--device", default="cuda", help="as torch names it")
    parser.add_argument("--at-once", type=int, default=4, help="networks that learn at a time")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop then; the same command goes on")
    given = parser.parse_args(arguments)
    try:
        if given.at_once < 1 or not given.seconds > 0:
            raise DataError("--at-once, --seconds: expected more than 0")
        say(trained(given.trainings, given.device, given.at_once, given.seconds))
    except DataError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {of_system(error)}")


if __name__ == "__main__":
    main()
