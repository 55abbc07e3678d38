"""The claims of a paper read from one YAML, ``reports/papers/claims/<paper>.yaml``; a paper may have none."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.metrics import METRICS
from reports.claims.contents import MOST_METHODS, OF_NETWORKS, Average, Claim, Claims, Flattening, Kind, Measure, Region
from reports.paper.printed import PaperError, read_layout

SCHEMA = Path(__file__).parents[1] / "schemas" / "claims.schema.yaml"
FOLDER = "claims"  # beside the papers' own files


class Written(msgspec.Struct, forbid_unknown_fields=True):
    """A claim as the file has it; see the schema."""

    key: str
    statement: str
    locator: str
    methods: list[str]
    measure: str
    kind: Kind = "values"
    dataset: str | list[str] = []
    average: Average = "pairs"
    above: float | None = None
    below: float | None = None


class File(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    paper: str
    flattening: Flattening
    measures: dict[str, Measure]
    claims: list[Written]


def load_claims(key: str, datasets: Sequence[str], *, folder: Path) -> Claims | None:
    """Read the claims of a paper whose data sets have the keys ``datasets``; None where there is no file.

    Raises `PaperError` with one line where the file does not fit its schema or itself, or names a metric, protocol or
    data set that does not exist. Methods are the catalogue's, which reports do not know.
    """
    path = folder / FOLDER / f"{key}.yaml"
    if not path.exists():
        return None
    file = msgspec.convert(read_layout(path, SCHEMA), File)
    if file.paper != key:
        raise PaperError(f"{path}: paper is {file.paper!r}, the file's name says {key!r}")
    for name, measure in file.measures.items():
        _check_measure(measure, f"{path}: measure {name}")
    twice = [name for name, times in Counter(entry.key for entry in file.claims).items() if times > 1]
    if twice:
        raise PaperError(f"{path}: claim {twice[0]} occurs twice")
    claims = [_claim(entry, file.measures, datasets, f"{path}: claim {entry.key}") for entry in file.claims]
    return Claims(key, file.flattening, claims)


def _check_measure(measure: Measure, where: str) -> None:
    if measure.column:
        return
    _check_known([measure.metric], METRICS, f"{where}: metric")
    if measure.protocol:
        _check_known([measure.protocol], METRICS[measure.metric].protocols, f"{where}: protocol")


def _claim(entry: Written, measures: Mapping[str, Measure], datasets: Sequence[str], where: str) -> Claim:
    _check_known([entry.measure], measures, f"{where}: measure")
    names = [entry.dataset] if isinstance(entry.dataset, str) else entry.dataset
    _check_known(names, datasets, f"{where}: dataset")
    above, below = (
        (-math.inf if entry.above is None else entry.above),
        (math.inf if entry.below is None else entry.below),
    )
    if above >= below:
        raise PaperError(f"{where}: above {above:g} has to be less than below {below:g}")
    claim = Claim(
        entry.key,
        entry.statement,
        entry.locator,
        entry.methods,
        measures[entry.measure],
        Region(above, below),
        entry.kind,
        names,
        entry.average,
    )
    _check_claim(claim, where)
    return claim


def _check_claim(claim: Claim, where: str) -> None:
    most, known = MOST_METHODS[claim.kind], (1, 2, 4)
    if len(claim.methods) not in [number for number in known if number <= most]:
        raise PaperError(
            f"{where}: {len(claim.methods)} methods, but {claim.kind} compares at most {most}, and never 3"
        )
    if claim.kind == "spread" and len(claim.methods) != 2:
        raise PaperError(f"{where}: spread compares 2 methods, got 1")
    if not claim.datasets and claim.kind not in (*OF_NETWORKS, "share", "outcome"):
        raise PaperError(f"{where}: {claim.kind} needs a dataset")
    if claim.kind in OF_NETWORKS and claim.measure.metric != claim.kind:
        raise PaperError(f"{where}: {claim.kind} needs a measure of the metric {claim.kind}")
    if claim.kind == "share" and not claim.measure.column:
        raise PaperError(f"{where}: share needs a measure with a column of the curve")
    if claim.kind != "share" and claim.measure.column:
        raise PaperError(f"{where}: a column of the curve goes with share, not with {claim.kind}")


def _check_known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise PaperError(f"{what} names {name!r}, which is none of {', '.join(known)}")
