"""Warps, compositions and Jacobians in torch, batched ``(n, c, *spatial)``, for networks and optimisers.

The convention is that of `datasets.geometry`: a displacement is ``(n, 3, D, H, W)`` in voxels of the fixed grid,
components in array-axis order, pull-back.

On the CPU and in single precision images are read by compiled loops (`compiled.trilinear`), everything else by torch
(`compiled.torch_sampler`), which has one thread an image there and makes several passes; the two differ by rounding.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from methods.blocks.compiled.threads import in_parts
from methods.blocks.compiled.torch_sampler import torch_sampler

Mode = Literal["bilinear", "nearest"]
Padding = Literal["border", "zeros"]
Scheme = Literal["forward", "central"]
LARGEST = 1 << 22  # voxels along an axis: up to here single precision has every half


def identity_grid(
    shape: Sequence[int], *, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
) -> Tensor:
    """Return the voxel coordinates of a grid: ``(3, D, H, W)`` for ``shape`` ``(D, H, W)``."""
    axes = [torch.arange(n, dtype=dtype, device=device) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def sample(image: Tensor, points: Tensor, *, mode: Mode = "bilinear", padding: Padding = "border") -> Tensor:
    """Interpolate an image ``(n, c, D, H, W)`` at voxel coordinates ``(n, 3, *out)``; gives ``(n, c, *out)``.

    Coordinates that are integers return the voxel itself, bit for bit.

    Args:
        image: to be read.
        points: where.
        mode: ``bilinear`` is trilinear in 3-D, ``nearest`` rounds exact halves to even.
        padding: ``border`` clamps coordinates to the border voxel, ``zeros`` fades to zero within one voxel outside.
    """
    return sampler(image, mode=mode, padding=padding)(points)


def sampler(image: Tensor, *, mode: Mode = "bilinear", padding: Padding = "border") -> Callable[[Tensor], Tensor]:
    """Return `sample` of an image as a function of the points, to be called for one set after another."""
    how = _reading(mode, padding)
    by_torch: list[Callable[[Tensor], Tensor]] = []  # laid out once, when it is needed

    def at(points: Tensor) -> Tensor:
        if compilable(image, points):
            return _read(image, points, how)
        if image.requires_grad:  # what is laid out without gradients would have none later
            return torch_sampler(image, mode=mode, border=how.border)(points)
        by_torch.extend([] if by_torch else [torch_sampler(image, mode=mode, border=how.border)])
        return by_torch[0](points)

    return at


def warp(image: Tensor, displacement: Tensor, *, mode: Mode = "bilinear", padding: Padding = "border") -> Tensor:
    """Return ``warped(x) = image(x + u(x))``.

    Args:
        image: ``(n, c, D, H, W)``.
        displacement: u, ``(n, 3, *fixed)``.
        mode: see `sample`.
        padding: see `sample`.
    """
    if displacement.ndim != 5 or displacement.shape[1] != 3:
        raise ValueError(f"warp: expected a displacement (n, 3, D, H, W), got shape {tuple(displacement.shape)}")
    if image.ndim != 5 or image.shape[0] != displacement.shape[0]:
        raise ValueError(
            f"warp: expected an image ({displacement.shape[0]}, c, D, H, W), got shape {tuple(image.shape)}"
        )
    if compilable(image, displacement):
        return _read(image, displacement, _reading(mode, padding, relative=True))
    grid = identity_grid(displacement.shape[2:], dtype=displacement.dtype, device=displacement.device)
    return sample(image, grid + displacement, mode=mode, padding=padding)


def compose(first: Tensor, then: Tensor) -> Tensor:
    """Return the one displacement that warps by ``first`` and warps the result by ``then``.

    Both are ``(n, 3, D, H, W)`` on one grid: ``u(x) = then(x) + first(x + then(x))``, ``first`` read trilinearly with
    border clamp.
    """
    if first.shape != then.shape:
        raise ValueError(f"compose: shapes differ, {tuple(first.shape)} and {tuple(then.shape)}")
    if then.shape[1:2] == (3,) and first.dtype == then.dtype and compilable(first, then):
        return _read(first, then, _Reading(relative=True, plus=True))
    return then + warp(first, then)


def affine_displacement(matrix: Tensor, translation: Tensor, shape: Sequence[int]) -> Tensor:
    """Return ``u = W r + b`` with ``r = index - (N - 1) / 2`` on each axis; ``(n, 3, *shape)``, in voxels.

    ``matrix`` is ``W``, ``(n, 3, 3)``, its column j multiplying coordinate j; ``translation`` is ``b``, ``(n, 3)``.
    """
    along = (
        matrix[:, :, axis, None] * (torch.arange(n, dtype=matrix.dtype, device=matrix.device) - (n - 1) / 2)
        for axis, n in enumerate(shape)
    )
    d, h, w = along
    # One pass over the whole field: all but the last axis are summed before.
    return ((d + translation[:, :, None])[..., None] + h[:, :, None])[..., None] + w[:, :, None, None]


def jacobian_determinant(displacement: Tensor, scheme: Scheme = "forward") -> Tensor:
    """Return the determinant of the Jacobian of ``x + u(x)`` for ``(n, 3, D, H, W)``.

    ``forward``: forward differences, ``(n, D-1, H-1, W-1)``. ``central``: central differences inside, one-sided ones on
    the faces, ``(n, D, H, W)``. Both as `datasets.geometry.jacobian_determinant`.
    """
    u = displacement
    if u.ndim != 5 or u.shape[1] != 3 or min(u.shape[2:]) < 2:
        raise ValueError(f"jacobian_determinant: expected (n, 3, D, H, W), axes of 2 or more, got {tuple(u.shape)}")
    if scheme == "forward":
        d, h, w = (n - 1 for n in u.shape[2:])
        gradients = [u.diff(dim=axis)[..., :d, :h, :w] for axis in (2, 3, 4)]
    elif scheme == "central":
        gradients = list(torch.gradient(u, dim=(2, 3, 4)))
    else:
        raise ValueError(f"jacobian_determinant: scheme must be 'forward' or 'central', got {scheme!r}")
    (a, d, g), (b, e, h), (c, f, i) = (gradient.unbind(1) for gradient in gradients)
    a, e, i = a + 1, e + 1, i + 1
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


@dataclass(frozen=True)
class _Reading:
    """See `compiled.trilinear.Task`."""

    relative: bool = False
    plus: bool = False
    border: bool = True
    linear: bool = True


def _reading(mode: str, padding: str, *, relative: bool = False) -> _Reading:
    if mode not in ("bilinear", "nearest"):
        raise ValueError(f"sample: mode must be 'bilinear' or 'nearest', got {mode!r}")
    if padding not in ("border", "zeros"):
        raise ValueError(f"sample: padding must be 'border' or 'zeros', got {padding!r}")
    return _Reading(relative=relative, border=padding == "border", linear=mode == "bilinear")


def compilable(image: Tensor, points: Tensor) -> bool:
    """Return whether compiled loops read this: ``(n, c, D, H, W)`` and ``(n, 3, *out)`` on the CPU, the image float32.

    Traced and made-up tensors are left to torch, and all of them where numba is not installed.
    """
    return (
        _plain(image)
        and _plain(points)
        and image.dtype == torch.float32
        and image.ndim == points.ndim == 5
        and image.shape[0] == points.shape[0]
        and points.shape[1] == 3
        and min(image.numel(), points.numel()) > 0
        and max(image.shape[2:]) < LARGEST
        and _span(image) < 2**31
        and _installed()
        and not torch.compiler.is_compiling()
    )


def _read(image: Tensor, points: Tensor, how: _Reading) -> Tensor:
    points = points.to(image.dtype)
    if torch.is_grad_enabled() and (image.requires_grad or points.requires_grad):
        return _Read.apply(image, points, how)
    return _Read.forward(None, image, points, how)


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, points: Tensor, how: _Reading) -> Tensor:
        if ctx is not None:
            ctx.save_for_backward(image, points)
            ctx.how = how
        n, planes, out = len(image), points.shape[2], image.new_empty(*image.shape[:2], *points.shape[2:])
        _run("read", (_memory(image), _array(points), _array(out)), how, n * planes, out.numel())
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        if torch.is_grad_enabled():  # the gradient would be a constant, and the second derivative silently lack it
            raise RuntimeError("warp: it has first derivatives only; take its gradient without create_graph")
        (image, points), [gradient] = ctx.saved_tensors, gradients
        size, by_image, by_points = gradient.numel(), None, None
        if ctx.needs_input_grad[0]:
            by_image = image.new_zeros(image.shape)
            arrays = (_memory(by_image), _array(points), _array(gradient))
            _run("image_gradient", arrays, ctx.how, len(image) * image.shape[2], size, parts=1)  # each reads all points
        if ctx.needs_input_grad[1]:
            by_points = points.new_empty(points.shape)
            arrays = (_memory(image), _array(points), (_array(gradient), _array(by_points)))
            _run("point_gradient", arrays, ctx.how, len(points) * points.shape[2], size)
        return by_image, by_points, None


def _run(name: str, arrays: tuple[Any, ...], how: _Reading, planes: int, values: int, parts: int = 4) -> None:
    trilinear, loop = _loop(name)
    flags = how.relative, how.plus, how.border, how.linear
    in_parts(lambda low, high: loop(*arrays, trilinear.Task(low, high, *flags)), planes, values=values, parts=parts)


@cache
def _loop(name: str) -> tuple[Any, Callable[..., None]]:
    from methods.blocks.compiled import kernel, trilinear  # numba need not be there where nothing is read on the CPU

    return trilinear, kernel.compiled(getattr(trilinear, name), getattr(trilinear, name.upper()))


@cache
def _installed() -> bool:
    if find_spec("numba") is None:
        return False
    try:
        import numba
    except ImportError as error:  # of a NumPy that it does not know yet, for one
        logging.getLogger(__name__).warning("numba cannot be loaded (%s); torch warps in its place", error)
        return False
    return not getattr(numba, "config").DISABLE_JIT  # noqa: B009 - its stubs lack it


def _plain(tensor: Tensor) -> bool:
    return type(tensor) in (Tensor, nn.Parameter) and tensor.device.type == "cpu" and tensor.layout is torch.strided


def _span(tensor: Tensor) -> int:
    return 1 + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))


def _memory(tensor: Tensor) -> Any:
    trilinear, _ = _loop("read")
    return trilinear.Image(_array(tensor.as_strided((_span(tensor),), (1,))), tuple(tensor.shape), tensor.stride())


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()
