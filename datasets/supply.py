"""What a data set is prepared from: its files, what of them is there, and how a user gets the rest.

A module of a data set may have ``supply(params: Params) -> Supply``. It looks where the import looks, reads no image
and asks no server; `workflows.show data` prints what it says, and a run that lacks files starts no job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.room import in_words


@dataclass(frozen=True)
class Piece:
    """A file that is wanted, or files that come together.

    Attributes:
        name: as it is called below the folder of the data set, or what it is.
        source: its address, or what to ask whom for.
        size: bytes, about; 0 where unknown.
        place: where it was found; None where it is missing.
        comes: whether a run fetches it by itself.
        checksum: MD5, SHA-256 or SHA-512, where one is known.
    """

    name: str
    source: str
    size: int = 0
    place: Path | None = None
    comes: bool = False
    checksum: str = ""


@dataclass(frozen=True)
class Extent:
    """How much is prepared: images, test pairs, and the voxels of an image; 0 where unknown."""

    images: int = 0
    pairs: int = 0
    voxels: int = 0


NOTHING_KNOWN = Extent()


@dataclass(frozen=True)
class Supply:
    """What a data set needs from outside; no pieces: it is drawn here, offline.

    Attributes:
        licence: terms of use, in a line.
        pieces: the files.
        places: where they are put by hand, in words.
        steps: what a user does for those that do not come by themselves, in order.
        extent: how much is made of them.
    """

    licence: str
    pieces: tuple[Piece, ...] = ()
    places: str = ""
    steps: tuple[str, ...] = ()
    extent: Extent = NOTHING_KNOWN

    @property
    def missing(self) -> list[Piece]:
        """The pieces that are not there."""
        return [piece for piece in self.pieces if piece.place is None]

    @property
    def withheld(self) -> list[Piece]:
        """The missing pieces that no run fetches by itself."""
        return [piece for piece in self.missing if not piece.comes]

    @property
    def to_download(self) -> int:
        """The bytes that a run fetches, as far as known."""
        return sum(piece.size for piece in self.missing if piece.comes)

    @property
    def how(self) -> str:
        """What a user does to get what does not come by itself."""
        return "; ".join([*self.steps, f"put it into {self.places}"])

    def lack(self) -> str:
        """Return one line on all that keeps the data set from being prepared, and what to do; "" where nothing does."""
        if not self.withheld:
            return ""
        count = f"{len(self.withheld)} of {len(self.pieces)} files missing"
        return f"{count}: {listed(self.withheld)}; to get them: {self.how}"


def listed(pieces: Sequence[Piece]) -> str:
    """Return pieces in words, those of one origin together: their names, where they come from, how large they are."""
    origins = dict[str, list[Piece]]()
    for piece in pieces:
        origins.setdefault(piece.source.removesuffix(piece.name), []).append(piece)
    return "; ".join(f"{_names(held)} from {origin}{_sized(held)}" for origin, held in origins.items())


def _names(pieces: Sequence[Piece]) -> str:
    return ", ".join(piece.name for piece in pieces)


def _sized(pieces: Sequence[Piece]) -> str:
    size = sum(piece.size for piece in pieces)
    return f" (about {in_words(size)})" if size else ""
