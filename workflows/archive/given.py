"""An archive that a run is asked to report: `snakemake report --config from=<archive or folder>`."""

from __future__ import annotations

import sys
from pathlib import Path

from datasets.files import DataError
from reports.archive.packed import MANIFEST, NAME, read


def archive(path: object) -> Path | None:
    """Return the archive that a configuration names under ``from``, None where it names none.

    Raises:
        DataError: it is not there, torn, of another version, or its parts do not fit each other.
    """
    if path is None:
        return None
    if not isinstance(path, str) or not path:
        raise DataError(f"from: expected the path of an archive or of a folder with one, got {path!r}")
    from reports.archive.opened import opened  # with all that reads tables, for which other runs need not wait

    return opened(read(Path(path))).archive.path


def file_of(given: Path) -> Path:
    """Return the file whose change makes a report of an archive due."""
    return given / MANIFEST if given.is_dir() else given


def given_name(given: Path) -> str:
    """Return what tells an archive from others, of which most have the same name: that of its folder."""
    own = given.resolve()
    return own.parent.name if own.name == NAME else own.stem


if __name__ == "__main__":
    print(given_name(Path(sys.argv[1])))
