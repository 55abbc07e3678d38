"""Write the report of a run: tables, figures, pictures and the page.

The specification: ``profile`` and ``about`` (what it cuts), ``results`` (folder of the run), ``trainings`` (paths of
training.json), ``datasets`` and ``methods`` (lists, in display order, of name and folder, and of name and label, kind,
cite), ``chunks`` (data set to number of chunks), ``papers`` (paper to: its data set to the one that plays it),
``folder``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import results
from datasets.case import Pair, Truth, open_dataset
from datasets.files import Array
from reports import page
from reports.paper.layout import PaperRun, load_paper
from reports.reading.trainings import Training
from workflows.running.command import Spec, run_step


def report(spec: Spec) -> None:
    """Build the report from the rows and the displacements of a finished run."""
    run = Path(spec["results"])
    datasets = {name: open_dataset(Path(folder)) for name, folder in spec["datasets"]}

    def displacement_path(dataset: str, method: str, seed: int, pair: str) -> Path:
        index = [known.name for known in datasets[dataset].test_pairs].index(pair)
        chunk = index % spec["chunks"][dataset]
        folder = run / "runs" / dataset / method / f"seed{seed}" / f"chunk{chunk}"
        return folder / Pair.from_name(pair).displacement_file

    def labels(dataset: str, case: str) -> Array | None:
        return Truth(datasets[dataset].folder).labels(case)

    shown: dict[str, Any] = {
        "metrics": results.read(run / "metrics.parquet", "metrics"),
        "runs": results.read(run / "runs.parquet", "runs"),
        "timing": results.read(run / "timing.parquet", "timing"),
        "methods": dict(spec["methods"]),
        "displacement_path": displacement_path,
        "labels": labels,
    }

    def landmarks(dataset: str, pair: str) -> tuple[Array, Array] | None:
        return Truth(datasets[dataset].folder).landmarks(Pair.from_name(pair))

    trainings = [_training(Path(path)) for path in spec["trainings"]]
    papers = [
        PaperRun(
            paper=load_paper(key),
            datasets={role: datasets[name] for role, name in cast.items()},
            about=spec["about"],
            landmarks=landmarks,
            trainings=trainings,
            **shown,
        )
        for key, cast in spec["papers"].items()
    ]
    page.build(
        Path(spec["folder"]),
        **shown,
        datasets=datasets,
        papers=papers,
        profile=spec["profile"],
        profile_about=spec["about"],
        training_curves=_curves(trainings),
    )


def _training(path: Path) -> Training:
    """A training from the path of its training.json, ``models/<data set>/<method>/seed<k>/training.json``."""
    outcome = json.loads(path.read_text(encoding="utf-8"))
    dataset, method, seed = path.parts[-4], path.parts[-3], int(path.parts[-2].removeprefix("seed"))
    return Training(method, dataset, seed, outcome["status"], outcome["reason"], Path(outcome["kept"]))


def _curves(trainings: Sequence[Training]) -> dict[tuple[str, str], pd.DataFrame]:
    """The loss of each method's first seed, by method and training data set; of a failed one none."""
    curves = {}
    for training in sorted(trainings, key=lambda each: each.seed):
        rows = training.rows("curve.jsonl") if training.status == "ok" else None
        if rows is not None:
            curves.setdefault((training.method, training.dataset), rows.rename(columns={"total": "loss"}))
    return curves


if __name__ == "__main__":
    run_step(report, __doc__)
