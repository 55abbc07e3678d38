"""Greedy (PICSL): an affine stage, then a greedy diffeomorphism by local correlation, coarse to fine (picsl-greedy).

The tool of the authors of ITK-SNAP (Yushkevich et al. 2016, doi:10.1016/j.jalz.2016.06.205), on the CPU. Its warps are
millimetres along physical (LPS) axes and come before the affine map: ``x -> A (x + w(x))``. Written without rounding
(``-wp 0``), for it keeps a tenth of a voxel otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datasets.geometry import Array, from_physical
from methods import Register

QUIET = "-V 0"


@dataclass(frozen=True)
class Params:
    """The options of the registration."""

    # iterations at each level, coarse to fine, the last at full resolution; both stages have them
    iterations: tuple[int, ...] = (100, 50, 10)
    # similarity of both stages: local correlation, its form that weighs by masks, or the squared difference
    metric: Literal["ncc", "wncc", "ssd"] = "ncc"
    radius: int = 2  # radius of the correlation's window, in voxels
    affine: Literal["affine", "rigid", "none"] = "affine"  # the stage before; none starts from the identity
    update_sigma: float = 2.0  # width of the Gaussian on each update, in voxels
    field_sigma: float = 0.5  # width of the Gaussian on the whole field, in voxels


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Import picsl-greedy and return the registration, on the CPU; ``seed`` draws the noise and the sample points."""
    levels = _levels(params.iterations)
    import SimpleITK as sitk  # noqa: N813 - the library's usual name
    from picsl_greedy import Greedy3D  # a compiled module, which brings its own ITK

    metric = "SSD" if params.metric == "ssd" else f"{params.metric.upper()} " + "x".join([str(params.radius)] * 3)
    common = f"{QUIET} -seed {seed + 1} -i fixed moving -m {metric} -n {levels}"  # 0 means "by the clock" to it
    degrees = {"affine": 12, "rigid": 6}.get(params.affine)
    smooth = f"-s {params.update_sigma}vox {params.field_sigma}vox -wp 0"

    def register(fixed: Array, moving: Array, spacing: tuple[float, float, float]) -> Array:
        greedy, before = Greedy3D(), ""
        images = {"fixed": _image(sitk, fixed, spacing), "moving": _image(sitk, moving, spacing)}
        if degrees:
            greedy.execute(f"{common} -a -dof {degrees} -ia-identity -o before", **images, before=None)
            before = "before"
        start = f"-it {before}" if before else ""
        greedy.execute(f"{common} {start} {smooth} -o warp", **images, warp=None)
        greedy.execute(f"{QUIET} -rf fixed -r warp {before} -rc total -wp 0", total=None)
        field = sitk.GetArrayFromImage(greedy["total"])
        return from_physical(field, tuple(spacing)[::-1], axes="zyx")

    return register


def _levels(iterations: Sequence[int]) -> str:
    """Return iterations as greedy takes them, ``100x50x10``."""
    levels = tuple(iterations)
    if not levels or any(count < 0 for count in levels) or not any(levels):
        raise ValueError(f"greedy.load: iterations must be one count a level, not all zero; got {levels}")
    return "x".join(map(str, levels))


def _image(sitk: Any, array: Array, spacing: Sequence[float]) -> Any:
    image = sitk.GetImageFromArray(np.array(array, np.float32))
    image.SetSpacing([float(value) for value in reversed(tuple(spacing))])
    return image
