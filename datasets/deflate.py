"""gzip files by ISA-L, which takes a tenth of zlib's time to write and half of it to read; by zlib where it is missing.

Both write files that any reader of gzip takes. Their bytes differ, and nothing depends on them.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportGeneralTypeIssues=false
# isal is typed in part only.

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

try:
    from isal import igzip, isal_zlib
except ImportError:  # `make gpu` does without
    igzip = isal_zlib = None

LEVEL = 1  # higher ones take longer and save little of what is noise in its last bits


def decompress(content: bytes) -> bytes:
    """Return what a gzip file holds, its checksum compared.

    Raises:
        OSError, EOFError, zlib.error: it is none, damaged, or cut off.
    """
    if igzip is None or isal_zlib is None:
        return gzip.decompress(content)
    try:
        return igzip.decompress(content)
    except isal_zlib.error as error:
        raise zlib.error(str(error)) from error


@contextmanager
def written(path: Path) -> Generator[BufferedIOBase]:
    """Open a file to write into; gzip where its name ends so, the same bytes for the same content at any time."""
    with open(path, "wb") as raw:
        if path.suffix != ".gz":
            yield raw
            return
        kind = gzip.GzipFile if igzip is None else igzip.IGzipFile
        with kind(filename="", mode="wb", compresslevel=LEVEL, fileobj=raw, mtime=0) as packed:
            yield packed
