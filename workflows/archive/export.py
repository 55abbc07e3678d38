"""Write the archive of a run: its rows, where they came from, and small pictures; reports are made of nothing else."""

from __future__ import annotations

from pathlib import Path

from benchmarks import records, results
from datasets.case import Pair, Truth, open_dataset
from reports.archive.export import contents, manifest
from reports.archive.packed import write
from reports.paper.cast import PaperRun
from reports.paper.layout import load_paper
from reports.reading.pictures import Live, Volumes
from reports.reading.run import Run
from reports.reading.trainings import read as read_training
from workflows.planning.layout import Layout, chunk_of
from workflows.planning.specs import ExportSpec
from workflows.running.command import job


def export(spec: ExportSpec) -> Path:
    """Write the archive of a finished run; return its path."""
    layout = Layout(spec.folder)
    unavailable = records.read(layout.unavailable, list[records.Unavailable])
    networks, methods = records.read(layout.networks, list[records.PaperNetwork]), dict(spec.methods)
    volumes = _volumes(spec, layout)
    run = Run(
        metrics=results.read(layout.metrics, "metrics"),
        timing=results.read(layout.timing, "timing"),
        runs=results.read(layout.runs, "runs"),
        datasets=volumes.datasets,
        methods=methods,
        pictures=Live(volumes),
        trainings=[read_training(path) for path in spec.trainings],
        profile=spec.profile,
        about=spec.about,
        unavailable={(each.dataset, each.method): each.reason for each in unavailable},
        networks={each.method: each for each in networks if each.method in methods},  # of stages to come there are more
        declared=list(records.read_lines(layout.declared, records.Declared)),
        lacking=spec.lacking,
    )
    papers = [PaperRun(load_paper(key), run, cast) for key, cast in spec.papers.items()]
    write(layout.archive, manifest(run), contents(run, papers))
    return layout.archive


def _volumes(spec: ExportSpec, layout: Layout) -> Volumes:
    """Return the images, displacements and truths of the run."""
    datasets = {name: open_dataset(folder) for name, folder in spec.datasets}
    chunks = {name: chunk_of(data.test_pairs, spec.chunks[name]) for name, data in datasets.items()}

    def displacement_path(dataset: str, method: str, seed: int, pair: str) -> Path:
        return layout.chunk(dataset, method, seed, chunks[dataset][pair]).displacement(Pair.from_name(pair))

    return Volumes(
        datasets,
        displacement_path,
        labels=lambda dataset, case: Truth(datasets[dataset].folder).labels(case),
        landmarks=lambda dataset, pair: Truth(datasets[dataset].folder).landmarks(Pair.from_name(pair)),
    )


if __name__ == "__main__":
    with job(ExportSpec, __doc__) as this:
        export(this.spec)
