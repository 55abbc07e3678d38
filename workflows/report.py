"""Write the report of a run: tables, figures, pictures and the page."""

from __future__ import annotations

from pathlib import Path

from benchmarks import records, results
from datasets.case import Pair, Truth, open_dataset
from reports import page
from reports.paper.cast import PaperRun
from reports.paper.layout import load_paper
from reports.reading.run import Run
from reports.reading.trainings import read as read_training
from workflows.planning.layout import Layout, chunk_of
from workflows.planning.specs import ReportSpec
from workflows.running.command import job


def report(spec: ReportSpec) -> None:
    """Build the report from the rows and the displacements of a finished run."""
    layout = Layout(spec.folder)
    datasets = {name: open_dataset(folder) for name, folder in spec.datasets}
    chunks = {name: chunk_of(data.test_pairs, spec.chunks[name]) for name, data in datasets.items()}

    def displacement_path(dataset: str, method: str, seed: int, pair: str) -> Path:
        return layout.chunk(dataset, method, seed, chunks[dataset][pair]).displacement(Pair.from_name(pair))

    unavailable = records.read(layout.unavailable, list[records.Unavailable])
    run = Run(
        metrics=results.read(layout.metrics, "metrics"),
        timing=results.read(layout.timing, "timing"),
        runs=results.read(layout.runs, "runs"),
        datasets=datasets,
        methods=dict(spec.methods),
        displacement_path=displacement_path,
        labels=lambda dataset, case: Truth(datasets[dataset].folder).labels(case),
        landmarks=lambda dataset, pair: Truth(datasets[dataset].folder).landmarks(Pair.from_name(pair)),
        trainings=[read_training(path) for path in spec.trainings],
        profile=spec.profile,
        about=spec.about,
        unavailable={(each.dataset, each.method): each.reason for each in unavailable},
        networks={each.method: each for each in records.read(layout.networks, list[records.PaperNetwork])},
    )
    papers = [PaperRun(load_paper(key), run, cast) for key, cast in spec.papers.items()]
    page.build(layout.report, run, papers)


if __name__ == "__main__":
    with job(ReportSpec, __doc__) as this:
        report(this.spec)
