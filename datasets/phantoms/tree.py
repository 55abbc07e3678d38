"""Branching trees of tapered tubes that fill a region: vessels and airways of the phantoms.

Growth divides a cloud of points that fills the region, as Tawhai and others do for airways (2000,
DOI 10.1114/1.289): every branch grows toward the middle of the points it serves, then splits them in two. Radii
follow Murray's law (1926, DOI 10.1085/jgp.9.6.835): the cubes of the daughters' radii add up to the parent's.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from datasets.geometry import Array

Inside = Callable[[Array], NDArray[np.bool_]]

_CLOUD_PER_TERMINAL = 24  # points that one terminal serves: enough for a stable middle and main direction
_TERMINAL_TAPER = 0.6


@dataclass(frozen=True)
class Tree:
    """Tubes as segments; a branching is a point where one segment ends and two begin.

    Attributes:
        starts: ``(n, 3)`` mm.
        ends: ``(n, 3)`` mm.
        radii: ``(n, 2)`` mm, at the start and at the end of each segment.
        branchings: ``(m, 3)`` mm.
    """

    starts: Array
    ends: Array
    radii: Array
    branchings: Array


def grow(
    rng: np.random.Generator,
    *,
    root: ArrayLike,
    direction: ArrayLike,
    inside: Inside,
    bounds: ArrayLike,
    n_terminals: int,
    root_radius: float,
    reach: float = 0.45,
    max_angle: float = 65.0,
) -> Tree:
    """Grow a tree with ``n_terminals`` tips from ``root`` into a region.

    Args:
        rng: all randomness comes from here.
        root: ``(3,)`` mm, where the trunk begins; it may lie outside of the region (a hilum).
        direction: ``(3,)`` direction of the trunk, any length.
        inside: tells for points ``(3, n)`` mm which lie in the region, as ``(n,)`` booleans.
        bounds: ``(2, 3)`` mm, lowest and highest corner of a box around the region.
        n_terminals: number of tips, at least 1; there are about ``2 n_terminals`` segments.
        root_radius: mm; a tip's is about ``root_radius * n_terminals ** (-1 / 3)``.
        reach: how far along the way to the middle of its points a branch grows, 0 to 1.
        max_angle: largest angle between a branch and its parent, degrees.

    Raises:
        ValueError: for a count below one, a radius not positive, or a region that no point of the box falls into.
    """
    if n_terminals < 1 or not root_radius > 0:
        raise ValueError(f"grow: n_terminals must be >= 1 and root_radius > 0, got {n_terminals} and {root_radius}")
    cloud = fill(rng, inside=inside, bounds=bounds, n=_CLOUD_PER_TERMINAL * n_terminals)
    growth = _Growth(rng, inside, root_radius, len(cloud), reach, np.cos(np.deg2rad(max_angle)))
    heading = np.asarray(direction, np.float64)
    growth.branch(np.asarray(root, np.float64), heading / np.linalg.norm(heading), cloud, root_radius)
    for _ in range(n_terminals - 1):
        growth.split_largest()
    growth.stretch_tips()
    return growth.tree()


def fill(rng: np.random.Generator, *, inside: Inside, bounds: ArrayLike, n: int) -> Array:
    """Draw ``n`` points ``(n, 3)`` evenly from the part of the box ``bounds`` ``(2, 3)`` that ``inside`` accepts."""
    low, high = np.asarray(bounds, np.float64)
    found: list[Array] = []
    count = 0
    for _ in range(400):
        points = rng.uniform(low, high, (4 * n, 3))
        found.append(points[inside(points.T)])
        count += len(found[-1])
        if count >= n:
            return np.concatenate(found)[:n]
    raise ValueError(f"fill: only {count} of {n} points fell into the region within bounds {np.asarray(bounds)}")


def join(trees: Sequence[Tree]) -> Tree:
    """Put several trees into one, so that `distance` answers for all of them at once."""
    return Tree(*(np.concatenate([getattr(tree, name) for tree in trees]) for name in Tree.__dataclass_fields__))


def tube(points: ArrayLike, radii: ArrayLike) -> Tree:
    """Return an unbranched tube along a polyline ``(n, 3)`` mm, with a radius ``(n,)`` mm at each point."""
    points, radii = np.asarray(points, np.float64), np.asarray(radii, np.float64)
    return Tree(points[:-1], points[1:], np.stack([radii[:-1], radii[1:]], axis=1), np.empty((0, 3)))


def distance(tree: Tree, points: ArrayLike, *, reach: float = 10.0) -> Array:
    """Return the signed distance in mm of ``points`` ``(3, ...)`` to the tubes: negative inside.

    Farther than ``reach`` mm from every tube the answer is ``reach``. The radius is read at the nearest point of the
    axis, which is exact for straight tubes and off by the cosine of half the opening angle for tapered ones.
    """
    points = np.asarray(points, np.float64)
    flat = points.reshape(3, -1).T
    result = np.full(len(flat), float(reach))
    low, high = _box(tree, reach)
    near = np.flatnonzero(np.all((flat >= low) & (flat <= high), axis=1))
    if len(near):
        result[near] = _distance_near(tree, flat[near], reach)
    return result.reshape(points.shape[1:])


def _distance_near(tree: Tree, flat: Array, reach: float) -> Array:
    # A tree over the points, not over the tubes: each tube then looks only at the few points around it, and the
    # smallest distance is exact however much the radii differ.
    result = np.full(len(flat), float(reach))
    index = cKDTree(flat, balanced_tree=False, compact_nodes=False, leafsize=32)
    for start, end, (first, last) in zip(tree.starts, tree.ends, tree.radii, strict=True):
        axis = end - start
        ball = 0.5 * np.linalg.norm(axis) + max(first, last) + reach
        hits = np.asarray(index.query_ball_point(0.5 * (start + end), ball), dtype=np.intp)
        offset = flat[hits] - start
        along = np.clip(offset @ axis / max(axis @ axis, 1e-12), 0, 1)
        offset -= along[:, None] * axis
        gap = np.sqrt(np.einsum("ij,ij->i", offset, offset)) - (first + (last - first) * along)
        result[hits] = np.minimum(result[hits], gap)
    return result


def _box(tree: Tree, reach: float) -> tuple[Array, Array]:
    margin = reach + tree.radii.max()
    corners = np.concatenate([tree.starts, tree.ends])
    return corners.min(axis=0) - margin, corners.max(axis=0) + margin


@dataclass
class _Growth:
    """A tree under growth: its segments, and the tips that may still split, most points first."""

    rng: np.random.Generator
    inside: Inside
    root_radius: float
    total: int
    reach: float
    min_cosine: float
    starts: list[Array] = field(default_factory=list[Array])
    ends: list[Array] = field(default_factory=list[Array])
    radii: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    branchings: list[Array] = field(default_factory=list[Array])
    tips: list[tuple[int, int, Array]] = field(default_factory=list[tuple[int, int, Array]])

    def branch(self, start: Array, heading: Array, cloud: Array, radius: float) -> None:
        """Grow one segment from ``start`` toward the middle of ``cloud`` and keep it as a tip."""
        self.starts.append(start)
        self.ends.append(self._end(start, heading, cloud))
        self.radii.append((radius, _TERMINAL_TAPER * radius))
        heapq.heappush(self.tips, (-len(cloud), len(self.ends) - 1, cloud))

    def split_largest(self) -> None:
        """Split the tip that serves most points in two."""
        _, number, cloud = heapq.heappop(self.tips)
        start, end = self.starts[number], self.ends[number]
        heading = (end - start) / max(np.linalg.norm(end - start), 1e-9)
        halves = self._halves(cloud, heading)
        radii = [self.root_radius * (len(half) / self.total) ** (1 / 3) for half in halves]
        self.radii[number] = (self.radii[number][0], max(radii))
        self.branchings.append(end)
        for half, radius in zip(halves, radii, strict=True):
            self.branch(end, heading, half, radius)

    def stretch_tips(self) -> None:
        """Let every tip run through the middle of its points, so that the tree reaches the region's border."""
        for _, number, cloud in self.tips:
            start, end = self.starts[number], self.ends[number]
            way = float(np.linalg.norm(cloud.mean(axis=0) - start))
            self.ends[number] = self._stop(start, (end - start) / max(np.linalg.norm(end - start), 1e-9), 1.5 * way)

    def tree(self) -> Tree:
        branchings = np.asarray(self.branchings).reshape(-1, 3)
        return Tree(np.asarray(self.starts), np.asarray(self.ends), np.asarray(self.radii), branchings)

    def _halves(self, cloud: Array, heading: Array) -> tuple[Array, Array]:
        # Split across the longest extent square to the branch, so that daughters spread instead of running in parallel.
        offset = cloud - cloud.mean(axis=0)
        across = offset - np.outer(offset @ heading, heading)
        main = np.asarray(np.linalg.svd(across, full_matrices=False)[2], np.float64)[0]
        along_axis = np.asarray(offset @ main, np.float64)
        first = along_axis < np.quantile(along_axis, self.rng.uniform(0.35, 0.65))
        return cloud[first], cloud[~first]

    def _end(self, start: Array, heading: Array, cloud: Array) -> Array:
        way = cloud.mean(axis=0) - start
        length = np.linalg.norm(way)
        turned = self._turn(heading, way / max(length, 1e-9))
        return self._stop(start, turned, length * np.clip(self.reach * self.rng.uniform(0.8, 1.2), 0, 1))

    def _stop(self, start: Array, heading: Array, length: float) -> Array:
        tries = start + length * np.array([1.0, 0.85, 0.7, 0.55, 0.4, 0.25, 0.12])[:, None] * heading
        within = self.inside(tries.T)
        return tries[np.argmax(within)] if within.any() else tries[-1]

    def _turn(self, heading: Array, wanted: Array) -> Array:
        cosine = float(heading @ wanted)
        if cosine >= self.min_cosine:
            return wanted
        side = wanted - cosine * heading
        norm = np.linalg.norm(side)
        if norm < 1e-9:
            return heading
        return self.min_cosine * heading + np.sqrt(1 - self.min_cosine**2) * side / norm
