"""Write the report of a run: tables, figures, pictures and the page.

The specification: ``profile`` and ``about`` (what it cuts), ``results`` (folder of the run), ``trainings`` (paths of
training.json), ``datasets`` and ``methods`` (lists, in display order, of name and folder, and of name and label, kind,
cite), ``chunks`` (data set to number of chunks), ``papers`` (paper to: its data set to the one that plays it),
``folder``.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import results
from datasets.case import Pair, Truth, open_dataset
from reports import page
from reports.paper.cast import PaperRun
from reports.paper.layout import load_paper
from reports.reading.run import Method, Run
from reports.reading.trainings import Training
from workflows.running.command import Spec, run_step


def report(spec: Spec) -> None:
    """Build the report from the rows and the displacements of a finished run."""
    results_folder = Path(spec["results"])
    datasets = {name: open_dataset(Path(folder)) for name, folder in spec["datasets"]}

    def displacement_path(dataset: str, method: str, seed: int, pair: str) -> Path:
        index = [known.name for known in datasets[dataset].test_pairs].index(pair)
        chunk = index % spec["chunks"][dataset]
        folder = results_folder / "runs" / dataset / method / f"seed{seed}" / f"chunk{chunk}"
        return folder / Pair.from_name(pair).displacement_file

    run = Run(
        metrics=results.read(results_folder / "metrics.parquet", "metrics"),
        timing=results.read(results_folder / "timing.parquet", "timing"),
        runs=results.read(results_folder / "runs.parquet", "runs"),
        datasets=datasets,
        methods={name: Method(**about) for name, about in spec["methods"]},
        displacement_path=displacement_path,
        labels=lambda dataset, case: Truth(datasets[dataset].folder).labels(case),
        landmarks=lambda dataset, pair: Truth(datasets[dataset].folder).landmarks(Pair.from_name(pair)),
        trainings=[_training(Path(path)) for path in spec["trainings"]],
        profile=spec["profile"],
        about=spec["about"],
    )
    papers = [PaperRun(load_paper(key), run, cast) for key, cast in spec["papers"].items()]
    page.build(Path(spec["folder"]), run, papers)


def _training(path: Path) -> Training:
    """A training from the path of its training.json, ``models/<data set>/<method>/seed<k>/training.json``."""
    outcome = json.loads(path.read_text(encoding="utf-8"))
    dataset, method, seed = path.parts[-4], path.parts[-3], int(path.parts[-2].removeprefix("seed"))
    return Training(method, dataset, seed, outcome["status"], outcome["reason"], Path(outcome["kept"]))


if __name__ == "__main__":
    run_step(report, __doc__)
