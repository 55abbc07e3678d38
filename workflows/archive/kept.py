"""Whether the archives kept with the project still give the report that was looked at, byte by byte.

    python -m workflows.archive.kept            compare tables, ledger, claims, audit and failures
    python -m workflows.archive.kept --accept   write down what the archives give now

Digests lie beside each archive. A change of words or decimals in a table is seen here as well: look at it, accept it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from datasets.files import DataError, replacing, sha256
from reports import TABLES, page
from reports.archive.load import load
from reports.archive.packed import NAME, read
from workflows.configuration.sources import ROOT

MEASURED = ROOT / "reports" / "measured"
DIGESTS = "report.sha256"


def archives(folder: Path = MEASURED) -> list[Path]:
    """Return the archives that are kept."""
    return sorted(folder.glob(f"*/{NAME}"))


def digests(archive: Path, folder: Path) -> str:
    """Build the report of an archive in a folder; return the digests of what is compared, a line a file."""
    found = load(read(archive))
    page.build(folder, found.run, found.papers, processes=1)
    compared = sorted([*folder.glob("*.csv"), *(folder / TABLES).iterdir()])
    return "".join(f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in compared)


def differences(archive: Path, folder: Path) -> list[str]:
    """Return what an archive gives otherwise than was written down, a line a file."""
    path = archive.with_name(DIGESTS)
    if not path.exists():
        return [f"{path}: missing; look at the report, then --accept"]
    known, now = (
        {name: digest for digest, _, name in (line.partition("  ") for line in text.splitlines())}
        for text in (path.read_text(encoding="utf-8"), digests(archive, folder))
    )
    odd = sorted(name for name in known.keys() | now.keys() if known.get(name) != now.get(name))
    return [f"{archive.parent.name}: {name} is not as it was; look at the report, then --accept" for name in odd]


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare or accept; end with status 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", action="store_true")
    given, lines = parser.parse_args(arguments), list[str]()
    try:
        for archive in archives():
            with tempfile.TemporaryDirectory() as folder:
                if not given.accept:
                    lines += differences(archive, Path(folder))
                    continue
                with replacing(archive.with_name(DIGESTS)) as temporary:
                    temporary.write_text(digests(archive, Path(folder)), encoding="utf-8")
    except DataError as error:
        sys.exit(f"error: {error}")
    if lines:
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()
