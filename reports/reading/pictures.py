"""What reports show of images: small arrays, taken once from the volumes of a run and kept in its archive.

Whatever a report draws beside rows and curves is asked for by a `Request`: a name, a type, and a function that takes
it from `Volumes`. The type is a frozen dataclass of numbers, texts and small arrays, or a text that says why there is
nothing to draw. It is encoded whoever asks, so that a report from an archive is the one of the run: what is lost by
small types is lost in both.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import numpy as np

from datasets.case import Dataset
from datasets.files import Array, one_line

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
logger = logging.getLogger(__name__)

DisplacementPath = Callable[[str, str, int, str], Path]  # of data set, method, seed and pair
Labels = Callable[[str, str], Array | None]  # of data set and case: the label map
Landmarks = Callable[[str, str], tuple[Array, Array] | None]  # of data set and pair: fixed and moving, voxels (n, 3)
NOT_ARCHIVED = "not in the archive"
LARGEST = 16 * 2**20  # bytes of one array


@dataclass(frozen=True)
class Volumes:
    """The images of a run, its displacements and the truth, where they were made; what is not there is not drawn."""

    datasets: Mapping[str, Dataset]  # prepared data sets by name
    displacement_path: DisplacementPath
    labels: Labels | None = None  # for outlines in pictures; None draws none
    landmarks: Landmarks | None = None


@dataclass(frozen=True)
class Request(Generic[T_co]):
    """One thing that a report draws: its ``name`` in an archive, its type, and how it is taken from volumes."""

    name: str
    kind: type[T_co]
    take: Callable[[Volumes], T_co | str]


class Pictures(Protocol):
    """Where a report has its pictures from."""

    def get(self, request: Request[T], /) -> T | str:
        """Return what was taken, or why there is nothing."""
        ...


@dataclass(frozen=True)
class Live:
    """Pictures taken from volumes as they are asked for."""

    volumes: Volumes

    def get(self, request: Request[T]) -> T | str:
        """Return what was taken, as it is read back from an archive."""
        return decode(encode(request.take(self.volumes)), request)


@dataclass(frozen=True)
class Stored:
    """Pictures of an archive, encoded, by name; those that it lacks have only this ``why``."""

    content: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    why: str = NOT_ARCHIVED

    def get(self, request: Request[T]) -> T | str:
        """Return what the archive has of that name, or why it has nothing that this version can draw."""
        content = self.content.get(request.name)
        if content is None:
            return self.why
        try:
            return decode(content, request)
        except (msgspec.MsgspecError, ValueError) as error:
            logger.warning("warning: %s is left out: %s", request.name, one_line(error))
            return "the archive has it in the form of another version"


def encode(taken: object) -> bytes:
    """Return a dataclass of numbers, texts and arrays, or a text, as MessagePack: the same bytes for equal ones."""
    return msgspec.msgpack.encode(taken, enc_hook=_packed)


def decode(content: bytes, request: Request[T]) -> T | str:
    """Return what `encode` made of a type; raise `msgspec.MsgspecError` or ValueError for anything else."""
    if request.kind is str:
        return msgspec.msgpack.decode(content, type=str)
    return msgspec.msgpack.decode(content, type=request.kind | str, dec_hook=_unpacked)


def _packed(value: object) -> Any:
    if not isinstance(value, np.ndarray):
        raise TypeError(
            f"{type(value).__name__} cannot be archived: use numbers, texts, arrays and dataclasses of them"
        )
    if value.nbytes > LARGEST:
        raise ValueError(f"an array {value.shape} of {value.dtype} is too large for an archive; take a part of it")
    little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    about = {"dtype": little.dtype.str, "shape": list(value.shape)}
    plain, steps = little.tobytes(), _steps(little)
    return {**about, "steps": steps} if _weight(steps) < _weight(plain) else {**about, "data": plain}


def _steps(array: Array) -> bytes:
    """Return whole numbers as steps along the last axis, all first bytes first: smooth ones are smaller so."""
    if array.dtype.kind not in "iu" or not array.ndim or not array.size:
        return b""
    steps = np.ascontiguousarray(np.diff(array, axis=-1, prepend=array.dtype.type(0)))
    return steps.view(np.uint8).reshape(-1, array.dtype.itemsize).T.tobytes()


def _weight(content: bytes) -> float:
    return len(zlib.compress(content, 6)) if content else math.inf


def _unpacked(kind: type, value: Any) -> Array:
    dtype = np.dtype(value["dtype"])
    if dtype.kind not in "biuf":
        raise ValueError(f"expected an array of numbers, got {dtype}")
    if "steps" in value:
        turned = np.frombuffer(value["steps"], np.uint8).reshape(dtype.itemsize, -1)
        steps = np.ascontiguousarray(turned.T).view(dtype).reshape(value["shape"])
        return np.cumsum(steps, axis=-1, dtype=dtype)
    return np.frombuffer(value["data"], dtype).reshape(value["shape"])
