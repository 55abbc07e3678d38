"""From a run to the contents of its archive: rows, provenance, what is told of it, lean curves, small pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks import records, results
from reports.archive import told as tell
from reports.archive.lean import lean_files
from reports.archive.packed import PICTURES, Manifest
from reports.archive.rows import ROWS
from reports.archive.told import Told, told_data, told_training
from reports.overview import cases
from reports.paper import draw
from reports.paper.cast import PaperRun
from reports.reading.pictures import NOT_ARCHIVED, Request, encode
from reports.reading.run import Run


def manifest(run: Run) -> Manifest:
    """Return what the archive of a run says of itself."""
    commits = sorted({str(commit) for commit in run.runs.commit if commit}) if len(run.runs) else []
    return Manifest(profile=run.profile, commits=commits)


def contents(run: Run, papers: Sequence[PaperRun]) -> dict[str, bytes]:
    """Return the contents of a run's archive by name; ``run`` takes its pictures from volumes."""
    found = {tell.NAME: tell.encode(_told(run, papers)), **dict(_rows(run)), **dict(_pictures(run, papers))}
    for training, name, content in lean_files(run.trainings):
        found[f"{told_training(training).folder}/{name}"] = content
    return found


def requests(run: Run, papers: Sequence[PaperRun]) -> Iterator[Request[object]]:
    """Yield all that a report draws of images."""
    yield from cases.requests(run)
    for paper in papers:
        yield from draw.requests(paper)


def _told(run: Run, papers: Sequence[PaperRun]) -> Told:
    lost = run.unavailable.items()
    return Told(
        profile=run.profile,
        about=run.about,
        datasets=[told_data(each) for each in run.datasets.values()],
        methods=list(run.methods.items()),
        papers={each.paper.key: dict(each.cast) for each in papers},
        trainings=[told_training(each) for each in run.trainings],
        unavailable=[records.Unavailable(dataset=d, method=m, seed=0, reason=why) for (d, m), why in lost],
        networks=list(run.networks.values()),
        declared=list(run.declared),
        lacking=list(run.lacking),
    )


def _rows(run: Run) -> Iterator[tuple[str, bytes]]:
    yield ROWS["metrics"], results.encode(run.metrics, "metrics")
    yield ROWS["runs"], results.encode(run.runs, "runs")
    yield ROWS["timing"], results.encode([] if run.timing is None else run.timing, "timing")


def _pictures(run: Run, papers: Sequence[PaperRun]) -> Iterator[tuple[str, bytes]]:
    """Yield what is drawn of images, encoded; what there is nothing of only where the reason is more than that."""
    for request in requests(run, papers):
        taken = run.pictures.get(request)
        if taken != NOT_ARCHIVED:
            yield f"{PICTURES}/{request.name}", encode(taken)
