"""msd_liver: abdominal CT with liver labels, Task03 of the Medical Segmentation Decathlon, whose scans are LiTS's.

Licence: CC BY-SA 4.0 (Antonelli et al. 2022, doi:10.1038/s41467-022-30695-9). One archive of some 27 GB, known by its
MD5, is downloaded, and read scan by scan without being unpacked. Its labelled scans ``liver_0`` to ``liver_130`` are
the training scans of LiTS17 with corrected headers.

All scans are read linearly on one grid of whole millimetres about the middle of the liver, labels by the nearest voxel;
livers are neither turned nor scaled. The first scans are for tests, all ordered pairs of them, the next ones to learn
from. It is not what the papers used: their files are cropped without proportion and have no millimetres (`rcn_hdf5`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# nibabel is typed in part only.

from __future__ import annotations

import gzip
import math
import re
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from tqdm import tqdm

from datasets import geometry
from datasets.case import Writer
from datasets.description import Description, Pair, TrainingSplit, Window
from datasets.download import Remote, fetch, supply_of
from datasets.files import Array, DataError, one_line
from datasets.grid import Grid
from datasets.placement import affine_fault
from datasets.supply import Extent, Supply

TASK = Remote(
    "msd_liver/Task03_Liver.tar",
    "https://msd-for-monai.s3-us-west-2.amazonaws.com/Task03_Liver.tar",
    "a90ec6c4aa7f6a3d087205e23d4e6397",
    size=27_000_000_000,
)
SCANS = 131  # that have labels
LICENCE = "CC BY-SA 4.0; Antonelli et al. 2022, doi:10.1038/s41467-022-30695-9"
WINDOW = Window("HU", -25.0, 265.0)  # of the preprocessed sets
LABELS = {1: "liver"}  # tumours are part of it
AIR = -1024.0  # HU, beyond the scan
LARGEST = 2**30  # voxels: a damaged header may ask for more memory than there is
_MEMBER = re.compile(r"(?:.*/)?(imagesTr|labelsTr)/(liver_\d+)\.nii\.gz", re.DOTALL)
_UNREADABLE = (OSError, EOFError, ValueError, zlib.error, tarfile.TarError, HeaderDataError)


@dataclass(frozen=True)
class Params:
    """The options of the import."""

    test: int = 20  # scans to test on, all ordered pairs of them, the first by number; all 131 make 17,030 pairs
    training: int = 60  # scans to learn from, the next ones by number
    shape: tuple[int, int, int] = (128, 128, 128)  # voxels to the patient's left, posterior and superior
    spacing: float = 2.5  # mm, along each axis

    def __post_init__(self) -> None:
        """Raise `DataError` for options that are out of range."""
        if self.test < 2 or self.training < 0 or self.test + self.training > SCANS:
            raise DataError(f"test, training: expected 2 or more scans to test on and {SCANS} in all at most")
        if not self.spacing > 0 or min(self.shape) < 2:
            raise DataError(f"expected a spacing above 0 and at least 2 voxels, got {self.spacing} and {self.shape}")


def supply(params: Params) -> Supply:
    """Return whether the archive is there."""
    extent = Extent(params.test + params.training, params.test * (params.test - 1), math.prod(params.shape))
    return supply_of(LICENCE, [TASK], extent)


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Import the wanted scans, one in memory at a time.

    Raises:
        DataError: the archive cannot be had, is damaged, or lacks scans.
    """
    path, writer, grid = fetch(TASK), Writer(folder), Grid(params.shape, (params.spacing,) * 3)
    wanted = params.test + params.training
    with tarfile.open(path) as archive:
        members = _members(archive, path)
        cases = sorted(members["labelsTr"], key=lambda case: int(case.partition("_")[2]))[:wanted]
        if len(cases) < wanted:
            raise DataError(f"{path}: {len(cases)} labelled scans, {wanted} wanted; get it again")
        for number, case in enumerate(tqdm(cases, desc=name, unit="scan", disable=None)):
            image, labels = (_Volume(archive, members[kind][case], str(path)) for kind in ("imagesTr", "labelsTr"))
            _write(writer, case_name(case), image, labels, grid, labelled=number < params.test)
    writer.finish(_describe(name, params, grid, list(map(case_name, cases))))


def case_name(name: str) -> str:
    """Return a name for files; underscores separate the cases of a pair."""
    return name.replace("_", "-")


def _members(archive: tarfile.TarFile, path: Path) -> Mapping[str, Mapping[str, tarfile.TarInfo]]:
    """Return the volumes by their folder and case; what macOS has left beside them is none."""
    found: dict[str, dict[str, tarfile.TarInfo]] = {"imagesTr": {}, "labelsTr": {}}
    for info in archive:
        if info.isfile() and (match := _MEMBER.fullmatch(info.name)):
            found[match[1]][match[2]] = info
    if lost := sorted(found["labelsTr"].keys() - found["imagesTr"].keys()):
        raise DataError(f"{path}: labels without an image: {', '.join(lost)}; get it again")
    return found


