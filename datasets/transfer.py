"""One file over HTTP: gone on with where it broke off, tried again where that may help, refused where it is a web page.

A download grows in ``<file>.part``; ``<file>.part.json`` beside it says what that is the beginning of. Only what is
whole and has the right checksum gets the name of the file. The rest of a part is asked for (``Range``) where the
server's own mark of the content (its ETag, or when it was changed) or a known checksum proves at the end that both
halves belong together; a server that sends everything again is begun with anew.
"""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import requests

from datasets.files import one_line, replacing
from datasets.originals import unrecorded
from datasets.room import in_words, lack_of_room
from datasets.webpage import HEAD, page_in

logger = logging.getLogger(__name__)
RETRIES = 3
TIMEOUT = (10, 60)  # seconds to connect, and without a byte
LONGEST_WAIT = 60.0  # seconds, where a server asks for more
TOLD_EVERY = 10.0  # seconds from one line about the progress to the next
KINDS = {32: "md5", 64: "sha256", 128: "sha512"}  # of checksums, by the number of their digits
_PIECE = 2**16  # bytes; those of a piece that broke off are lost
_LOST = (requests.TooManyRedirects, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)


@dataclass(frozen=True)
class Tries:
    """How often in a row a download is tried again where that may help, and the first pause in s, which doubles.

    A try that brought more of a file that can be gone on with counts for none.
    """

    retries: int = RETRIES
    pause: float = 1.0


USUAL = Tries()


class TransferError(Exception):
    """A download that failed; ``passing`` says whether it may go well at another try, ``wait`` how long that has."""

    def __init__(self, text: str, *, passing: bool, wait: float = 0) -> None:
        """Say in a phrase what went wrong."""
        super().__init__(text)
        self.passing, self.wait = passing, wait


@dataclass(frozen=True)
class Begun:
    """What a part is the beginning of: its address, the server's ``mark`` of the content, the bytes of the whole.

    ``whole`` is 0 where unknown. A server that does not go on with a part (``resumes``) is not asked to again.
    """

    url: str
    mark: str = ""
    whole: int = 0
    resumes: bool = True


def transfer(url: str, path: Path, checksum: str, tries: Tries = USUAL) -> None:
    """Download a file to ``path``, whole and with its ``checksum`` (MD5, SHA-256, SHA-512, or "") or not at all.

    What has come of it stays for the next call, where the server can go on with it.

    Raises:
        TransferError: it could not be had; the message says why.
    """
    part, number = _Part(url, path, checksum), 0
    while True:
        before = part.size
        try:
            return part.complete()
        except TransferError as fault:
            if part.went_on and part.size > before:
                number = 0
            if not fault.passing or number >= tries.retries:
                part.drop_if_useless()
                raise
            wait = max(tries.pause * 2**number, min(fault.wait, LONGEST_WAIT))
            logger.warning("%s: %s; trying again in %g s", url, fault, wait)
            time.sleep(wait)
            number += 1


def digest_of(path: Path, checksum: str) -> str:
    """Return the checksum of a file, of the kind of another one; the file is not noted as an original."""
    with unrecorded(), open(path, "rb") as stream:
        return hashlib.file_digest(stream, KINDS.get(len(checksum), "sha256")).hexdigest()


