"""The table of metrics, and `evaluate`, which computes whatever its inputs allow.

To add a metric, write a function that yields its `benchmarks.evidence.Value` and one entry of `METRICS`. Everything
else reads the entry: the rows, the gate in continuous integration, the tables, their decimals and the page's glossary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypedDict

import numpy as np

from benchmarks.evidence import Evidence
from benchmarks.measures import consistency, deformation, folds, landmarks, overlap, similarity, surfaces, surfels
from benchmarks.metric import Metric
from datasets import geometry

_CLOCK = {
    "register": "one call while accuracy was measured, taken beside other work: contended; for speed see the timing"
}
_LDR = "light-weight deformable registration, arXiv:2110.01293"
_PROGRESSIVE = "progressively trained networks, doi:10.1109/TMI.2019.2953788"

METRICS: Mapping[str, Metric] = {
    "dice": Metric(
        name="Dice",
        meaning="Overlap of warped moving and fixed labels: twice the shared voxels over the sum of both.",
        higher_is_better=True,
        needs="labels",
        compute=overlap.dice_values,
        protocols={**overlap.PROTOCOLS},
        region="mean",
        ranks=True,
        column=True,
        most=1.0,
        tolerance=0.005,
        perfect=1.0,
        source="Dice 1945, doi:10.2307/1932409",
    ),
    "jaccard": Metric(
        name="Jaccard",
        meaning="Overlap of warped moving and fixed labels: shared voxels over voxels in either.",
        higher_is_better=True,
        needs="labels",
        compute=overlap.jaccard_values,
        protocols={**overlap.OF_JACCARD},
        region="mean",
        most=1.0,
        tolerance=0.005,
        perfect=1.0,
        source="Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x",
    ),
    "hd95": Metric(
        name="95th percentile of the Hausdorff distance",
        symbol="HD95",
        meaning="How far the surfaces of warped moving and fixed labels lie apart, but for the farthest 5 % each way.",
        unit="mm",
        needs="labels",
        compute=surfaces.hausdorff(overlap.warped_labels),
        protocols=surfaces.PROTOCOLS,
        region="mean",
        decimals=2,
        column=True,
        tolerance=0.05,
        source="Huttenlocher et al. 1993, doi:10.1109/34.232073",
    ),
    "hd95_l2r": Metric(
        name="95th percentile of the Hausdorff distance, by the Learn2Reg evaluator",
        symbol="HD95, Learn2Reg",
        meaning="For comparison with its leaderboards alone, where a set asks for it: in voxels, weighed by area.",
        unit="voxels",
        needs="labels",
        compute=surfels.hausdorff_l2r(overlap.filled_labels),
        protocols=surfels.PROTOCOLS,
        region="mean",
        decimals=2,
        tolerance=0.1,
        source="Learn2Reg, doi:10.1109/TMI.2022.3213983",
    ),
    "tre": Metric(
        name="Target registration error",
        symbol="TRE",
        meaning="Distance between a fixed landmark carried over and its moving partner.",
        unit="mm",
        needs="landmarks",
        compute=landmarks.tre_values,
        protocols={**landmarks.PROTOCOLS},
        region="mean",
        decimals=2,
        ranks=True,
        column=True,
        tolerance=0.05,
        perfect=0.0,
        source="Castillo et al. 2009, doi:10.1088/0031-9155/54/7/001",
    ),
    "landmark_correlation": Metric(
        name="Landmark correlation",
        meaning="How well displacements at landmarks follow the true ones; blind to a wrong scale or offset.",
        higher_is_better=True,
        needs="landmarks",
        compute=landmarks.correlation_values,
        protocols=landmarks.CORRELATED,
        region="mean",
        least=-1.0,
        most=1.0,
        tolerance=0.02,
        perfect=1.0,
        source=_PROGRESSIVE,
    ),
    "displacement_error": Metric(
        name="Displacement error",
        meaning="Length of the difference between the displacement found and the true one.",
        unit="mm",
        needs="true_displacement",
        compute=deformation.error_values,
        protocols=deformation.ERROR,
        region="mean",
        decimals=2,
        ranks=True,
        column=True,
        tolerance=0.05,
        perfect=0.0,
    ),
    "folding_count": Metric(
        name="Folded voxels",
        meaning="Voxels where the map folds: the determinant of the Jacobian of x + u(x) is 0 or less.",
        unit="voxels",
        needs="displacement",
        compute=deformation.forward(deformation.folding_count),
        protocols=deformation.FORWARD,
        decimals=1,
        tolerance=10.0,
        source=_LDR,
    ),
    "folding_percent": Metric(
        name="Folding",
        meaning="Share of voxels where the map folds: the determinant of the Jacobian of x + u(x) is 0 or less.",
        unit="%",
        needs="displacement",
        compute=deformation.central(deformation.folding_percent),
        protocols=deformation.CENTRAL,
        column=True,
        most=100.0,
        tolerance=0.05,
        source=_PROGRESSIVE,
    ),
    "folded_volume": Metric(
        name="Non-diffeomorphic volume",
        symbol="Folded volume",
        meaning="Volume that the map turns inside out, on tetrahedra between voxel centres; can exceed 100 %.",
        unit="%",
        needs="displacement",
        compute=folds.folded_volume_values,
        protocols=folds.PROTOCOLS,
        column=True,
        tolerance=0.05,
        source="Liu et al. 2022, arXiv:2212.06060",
    ),
    "inverse_consistency": Metric(
        name="Inverse consistency error",
        meaning="Distance between a voxel and where it ends, led there and back by both directions of a pair.",
        unit="mm",
        needs="opposite",
        compute=consistency.consistency_values,
        protocols=consistency.PROTOCOLS,
        region="mean",
        decimals=2,
        column=True,
        tolerance=0.05,
        source="Christensen and Johnson 2001, doi:10.1109/42.932742",
    ),
    "jacobian_std": Metric(
        name="Spread of the Jacobian determinant",
        symbol="SD of det J",
        meaning="Standard deviation of the Jacobian determinant of x + u(x): 0 where volume changes alike everywhere.",
        needs="displacement",
        compute=deformation.forward(deformation.jacobian_std),
        protocols=deformation.FORWARD,
        tolerance=0.01,
        source="recursive cascaded networks, doi:10.1109/ICCV.2019.01070",
    ),
    "sdlogj": Metric(
        name="Spread of the logarithm of the Jacobian determinant",
        symbol="SDlogJ",
        meaning="Standard deviation of the logarithm of the Jacobian determinant of x + u(x) over voxels.",
        needs="displacement",
        compute=deformation.central(deformation.sdlogj),
        protocols=deformation.CENTRAL,
        tolerance=0.02,
        source="Leow et al. 2007, doi:10.1109/TMI.2007.892646",
    ),
    "sdlogj_l2r": Metric(
        name="Spread of the logarithm of the Jacobian determinant, by the Learn2Reg evaluator",
        symbol="SDlogJ, Learn2Reg",
        meaning="For comparison with its leaderboards alone: it adds 3 to the determinant before the logarithm.",
        needs="displacement",
        compute=deformation.central(deformation.sdlogj_l2r),
        protocols=deformation.CENTRAL,
        tolerance=0.005,
        source="Learn2Reg, doi:10.1109/TMI.2022.3213983",
    ),
    "similarity": Metric(
        name="Intensity similarity",
        meaning="Correlation of the warped and the fixed image, where a set has no truth; it is no accuracy.",
        higher_is_better=True,
        needs="images",
        compute=similarity.similarity_values,
        protocols=similarity.PROTOCOLS,
        column=True,
        least=-1.0,
        most=1.0,
        tolerance=0.005,
    ),
    "seconds": Metric(
        name="Time",
        meaning="Time of one registration.",
        unit="s",
        protocols=_CLOCK,
        statistic="median",
        decimals=4,
        digits=3,
        column=True,
        tolerance=None,
    ),
    "peak_memory": Metric(
        name="Peak memory",
        meaning="Most memory in one registration beyond libraries and weights; on CUDA the most that the device held.",
        unit="MiB",
        protocols=_CLOCK,
        decimals=0,
        tolerance=None,
    ),
    "parameters": Metric(
        name="Parameters",
        meaning="How many numbers the network learns.",
        protocols={"network": "trainable numbers of the network run"},
        decimals=0,
    ),
    "macs": Metric(
        name="Multiply-accumulates",
        symbol="MACs",
        meaning="Arithmetic work of the network in one registration.",
        protocols={"network": "multiply-accumulates of one registration"},
        decimals=0,
    ),
    "full_parameters": Metric(
        name="Parameters at the paper's width",
        meaning="How many numbers the network learns as its paper builds it.",
        protocols={"network": "trainable numbers of the same network at its paper's width"},
        decimals=0,
    ),
    "full_macs": Metric(
        name="Multiply-accumulates at the paper's width and size",
        symbol="MACs, paper",
        meaning="Arithmetic work of the network as its paper builds and uses it.",
        protocols={"network": "multiply-accumulates at its paper's width and size"},
        decimals=0,
    ),
}
CLOCK = next(iter(METRICS["seconds"].protocols))  # protocol of the one row of a pair that carries its status


class Row(TypedDict):
    """One measured number."""

    metric: str
    protocol: str
    region: str
    value: float
    unit: str


def evaluate(evidence: Evidence) -> list[Row]:
    """Compute every metric that the evidence allows, as rows of metric, protocol, region, value and unit.

    Regions are ``all`` for one number over a whole field, ``mean`` with ``count`` (how many labels or landmarks it
    averages), ``mean_<set>`` and ``count_<set>`` of a named set of labels, ``label_<n>``, ``axis_<n>``, ``sd``,
    ``median`` and ``p95``. Raises ``ValueError`` naming a part of the
    evidence that is not finite or not on the grid.
    """
    u, spacing = evidence.displacement, evidence.spacing
    u = geometry.check_displacement(u, np.shape(u)[1:], where="evaluate: displacement")
    if (evidence.fixed_labels is None) != (evidence.moving_labels is None):
        raise ValueError("evaluate: fixed_labels and moving_labels go together, got only one of them")
    if len(spacing) != 3 or not np.all(np.asarray(spacing) > 0):
        raise ValueError(f"evaluate: spacing must be three positive numbers in mm, got {spacing!r}")
    evidence = replace(evidence, displacement=u)
    return [
        _row(name, metric, *value)
        for name, metric in METRICS.items()
        if metric.compute is not None and evidence.has(metric.needs)
        for value in metric.compute(evidence)
    ]


def _row(name: str, metric: Metric, protocol: str, region: str, value: float) -> Row:
    unit = "1" if region.startswith("count") else metric.unit
    return {"metric": name, "protocol": protocol, "region": region, "value": value, "unit": unit}
