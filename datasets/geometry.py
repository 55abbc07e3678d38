"""What a displacement means, and the array geometry that follows from it (NumPy and SciPy; the judge's own warp).

Convention, everywhere in this project:

- A displacement ``u`` has shape ``(3, D, H, W)``, dtype float32, unit voxels of the fixed grid, components in
  array-axis order, and pulls back: ``warped(x) = moving(x + u(x))`` for every voxel ``x`` of the fixed grid.
- Points (landmarks) have shape ``(n, 3)`` in voxel coordinates of the same axis order; voxel centres are integers.
  A fixed landmark ``x`` maps to ``x + u(x)`` and is compared with the moving one.
- ``spacing`` is ``(3,)``, millimetres, in array-axis order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Order = Literal[0, 1, 3]
Outside = Literal["border"] | float
Scheme = Literal["forward", "central"]
Axes = Literal["xyz", "zyx"]


def identity_grid(shape: Sequence[int], dtype: np.typing.DTypeLike = np.float32) -> Array:
    """Return the voxel coordinates of a grid: ``(3, D, H, W)`` for ``shape`` ``(D, H, W)``."""
    return np.stack(np.meshgrid(*(np.arange(n, dtype=dtype) for n in shape), indexing="ij"))


def out_of_reach(displacement: Array, shape: Sequence[int]) -> str:
    """Return in words that a displacement in voxels leads far beyond its volume; "" for one that does not."""
    largest = float(np.abs(displacement).max(initial=0))
    return (
        f"displacement of {largest:.4g} voxels in a volume of shape {tuple(shape)}" if largest > 2 * max(shape) else ""
    )


def check_displacement(displacement: ArrayLike, shape: Sequence[int], *, where: str = "displacement") -> Array:
    """Return ``displacement`` as a finite float32 ``(3, *shape)`` array, or raise ``ValueError`` saying why not."""
    array = np.asarray(displacement)
    expected = (3, *shape)
    if array.dtype.kind != "f":
        raise ValueError(f"{where}: expected a floating-point array, got dtype {array.dtype}")
    if array.shape != expected:
        raise ValueError(f"{where}: expected shape {expected}, got {array.shape}")
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise ValueError(f"{where}: {bad} of {array.size} values are NaN or infinite")
    return np.ascontiguousarray(array, dtype=np.float32)


def sample(image: ArrayLike, points: ArrayLike, *, order: Order = 1, outside: Outside = "border") -> Array:
    """Interpolate an image ``(D, H, W)`` at voxel coordinates ``(3, ...)``; the result has shape ``(...)``.

    ``order`` 0 is nearest, 1 trilinear, 3 cubic spline. ``outside`` clamps to the border voxel or fills with a number.
    """
    image, points = np.asarray(image), np.asarray(points)
    if image.ndim != 3 or points.shape[:1] != (3,):
        raise ValueError(f"sample: expected a 3-D image and points (3, ...), got {image.shape} and {points.shape}")
    # SciPy's 'constant' would drop to the fill value at the outermost voxel centre instead of fading beyond it.
    mode, fill = ("nearest", 0.0) if outside == "border" else ("grid-constant", float(outside))
    from scipy import ndimage  # takes a quarter of a second, and most steps never read between voxels

    return ndimage.map_coordinates(image, points, order=order, mode=mode, cval=fill, prefilter=order > 1)


def warp(image: ArrayLike, displacement: ArrayLike, *, order: Order = 1, outside: Outside = "border") -> Array:
    """Return ``warped(x) = image(x + u(x))``; ``image`` is ``(D, H, W)``, ``displacement`` ``(3, *fixed grid)``."""
    displacement = np.asarray(displacement)
    if displacement.ndim != 4 or displacement.shape[0] != 3:
        raise ValueError(f"warp: expected a displacement (3, D, H, W), got shape {displacement.shape}")
    return sample(image, identity_grid(displacement.shape[1:]) + displacement, order=order, outside=outside)


def sample_displacement(displacement: ArrayLike, points: ArrayLike) -> Array:
    """Read a displacement ``(3, D, H, W)`` linearly, border clamp, at ``points`` ``(n, 3)``; gives ``(n, 3)``."""
    from scipy import ndimage

    points, u = np.asarray(points, dtype=np.float64).T, np.asarray(displacement)
    # Into float64, and without a copy of the displacement in it.
    read = partial(ndimage.map_coordinates, coordinates=points, output=np.float64, order=1, mode="nearest")
    return np.stack([read(component) for component in u], axis=-1)


def move_points(displacement: ArrayLike, points: ArrayLike) -> Array:
    """Map fixed landmarks ``(n, 3)`` to the moving image: ``x + u(x)``, in voxels."""
    return np.asarray(points, dtype=np.float64) + sample_displacement(displacement, points)


def jacobian_determinant(displacement: ArrayLike, *, scheme: Scheme = "central") -> Array:
    """Return the determinant of the Jacobian of ``x + u(x)``; it does not depend on the spacing.

    ``forward``: forward differences on the ``(D-1, H-1, W-1)`` voxels that have all three forward neighbours (the
    released code of the cascade papers). ``central``: central differences inside and one-sided ones on the faces, on
    the whole ``(D, H, W)`` grid.
    """
    u = np.asarray(displacement)
    if u.ndim != 4 or u.shape[0] != 3 or min(u.shape[1:]) < 2:
        raise ValueError(f"jacobian_determinant: expected (3, D, H, W) with every axis at least 2, got {u.shape}")
    if scheme == "forward":
        cut = (slice(None), *(slice(0, n - 1) for n in u.shape[1:]))
        gradients = [np.diff(u, axis=axis)[cut] for axis in (1, 2, 3)]
    elif scheme == "central":
        gradients = [np.gradient(u, axis=axis) for axis in (1, 2, 3)]
    else:
        raise ValueError(f"jacobian_determinant: scheme must be 'forward' or 'central', got {scheme!r}")
    (a, d, g), (b, e, h), (c, f, i) = gradients  # columns: derivatives along axis 0, 1 and 2
    a, e, i = a + 1, e + 1, i + 1
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def from_physical(
    field: ArrayLike, spacing: Sequence[float], direction: ArrayLike | None = None, *, axes: Axes = "xyz"
) -> Array:
    """Convert an ITK or ANTs displacement field to the house convention.

    Args:
        field: ``(*grid, 3)``, millimetres along the physical (LPS) axes x, y, z, pull-back.
        spacing: voxel size in ITK index order (x, y, z).
        direction: ITK direction cosines ``(3, 3)``; identity when missing.
        axes: ``"xyz"`` when array axis 0 is ITK's index x (antspyx ``.numpy()``, nibabel), ``"zyx"`` when it is ITK's
            index z (``array_from_image`` of itk and SimpleITK).

    Returns:
        ``(3, *grid)`` float32 in voxels, components in array-axis order.
    """
    field = np.asarray(field, dtype=np.float64)
    if field.ndim != 4 or field.shape[-1] != 3:
        raise ValueError(f"from_physical: expected a field (D, H, W, 3), got shape {field.shape}")
    voxels = field @ np.linalg.inv(_index_to_physical(spacing, direction)).T
    ordered = voxels[..., ::-1] if _check_axes(axes) == "zyx" else voxels
    return np.ascontiguousarray(np.moveaxis(ordered, -1, 0), dtype=np.float32)


def to_physical(
    displacement: ArrayLike, spacing: Sequence[float], direction: ArrayLike | None = None, *, axes: Axes = "xyz"
) -> Array:
    """Convert a displacement ``(3, *grid)`` to an ITK or ANTs field ``(*grid, 3)``, the inverse of `from_physical`.

    It writes fields for ITK tools, which read displacements in millimetres.
    """
    voxels = np.moveaxis(np.asarray(displacement, dtype=np.float64), 0, -1)
    indices = voxels[..., ::-1] if _check_axes(axes) == "zyx" else voxels
    return (indices @ _index_to_physical(spacing, direction).T).astype(np.float32)


def resize(image: ArrayLike, shape: Sequence[int], *, order: Order = 1) -> Array:
    """Resample ``image`` ``(D, H, W)`` to ``shape`` over the same field of view (voxel areas, not corners, aligned)."""
    return sample(image, _resize_points(np.shape(image), shape), order=order)


def resample_to_grid(
    image: ArrayLike,
    affine: ArrayLike,
    target_affine: ArrayLike,
    target_shape: Sequence[int],
    *,
    order: Order = 1,
    outside: Outside = "border",
) -> Array:
    """Resample ``image`` with voxel-to-world ``affine`` ``(4, 4)`` onto another grid in the same world space."""
    to_source = np.linalg.inv(np.asarray(affine, np.float64)) @ np.asarray(target_affine, np.float64)
    grid = identity_grid(target_shape, np.float64).reshape(3, -1)
    points = to_source[:3, :3] @ grid + to_source[:3, 3:]
    return sample(image, points.reshape(3, *target_shape), order=order, outside=outside)


def _resize_points(old: Sequence[int], new: Sequence[int]) -> Array:
    axes = [(np.arange(n, dtype=np.float64) + 0.5) * m / n - 0.5 for m, n in zip(old, new, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def _index_to_physical(spacing: Sequence[float], direction: ArrayLike | None) -> Array:
    cosines = np.eye(3) if direction is None else np.asarray(direction, dtype=np.float64)
    return cosines @ np.diag(np.asarray(spacing, dtype=np.float64))


def _check_axes(axes: str) -> str:
    if axes not in ("xyz", "zyx"):
        raise ValueError(f"axes must be 'xyz' or 'zyx', got {axes!r}")
    return axes