class _Part:
    """The part of one file that is here, and how it grows."""

    def __init__(self, url: str, path: Path, checksum: str) -> None:
        self.url, self.path, self.checksum = url, path, checksum
        self.file, self.about = (path.with_name(f"{path.name}.part{ending}") for ending in ("", ".json"))
        self.went_on = False  # whether the last try went on with what was there

    @property
    def size(self) -> int:
        """The bytes that have come."""
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def begun(self) -> Begun:
        """What the part is the beginning of, as far as that is known."""
        try:
            return Begun(**json.loads(self.about.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Begun("", resumes=False)

    def complete(self) -> None:
        """Ask for what is missing, and give the whole its name."""
        self.went_on = False
        try:
            headers = {"Accept-Encoding": "identity", **self._rest()}
            with requests.get(self.url, stream=True, timeout=TIMEOUT, headers=headers) as answer:
                if not self._is_complete(answer):
                    self._take(answer, self._place(answer))
        except _LOST as error:
            raise TransferError(f"download failed ({one_line(error)[:300]})", passing=False) from error
        except requests.RequestException as error:  # no connection, or one that broke off before all bytes came
            raise TransferError(f"download failed ({one_line(error)[:300]})", passing=True) from error
        self._finish()

    def drop(self) -> None:
        """Remove the part, of which nothing can be used."""
        self.file.unlink(missing_ok=True)
        self.about.unlink(missing_ok=True)

    def drop_if_useless(self) -> None:
        """Remove a part that no later try could go on with."""
        if not self.size or not self.begun.resumes:
            self.drop()

    def _rest(self) -> dict[str, str]:
        """Return the headers that ask for the rest of the part; none where it has to be begun with anew."""
        begun = self.begun
        own_mark = begun.mark if begun.url == self.url else ""
        if not self.size or not begun.resumes or not (own_mark or self.checksum):
            return {}
        return {"Range": f"bytes={self.size}-", **({"If-Range": own_mark} if own_mark else {})}

    def _is_complete(self, answer: requests.Response) -> bool:
        """Return whether the server says that it has no more than is here; the file is closed by then."""
        if answer.status_code != 416:
            return False
        if answer.headers.get("Content-Range", "") == f"bytes */{self.size}":
            return True
        self.drop()
        raise TransferError("the file at this address has become smaller than what had come", passing=True)

    def _place(self, answer: requests.Response) -> int:
        """Return where in the file the answer begins; raise `TransferError` for one that is of no use."""
        code, asked = answer.status_code, self.size if "Range" in answer.request.headers else 0
        if code == 200:
            return 0
        if code != 206:
            wait = answer.headers.get("Retry-After", "")
            again = code in (408, 425, 429) or code >= 500
            seconds = float(wait) if wait.isdecimal() else 0
            raise TransferError(f"the server answered {code} {answer.reason}", passing=again, wait=seconds)
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        known = self.begun.whole
        if not found or int(found[1]) != asked or (known and found[2] not in ("*", str(known))):
            self.drop()
            raise TransferError("the server went on with another file than it had begun", passing=True)
        return asked

    def _take(self, answer: requests.Response, start: int) -> None:
        pieces = answer.iter_content(_PIECE)
        length = answer.headers.get("Content-Length", "")
        rest = int(length) if length.isdecimal() else 0
        first = next(pieces, b"") if not start else b""
        if said := page_in(first[:HEAD]):
            raise TransferError(
                f"a web page came instead of the file ({rest or len(first)} bytes): {said}", passing=False
            )
        if fault := lack_of_room(self.path.parent, rest):
            raise TransferError(
                f"{fault}; make room, or set WARPBENCH_CACHE to a folder on another disk", passing=False
            )
        if not start:
            refused = "Range" in answer.request.headers
            self._begin(Begun(self.url, _mark(answer), rest, resumes=not refused))
        self.went_on = start > 0
        progress = Progress(self.path.name, start, start + rest if rest else 0)
        with unrecorded(), open(self.file, "ab" if start else "wb") as stream:
            _write(stream, first, pieces, progress)

    def _begin(self, begun: Begun) -> None:
        self.file.unlink(missing_ok=True)
        with replacing(self.about) as temporary:
            temporary.write_text(json.dumps(asdict(begun)), encoding="utf-8")

    def _finish(self) -> None:
        size = self.size
        if self.checksum and (got := digest_of(self.file, self.checksum)) != self.checksum:
            self.drop()
            kind = KINDS.get(len(self.checksum), "sha256")
            raise TransferError(f"wrong checksum ({size} bytes, {kind} {got}, expected {self.checksum})", passing=True)
        os.replace(self.file, self.path)
        self.about.unlink(missing_ok=True)


def _mark(answer: requests.Response) -> str:
    """Return what tells the content of an address from a later one; a weak ETag does not say that bytes are equal."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def _write(stream: BinaryIO, first: bytes, pieces: Iterator[bytes], progress: Progress) -> None:
    stream.write(first)
    for piece in pieces:
        stream.write(piece)
        progress.tell(stream.tell())


class Progress:
    """Lines about a download that takes its time, on terminals and in logs alike."""

    def __init__(self, name: str, start: int, whole: int) -> None:
        """Begin to count: the file is here up to ``start`` bytes and has ``whole`` (0: unknown)."""
        self.name, self.start, self.whole = name, start, whole
        self.began = self.told = time.monotonic()
        if start:
            logger.info("%s: goes on after %s of %s", name, in_words(start), in_words(whole) if whole else "unknown")

    def tell(self, size: int) -> None:
        """Say how far the download is, from time to time."""
        now = time.monotonic()
        if now - self.told < TOLD_EVERY:
            return
        self.told = now
        rate = max(size - self.start, 1) / (now - self.began)
        left = f" of {in_words(self.whole)}, about {(self.whole - size) / rate:.0f} s left" if self.whole else ""
        logger.info("%s: %s%s, %s a second", self.name, in_words(size), left, in_words(rate))
