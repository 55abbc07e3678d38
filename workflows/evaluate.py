"""Judge one chunk of registrations: ``{"registrations", "data", "dataset", "method", "seed", "out"}``.

The only step that reads the truth. Failed pairs become rows too, with their status and reason.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.metrics import evaluate as measure
from datasets.case import Dataset, Pair, Truth, open_dataset
from datasets.files import DataError, read_displacement
from workflows.command import Spec, run_step

logger = logging.getLogger(__name__)
Row = dict[str, Any]


def evaluate(spec: Spec) -> None:
    """Write the metric rows of a chunk."""
    source = Path(spec["registrations"])
    registrations = json.loads(source.read_text())
    data, truth = open_dataset(Path(spec["data"])), Truth(Path(spec["data"]))
    data.check_files(("truth",))
    key = {name: spec[name] for name in ("dataset", "method", "seed")} | {"run": registrations["run"]["run"]}
    rows = [{**key, **row} for row in _cost_rows(registrations["cost"])] if spec["chunk"] == 0 else []
    for record in registrations["pairs"]:
        pair = Pair.from_name(record["pair"])
        rows += [{**key, **row} for row in _pair_rows(record, pair, data, truth, source.parent)]
        logger.info("%s: %s", pair.name, record["status"])
    results.write(Path(spec["out"]), rows, "metrics")


def _cost_rows(cost: Mapping[str, float]) -> Iterator[Row]:
    for metric, value in cost.items():
        yield _row("*", metric, "network", float(value), "1")


def _pair_rows(record: Mapping[str, Any], pair: Pair, data: Dataset, truth: Truth, folder: Path) -> Iterator[Row]:
    status, reason = record["status"], record["reason"]
    ok = status == "ok"
    yield _row(pair.name, "seconds", "register", record["seconds"] if ok else None, "s", status=status, reason=reason)
    if not ok:
        return
    yield _row(pair.name, "peak_memory", "register", record["peak_memory"], "MiB")
    displacement = _displacement(folder / pair.displacement_file)
    for row in judge(displacement, pair, data, truth):
        yield {"pair": pair.name, "status": "ok", "reason": "", **row}


def judge(displacement: Any, pair: Pair, data: Dataset, truth: Truth) -> list[Row]:
    """All metrics that the truth of a pair allows."""
    landmarks = truth.landmarks(pair)
    return measure(
        displacement,
        spacing=data.image(pair.fixed).spacing,
        fixed_labels=truth.labels(pair.fixed),
        moving_labels=truth.labels(pair.moving),
        labels=data.about.get("evaluated_labels"),
        landmarks=landmarks,
        true_displacement=truth.displacement(pair),
        mask=data.mask(pair.fixed),
    )


def _displacement(path: Path) -> Any:
    if not path.exists():
        raise DataError(
            f"{path}: the registration is recorded but its displacement is gone; delete {path.parent} and run"
        )
    return read_displacement(path)


def _row(
    pair: str, metric: str, protocol: str, value: float | None, unit: str, *, status: str = "ok", reason: str = ""
) -> Row:
    value = float("nan") if value is None else value
    return {
        "pair": pair, "metric": metric, "protocol": protocol, "region": "all",
        "value": value, "unit": unit, "status": status, "reason": reason,
    }  # fmt: skip


if __name__ == "__main__":
    run_step(evaluate, __doc__)
