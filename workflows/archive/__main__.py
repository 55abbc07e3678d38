"""Show, compare and merge archives of runs.

python -m workflows.archive show A            what an archive holds
python -m workflows.archive compare A B       row by row what differs; --csv FILE keeps these rows
python -m workflows.archive merge A B -o C    what either has, as one archive
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from datasets.files import DataError
from reports.archive.compare import compare
from reports.archive.merge import merged
from reports.archive.opened import opened
from reports.archive.packed import Archive, ArchiveError, read, write
from reports.tables.markdown import markdown
from reports.tables.write import csv_text, write_text


def main() -> None:
    """Do what the command line says; end with one line where that cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, count in (("show", 1), ("compare", 2), ("merge", 2)):
        command = commands.add_parser(name)
        command.add_argument("archives", nargs=count, type=Path, metavar="ARCHIVE")
        if name == "compare":
            command.add_argument("--csv", type=Path, help="write the rows that differ")
        if name == "merge":
            command.add_argument("-o", "--output", type=Path, required=True, help="the archive to write")
    arguments = parser.parse_args()
    try:
        _run(arguments)
    except DataError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or ''}: {error.strerror}")


def _run(arguments: argparse.Namespace) -> None:
    archives = [read(path) for path in arguments.archives]
    if arguments.command == "show":
        print("\n".join(_shown(archives[0])))
    elif arguments.command == "compare":
        found = compare(*archives)
        if arguments.csv:
            write_text(arguments.csv, csv_text(found.rows))
        print(markdown(found.tables))
    else:
        if arguments.output.exists():
            raise ArchiveError(f"{arguments.output}: is there already; name another file")
        together = merged(*archives)
        write(arguments.output, together.manifest, together.content)
        print("\n".join(together.remarks))


def _shown(archive: Archive) -> list[str]:
    found, manifest = opened(archive), archive.manifest
    told, tables = found.told, {"metrics": found.metrics, "runs": found.runs, "timing": found.timing}
    size = sum(map(len, archive.content.values()))
    rows = ", ".join(f"{len(table)} {kind}" for kind, table in tables.items())
    return [
        f"profile    {told.profile}",
        f"commits    {', '.join(commit[:12] for commit in manifest.commits)}",
        f"rows       {rows}",
        f"data sets  {', '.join(each.description.name for each in told.datasets)}",
        f"methods    {', '.join(name for name, _ in told.methods)}",
        f"papers     {', '.join(told.papers)}",
        f"trainings  {len(told.trainings)}",
        f"contents   {len(archive.content)}, {size / 2**20:.1f} MiB, format {manifest.format}",
    ]


if __name__ == "__main__":
    main()
