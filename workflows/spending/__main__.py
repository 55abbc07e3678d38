"""Say where the CPU seconds of a run went, kind by kind, from what its jobs have noted.

    python -m workflows.spending results/mini           print the table
    python -m workflows.spending results/mini --keep    write it into docs/speed.md too

Of each job its last run counts. Snakemake notes its own seconds as it ends, so the last line holds for a run that went
through in one go alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from datasets.files import DataError
from workflows.spending.table import read, table, written

PAGE = Path(__file__).parents[2] / "docs" / "speed.md"


def main(arguments: list[str] | None = None) -> None:
    """Print the table of a results folder; with ``--keep`` also write it into the page on speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the folder that a run has left, such as results/mini")
    parser.add_argument("--keep", action="store_true", help="write the table into docs/speed.md")
    asked = parser.parse_args(arguments)
    try:
        found = table(read(asked.results))
        if asked.keep:
            PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    except DataError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(f"{found}\n")


if __name__ == "__main__":
    main()