class _Volume:
    """A NIfTI volume in the archive as it is stored: whole numbers stay whole, so that a long scan takes half a GB."""

    def __init__(self, archive: tarfile.TarFile, member: tarfile.TarInfo, where: str) -> None:
        self.where = f"{where}, {member.name}"
        try:
            with gzip.open(_content(archive, member)) as stream:
                header: Any = nib.Nifti1Header.from_fileobj(stream)
                self.values = _read(stream, header)
        except _UNREADABLE as error:
            why = one_line(error)
            raise DataError(f"{self.where}: not a readable volume ({why}); get the archive again") from error
        self.affine: Array = header.get_best_affine()
        slope, intercept = header.get_slope_inter()
        self.slope, self.intercept = float(slope or 1), float(intercept or 0)
        if fault := affine_fault(self.affine):
            raise DataError(f"{self.where}: {fault}")

    def at(self, places: Array, *, order: geometry.Order, outside: float) -> Array:
        """Return the values at places ``(n, 3)``, mm to left, posterior, superior; ``outside`` beyond the volume."""
        from scipy import ndimage

        world = np.column_stack([places * (-1, -1, 1), np.ones(len(places))])
        voxels = (np.linalg.inv(self.affine) @ world.T)[:3]
        stored = (outside - self.intercept) / self.slope
        # What is stored as whole numbers is read between them, and without a copy of the volume as floats.
        read = partial(ndimage.map_coordinates, output=np.float32, mode="grid-constant", prefilter=False)
        return read(self.values, voxels, order=order, cval=stored) * np.float32(self.slope) + np.float32(self.intercept)

    def middle(self) -> Array:
        """Return the middle of the box around what is not 0, in mm to left, posterior and superior."""
        filled = self.values != 0
        spans = [np.flatnonzero(filled.any(tuple(other for other in range(3) if other != axis))) for axis in range(3)]
        if not len(spans[0]):
            raise DataError(f"{self.where}: no voxel is labelled; get the archive again")
        voxel = [(span[0] + span[-1]) / 2 for span in spans]
        return (self.affine @ [*voxel, 1])[:3] * (-1, -1, 1)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    stream = archive.extractfile(member)
    if stream is None:
        raise ValueError("no plain file")
    return stream


def _read(stream: gzip.GzipFile, header: Any) -> Array:
    """Read the voxels that follow a header, as they are stored."""
    shape, kind = tuple(map(int, header.get_data_shape())), header.get_data_dtype()
    if len(shape) != 3 or not 0 < math.prod(shape) <= LARGEST or kind.kind not in "iuf":
        raise ValueError(f"shape {shape} of {kind}")
    stream.seek(int(header.get_data_offset()))
    content = bytearray(math.prod(shape) * kind.itemsize)
    view, got = memoryview(content), 0
    while more := stream.readinto(view[got:]):
        got += more
    if got < len(content):
        raise ValueError(f"{got} bytes for {shape} voxels; is it cut?")
    return np.frombuffer(content, kind).reshape(shape, order="F")


def _write(writer: Writer, case: str, image: _Volume, labels: _Volume, grid: Grid, *, labelled: bool) -> None:
    if image.values.shape != labels.values.shape:
        raise DataError(f"{labels.where}: {labels.values.shape} voxels, its image {image.values.shape}; get it again")
    labels.affine = image.affine  # the two are on one grid of voxels, whatever their headers say
    places = grid.to_mm(np.indices(grid.shape).reshape(3, -1).T) + labels.middle()
    values = image.at(places, order=1, outside=AIR).reshape(grid.shape)
    writer.image(case, WINDOW.scale(values), grid.affine)
    if labelled:
        liver = labels.at(places, order=0, outside=0.0).reshape(grid.shape) >= 0.5
        writer.labels(case, liver.astype(np.uint16), grid.affine)


def _describe(name: str, params: Params, grid: Grid, cases: Sequence[str]) -> Description:
    tested = cases[: params.test]
    return Description(
        name=name,
        module="msd_liver",
        title="Liver CT, MSD Task03 (LiTS)",
        anatomy="liver",
        modality="CT",
        licence=LICENCE,
        source=f"{TASK.url}, md5 {TASK.checksum}",
        preprocessing=(
            f"read linearly at {params.spacing:g} mm about the middle of the liver's box, labels by the nearest voxel",
            f"beyond the scan {AIR:g} HU",
            WINDOW.text,
            "labels of training scans serve to find the middle and are not written",
        ),
        intensity=WINDOW,
        shape=grid.shape,
        spacing=grid.spacing,
        orientation=("L", "P", "S"),
        labels=dict(LABELS),
        evaluated_labels=tuple(LABELS),
        subjects={case: case for case in cases},
        archives={TASK.name.partition("/")[2]: f"md5 {TASK.checksum}"},
        training=TrainingSplit(tuple(cases[params.test :])),
        test=tuple(Pair(a, b) for a, b in permutations(tested, 2)),
    )
