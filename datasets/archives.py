"""Archives that people have downloaded: read a file at a time, or the few unpacked that are named, refused where odd.

A sound archive of scans holds plain files under relative names, each once. Links, devices, names that lead out of the
folder, archives in archives, and more or larger files than scans can be are signs of damage or worse.
"""

from __future__ import annotations

import logging
import lzma
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets.files import DataError, one_line, replacing
from datasets.found import is_left_over
from datasets.originals import note
from datasets.room import in_words, lack_of_room
from datasets.webpage import page_at

logger = logging.getLogger(__name__)

MOST_FILES, MOST_BYTES = 100_000, 16 * 2**30
# Scans shrink to a half or a third; deflate can reach 1032. Small files are let pass.
MOST_SHRUNK, SMALL = 200, 2**20
_NESTED = re.compile(r".*\.(zip|tar|tgz|gz|bz2|xz|7z|rar)", re.IGNORECASE | re.DOTALL)
_OUTSIDE = re.compile(r"([A-Za-z]:|/|\.\.(/|$)|.*/\.\.(/|$)).*", re.DOTALL)
_FAULTS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    RuntimeError,  # a zip that wants a password, or one of a method that is not known
)


@dataclass(frozen=True)
class Packed:
    """A member of an archive: its name, its bytes unpacked and packed, and what it is if it is no plain file."""

    name: str
    size: int
    packed: int
    odd: str = ""


def names_in_zip(archive: Path) -> list[str]:
    """Return the names of the files in a zip archive, without those that systems leave there.

    Raises:
        DataError: the archive cannot be read, or holds what no archive of scans would.
    """
    note(archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [_of_zip(info) for info in opened.infolist() if info.filename[-1:] != "/"]
    except _FAULTS as error:
        raise DataError(f"{archive}: {_no_zip(archive, error)}; download it again") from error
    return _checked(archive, members)


def read_from_zip(archive: Path, name: str, most: int) -> bytes:
    """Return a file of a zip archive that `names_in_zip` has named; raise `DataError` above ``most`` bytes."""
    try:
        with zipfile.ZipFile(archive) as opened:
            if (size := opened.getinfo(name).file_size) > most:
                raise DataError(f"{archive}: {name}: {size} bytes, expected at most {most}; is it another file?")
            return opened.read(name)
    except DataError:
        raise
    except (*_FAULTS, KeyError) as error:
        raise DataError(f"{archive}: {name}: cannot be read ({one_line(error)}); download this pack again") from error


@dataclass(frozen=True)
class Member:
    """A file of somebody else's, by itself (``inside`` empty) or in the archive ``path``."""

    path: Path
    inside: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.inside}" if self.inside else str(self.path)

    def read(self, most: int) -> bytes:
        """Read the whole file; raise `DataError` where that fails or it has more than ``most`` bytes."""
        if self.inside:
            return read_from_zip(self.path, self.inside, most)
        note(self.path)
        try:
            if (size := self.path.stat().st_size) > most:
                raise DataError(f"{self}: {size} bytes, expected at most {most}; is it another file?")
            return self.path.read_bytes()
        except OSError as error:
            raise DataError(f"{self}: cannot be read ({error}); get it again") from error


def unpack(archive: Path, wanted: Mapping[str, Path]) -> None:
    """Write files of a zip archive that `names_in_zip` has named to the paths given, each whole or not at all.

    Raises:
        DataError: the disk has no room for them, or the archive is damaged.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            sizes = {name: opened.getinfo(name).file_size for name in wanted}
            for path in {path.parent for path in wanted.values()}:
                if fault := lack_of_room(path, sum(sizes.values())):
                    raise DataError(f"{archive}: unpacked, {fault}; make room there")
            for name, path in wanted.items():
                logger.info("unpacking %s, %s", name, in_words(sizes[name]))
                with replacing(path) as temporary, opened.open(name) as inside, open(temporary, "wb") as stream:
                    shutil.copyfileobj(inside, stream, 2**20)
    except DataError:
        raise
    except (*_FAULTS, KeyError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the system, as is a full disk
            raise
        raise DataError(f"{archive}: cannot be unpacked ({one_line(error)}); download it again") from error


def read_from_tar(archive: Path, ending: str) -> bytes:
    """Return the one file of a tar archive that has an ``ending``, whatever it is called.

    Raises:
        DataError: the archive cannot be read, has none or several such files, or holds what no archive of scans would.
    """
    note(archive)
    try:
        with tarfile.open(archive) as opened:
            infos = dict[str, tarfile.TarInfo]()
            names = _checked(archive, _of_tar(opened, infos))
            chosen = [name for name in names if name.lower().endswith(ending)]
            if len(chosen) != 1:
                found = ", ".join(chosen or names[:5]) or "none"
                raise DataError(f"{archive}: expected one file {ending}, found {found}")
            inside = opened.extractfile(infos[chosen[0]])
            return inside.read() if inside else b""
    except DataError:
        raise
    except _FAULTS as error:
        raise DataError(
            f"{archive}: not a readable tar archive ({one_line(error)}); delete it and run again"
        ) from error


def _no_zip(archive: Path, error: Exception) -> str:
    if said := page_at(archive):
        return f"a web page lies under this name: {said}"
    return f"not a readable zip archive ({one_line(error)})"


def _of_zip(info: zipfile.ZipInfo) -> Packed:
    link = stat.S_ISLNK(info.external_attr >> 16)
    odd = "a link" if link else "locked by a password" if info.flag_bits & 1 else ""
    return Packed(info.filename, info.file_size, info.compress_size, odd)


def _of_tar(opened: tarfile.TarFile, infos: dict[str, tarfile.TarInfo]) -> Iterable[Packed]:
    for info in opened:
        if not info.isdir():
            infos[info.name] = info
            yield Packed(info.name, info.size, info.size, "" if info.isfile() else "a link or device")


def _checked(archive: Path, members: Iterable[Packed]) -> list[str]:
    """Return the names of members; refuse the archive at the first that is odd, so that no bomb is read to its end."""
    names, met, total = list[str](), set[str](), 0
    for member in members:
        name, total = member.name.replace("\\", "/"), total + member.size
        if fault := _fault(member, name) or ("is there twice" if name.lower() in met else ""):
            raise DataError(f"{archive}: {member.name[:200]!r} {fault}, as in no archive of scans; get another copy")
        met.add(name.lower())
        if len(met) > MOST_FILES or total > MOST_BYTES:
            raise DataError(f"{archive}: over {MOST_FILES} files or {MOST_BYTES} bytes, as in no archive of scans")
        if not is_left_over(name):
            names.append(member.name)
    return names


def _fault(member: Packed, name: str) -> str:
    if member.odd or not name:
        return f"is {member.odd or 'without a name'}"
    if _OUTSIDE.fullmatch(name):
        return "leads out of the folder"
    if _NESTED.fullmatch(name):
        return "is an archive in an archive"
    if member.size > max(SMALL, MOST_SHRUNK * member.packed):
        return f"grows from {member.packed} to {member.size} bytes"
    return ""
