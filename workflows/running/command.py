"""What the steps share as commands: one JSON specification as argument, a log, and one clear line for a fault."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from datasets.files import DataError
from workflows.running.supervisor import end_with_runner

Spec = Mapping[str, Any]


def run_step(step: Callable[[Spec], None], usage: str) -> None:
    """Run a step on the specification that the command line gives."""
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "specification", help="a JSON object, or a file with one; `snakemake -p -n` prints those of a run"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads the step may use")
    arguments = parser.parse_args()
    end_with_runner()
    try:
        spec = {"threads": arguments.threads, **_specification(arguments.specification)}
        # Steps run side by side and share a terminal: each line says whose it is.
        whose = " ".join(Path(spec[name]).name for name in ("method", "dataset", "name") if name in spec)
        form = f"%(asctime)s {whose}: %(message)s" if whose else "%(asctime)s %(message)s"
        logging.basicConfig(level=logging.INFO, format=form, datefmt="%H:%M:%S", stream=sys.stderr)
        step(spec)
    except DataError as error:  # of data, results or settings
        sys.exit(f"error: {error}")
    except PermissionError as error:
        sys.exit(f"error: {error.filename}: no permission to write; choose another folder or correct its owner")
    except OSError as error:
        sys.exit(f"error: {error.filename or ''}: {error.strerror or error}")


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name and move it into place, so that no half file is ever seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _specification(argument: str) -> Spec:
    try:
        return json.loads(argument if argument.lstrip().startswith("{") else Path(argument).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, FileNotFoundError) as error:
        raise DataError(f"the specification is not JSON ({error})") from error
