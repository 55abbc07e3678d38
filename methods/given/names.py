"""Which files of a folder are the field of which pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.case import Pair
from datasets.files import DataError
from datasets.learn2reg_names import displacement_names

NIFTI = (".nii.gz", ".nii")
ITK_IMAGE = (".mha", ".mhd", ".nrrd", ".nhdr")
TRANSFORM = (".h5", ".hdf5", ".tfm", ".txt", ".mat")
NUMPY = (".npz", ".npy")
TORCH = (".pt", ".pth")
ARRAYS = (*NIFTI, *ITK_IMAGE, *NUMPY, *TORCH)
WARPS, AFFINES = ("_1Warp.nii.gz", "1Warp.nii.gz"), ("_0GenericAffine.mat", "0GenericAffine.mat")  # as ANTs names them


@dataclass(frozen=True)
class Files:
    """The file of a pair's field, or the transforms that make it up, the one that is applied to points last first.

    So ANTs has them: the warp is applied to points of the fixed image first, and its affine stands in front of it.
    """

    paths: tuple[Path, ...]
    chain: bool

    @property
    def where(self) -> str:
        """The files in words."""
        return " with ".join(map(str, reversed(self.paths)))


def find_files(folder: Path, pairs: Sequence[Pair], pattern: str) -> dict[Pair, Files]:
    """Return the files of every pair; raise `DataError` that names all pairs without one, or with several.

    ``pattern`` is a name without its ending, such as ``{fixed}_to_{moving}``; where it is empty, the usual ones count.
    """
    if pattern and not all(word in pattern for word in ("{fixed}", "{moving}")):
        raise DataError(
            f"params.names: {pattern!r} must name {{fixed}} and {{moving}}; write such as disp_{{fixed}}_{{moving}}"
        )
    try:
        there = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    except OSError as error:
        raise DataError(f"{folder}: not a folder that can be read ({error.strerror}); correct params.folder") from error
    found = {pair: list(_of(pair, pattern, there)) for pair in pairs}
    _check(folder, found, pattern)
    return {pair: each[0] for pair, each in found.items()}


def _check(folder: Path, found: Mapping[Pair, Sequence[Files]], pattern: str) -> None:
    """Refuse missing pairs, all at once, pairs with fields in two formats, and sets of several formats."""
    if missing := [pair for pair, each in found.items() if not each]:
        names = ", ".join(pair.name for pair in missing)
        wanted = _stems(missing[0], pattern)[0]
        raise DataError(
            f"{folder}: no field for {len(missing)} of {len(found)} pairs: {names}; each needs a file such as "
            f"{wanted}.nii.gz ({', '.join(dict.fromkeys((*ARRAYS, *TRANSFORM)))}), or set params.names"
        )
    for pair, each in found.items():
        kinds = {_kind(files) for files in each}
        if len(kinds) > 1:
            names = ", ".join(files.where for files in each)
            raise DataError(f"{folder}: pair {pair.name} has fields of several formats: {names}; keep one of them")
    kinds = {_kind(each[0]): each[0].where for each in found.values()}
    if len(kinds) > 1:
        names = ", ".join(kinds.values())
        raise DataError(f"{folder}: one set has one convention, but these differ in format: {names}; bring them to one")


def _kind(files: Files) -> str:
    """Return what must be equal in a set: the format, and whether a warp has an affine beside it."""
    name = files.paths[-1].name.lower()
    return f"{len(files.paths)} {next((end for end in ('.nii.gz',) if name.endswith(end)), Path(name).suffix)}"


def _of(pair: Pair, pattern: str, there: Mapping[str, Path]) -> Iterator[Files]:
    """Yield the fields of a pair: ANTs' two files, else one; of two that differ in name alone the first counts."""
    for stem in _stems(pair, pattern):
        affine = next((there[stem + end] for end in AFFINES if stem + end in there), None)
        for warp in (there[stem + end] for end in WARPS if stem + end in there):
            yield Files((affine, warp), chain=True) if affine else Files((warp,), chain=False)
            return
        for end in (*ARRAYS, *TRANSFORM):
            if path := there.get(stem + end):
                yield Files((path,), chain=end in TRANSFORM)


def _stems(pair: Pair, pattern: str) -> list[str]:
    """Return the names, without endings, under which a pair's field may be found."""
    if pattern:
        return [pattern.replace("{fixed}", pair.fixed).replace("{moving}", pair.moving)]
    usual = [name.removesuffix(".nii.gz") for name in displacement_names(pair.fixed, pair.moving)]
    plain = [f"{pair.fixed}_{pair.moving}", pair.name, f"disp_{pair.name}"]
    return list(dict.fromkeys([f"disp_{pair.fixed}_{pair.moving}", *usual, *plain]))
