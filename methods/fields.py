"""Displacements made elsewhere, scored like any method's: files in a folder, one a pair, in any common format.

What their numbers mean is one convention for the whole set: stated in the options, or found by images alone (see
`methods.given.finding`) and refused where two fit. No registration is done, so no seconds are measured; those that a
configuration reports with the fields are shown as reported. See docs/own-fields.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from datasets.case import Dataset, Pair
from datasets.files import DataError
from datasets.geometry import Array
from methods import Register
from methods.given.checking import check_all
from methods.given.conventions import HALF, Asked, arranged
from methods.given.finding import Found, find_convention
from methods.given.inverse import inverted
from methods.given.names import Files, find_files
from methods.given.reading import read_field

NEEDS = ("pair",)
CLOCKED = False
DOUBT = "but"  # under this name a doubt is recorded after the convention, and so read on as one sentence


@dataclass(frozen=True)
class Params(Asked):
    """Where the fields are, and what is stated of their convention."""

    folder: Path | None = None  # has a field for each pair; from a configuration file, relative to that file
    names: str = (
        ""  # how files are called, without their ending, such as {fixed}_to_{moving}; the usual names where empty
    )


def load(
    params: Params, *, device: str, seed: int, checkpoint: Path | None = None, data: Dataset | None = None
) -> Register:
    """Find the field of every pair, and their convention; return the call that reads one.

    Raises:
        DataError: fields are missing, cannot be read, or may mean two things.
    """
    if params.folder is None or data is None:
        raise DataError("params.folder is not set; name the folder that has a displacement for each pair")
    files = find_files(params.folder.resolve(), data.test_pairs, params.names)
    check_all(data, files)
    return Fields(data, files, find_convention(data, files, params))


@dataclass(frozen=True, eq=False)
class Fields:
    """A set of fields of one convention."""

    data: Dataset
    files: Mapping[Pair, Files]
    read_as: Found

    @property
    def told(self) -> str:
        """How the convention was found, for the log of a run."""
        return self.read_as.told

    @property
    def found(self) -> dict[str, str]:
        """The convention as it is recorded with the run: its options by name, and what speaks against it."""
        return asdict(self.read_as.convention) | ({DOUBT: self.read_as.doubt} if self.read_as.doubt else {})

    def __call__(self, fixed: Array, moving: Array, spacing: tuple[float, float, float], *, pair: Pair) -> Array:
        """Return the displacement ``(3, D, H, W)`` of a pair, in voxels, pull-back."""
        grid, files, convention = self.data.placement(pair.fixed), self.files[pair], self.read_as.convention
        stored = read_field(files, grid)
        if convention.axes not in stored.axes or (convention.unit == HALF and not stored.half):
            raise DataError(f"{files.where}: its grid has another form than in the other files; bring all to one")
        found = convention.whole(arranged(stored.values, convention.axes), grid)
        return inverted(found, files.where) if convention.sense == "push" else found
