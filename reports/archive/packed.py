"""The file of an archive: a zip of named contents with a manifest, checked to the last byte as it is read.

Equal contents give equal files: names are sorted, times are none. An archive may also lie unpacked in a folder.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import msgspec

from benchmarks import records
from datasets.files import DataError, one_line, replacing

FORMAT = 1  # changes when archives are read another way
NAME, MANIFEST = "archive.zip", "manifest.json"
PICTURES, TRAININGS = "pictures", "trainings"  # folders: of all that is drawn of images, of what trainings left
LARGEST = 512 * 2**20  # bytes of all contents together
MANY = 50_000  # contents
UNREADABLE = (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


class ArchiveError(DataError):
    """An archive that cannot be used: the message says which, why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What an archive says of itself; ``files`` has the sha256 of every content by name."""

    format: int = FORMAT
    profile: str
    commits: list[str]  # that the numbers are of
    files: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Archive:
    """An archive in memory: its manifest, and its contents by name, such as ``rows/metrics.parquet``."""

    path: Path
    manifest: Manifest
    content: Mapping[str, bytes]


def write(path: Path, manifest: Manifest, content: Mapping[str, bytes]) -> None:
    """Write an archive, whole or not at all; the manifest's ``files`` are made from the content."""
    names = sorted(content)
    files = {name: _sha256(content[name]) for name in names}
    text = records.text_of(replace(manifest, files=files))
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for name, data in ((MANIFEST, text.encode()), *((name, content[name]) for name in names)):
            about = zipfile.ZipInfo(name)  # of 1980, whenever it is written
            about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            out.writestr(about, data)


def read(path: Path) -> Archive:
    """Read an archive from its file, from a folder that holds it, or from a folder that it was unpacked in.

    Raises:
        ArchiveError: it is not there, is no archive, is torn or changed, or is of another version of the format.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / MANIFEST).is_file() and (path / NAME).is_file():
            return read(path / NAME)
        return _checked(path, _unpacked(path))
    if not path.is_file():
        raise ArchiveError(f"{path}: no such archive; give the path of an {NAME} or of a folder with its content")
    return _checked(path, _zipped(path))


def _checked(path: Path, content: dict[str, bytes]) -> Archive:
    manifest = _manifest(path, content.pop(MANIFEST, None))
    for what, names in (
        ("lacks", manifest.files.keys() - content.keys()),
        ("has besides what it lists", content.keys() - manifest.files.keys()),
    ):
        if names:
            raise ArchiveError(f"{path}: torn or changed: it {what} {min(names)}; copy or make it again")
    for name, expected in manifest.files.items():
        if _sha256(content[name]) != expected:
            raise ArchiveError(f"{path}: torn or changed: {name} has another sha256 than listed; copy or make it again")
    return Archive(path, manifest, content)


def _manifest(path: Path, text: bytes | None) -> Manifest:
    if text is None:
        raise ArchiveError(f"{path}: no archive of a run: it has no {MANIFEST}")
    try:
        found = msgspec.json.decode(text, type=_Version).format
        if found == FORMAT:
            return records.decode(text, Manifest)
    except msgspec.MsgspecError as error:
        raise ArchiveError(f"{path}: no archive of a run: its {MANIFEST} {_lower(error)}") from error
    raise ArchiveError(
        f"{path}: has format {found}, and this version reads {FORMAT}; read it with the version it is of"
    )


def _zipped(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as packed:
            entries = packed.infolist()
            _check_size(path, len(entries), sum(entry.file_size for entry in entries))
            for entry in entries:
                _check_name(path, entry.filename)
            return {entry.filename: packed.read(entry) for entry in entries}
    except ArchiveError:
        raise
    except UNREADABLE as error:
        raise ArchiveError(
            f"{path}: not a readable archive, perhaps torn ({one_line(error)}); copy it again"
        ) from error


def _unpacked(path: Path) -> dict[str, bytes]:
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.is_symlink()]
    _check_size(path, len(files), sum(file.stat().st_size for file in files))
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def _check_size(path: Path, count: int, size: int) -> None:
    if count > MANY or size > LARGEST:
        raise ArchiveError(
            f"{path}: {count} contents of {size / 2**20:.0f} MiB are no archive of a run (at most {MANY} of "
            f"{LARGEST / 2**20:.0f} MiB)"
        )


def _check_name(path: Path, name: str) -> None:
    """Refuse names that would lie outside of a folder that somebody unpacks the archive in."""
    # Where some systems see another folder a case may have a character of its name.
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0].startswith("/") or ".." in parts or ":" in name or "\0" in name:
        raise ArchiveError(f"{path}: no archive of a run: it holds {name!r}, which would lie outside of it")


def below(content: Mapping[str, bytes], folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield the contents below a folder, by the rest of their names."""
    for name, data in content.items():
        if name.startswith(f"{folder}/"):
            yield name.removeprefix(f"{folder}/"), data


@dataclass(frozen=True)
class _Version:
    """The part of a manifest that every version has."""

    format: int


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _lower(error: Exception) -> str:
    text = one_line(error)
    return text[:1].lower() + text[1:]
