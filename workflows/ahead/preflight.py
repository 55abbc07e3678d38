"""Before the first job: whether the jobs can end, and what they take. What cannot end is not begun."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.regression.places import Places
from datasets.description import IMAGES, read_description
from datasets.download import cache_folder
from datasets.files import DataError
from datasets.room import free, in_words, lack_of_room
from datasets.supply import NOTHING_KNOWN, Extent
from workflows.ahead import durations, supplies
from workflows.planning.plan import Plan
from workflows.planning.wildcards import Wildcards
from workflows.regression import ready

IMAGE, DISPLACEMENT = 5, 12  # bytes a voxel before compression: an image with its mask, three components
LEAST = 0.5  # what compression leaves of both at the very least
RULES = ("prepare", "train", "register", "collect", "timing", "export", "report", "regression")
ALONE = ("collect", "timing", "export", "report", "regression")  # rules whose jobs run one after the other


@dataclass(frozen=True)
class Job:
    """A job that is about to start: its rule, the names in its paths, its threads.

    ``took`` are the seconds that it took when it last ran here, None where that is not known.
    """

    rule: str
    where: Wildcards
    threads: int = 1
    took: float | None = None


@dataclass(frozen=True)
class Disk:
    """Bytes that a run needs at most, below its results and in the cache, and the data sets of unknown size."""

    results: float
    cache: float
    unknown: Sequence[str] = ()


def data_problems(plan: Plan, names: Iterable[str]) -> list[str]:
    """Return a line on each data set that cannot be prepared: files are missing, and all are named, or wrong."""
    return [_refused(plan, stock) for stock in _lost(plan, names)]


def _lost(plan: Plan, names: Iterable[str]) -> list[supplies.Stock]:
    stocks = (supplies.stock_of(plan.settings, name, plan.layout) for name in names)
    return [stock for stock in stocks if stock.lack]


def _refused(plan: Plan, stock: supplies.Stock) -> str:
    more = "check FILE` with your configuration file lists all" if stock.unfit else "show data`"
    return f"data set {stock.name}: {stock.lack}; or {_without(plan, stock.name)} (`python -m workflows.{more})"


def _without(plan: Plan, name: str) -> str:
    """Return how a run does without a data set, in words."""
    settings = plan.settings
    if name in settings.datasets:
        return "leave it out of run.datasets"
    learns = dict.fromkeys(m for m, d in settings.runs if settings.trains(m) and settings.train_on(m, d) == name)
    return f"leave what learns from it out of run.methods: {', '.join(learns)}"


def problems(plan: Plan, jobs: Sequence[Job], cores: int, *, offer: str = "") -> list[str]:
    """Return a line on everything that keeps some jobs from ending; none where nothing is known to.

    Where data are missing, ``offer`` says what a run may do without them.
    """
    to_prepare = {job.where.dataset for job in jobs if job.rule == "prepare"}  # Snakemake has its jobs in no order
    in_order = [name for name in plan.settings.prepared if name in to_prepare]
    lost = _lost(plan, in_order)
    offered = [offer] if offer and any(not stock.unfit for stock in lost) else []
    room = _lacks_of_room(plan, disk(plan, jobs, cores))
    return [*(_refused(plan, stock) for stock in lost), *offered, *_not_given(plan, jobs), *room, *_no_gate(plan, jobs)]


def _no_gate(plan: Plan, jobs: Iterable[Job]) -> list[str]:
    """Return a line where the gate is to compare the run, and could not in the end."""
    if not any(job.rule == "regression" for job in jobs):
        return []
    try:
        ready.check(Places(plan.layout.results), plan.settings.config.regression.base)
    except DataError as error:
        return [f"regression: {error}"]
    return []


def _not_given(plan: Plan, jobs: Iterable[Job]) -> list[str]:
    """Return a line on each file or folder that an option names, and that is not there when its method is to run."""
    runs = [(job.where.method, job.where.dataset) for job in jobs if job.rule == "register"]
    named = dict.fromkeys((method, path) for method, dataset in runs for path in plan.settings.given(method, dataset))
    return [
        f"configuration, methods.{method}.params: {path}: no such file or folder; correct the path"
        for method, path in named
        if not path.exists()
    ]


def forecast(plan: Plan, jobs: Sequence[Job], cores: int, pilot: float = 0) -> list[str]:
    """Return lines on what is about to run: jobs by rule, room on the disk, and about how long.

    ``pilot`` are minutes on one core that a pilot has measured, which count for more than what is kept of runs.
    """
    counts = Counter(sorted((job.rule for job in jobs), key=lambda rule: RULES.index(rule) if rule in RULES else -1))
    named = ", ".join(f"{count} {rule}" for rule, count in counts.items())
    need = disk(plan, jobs, cores)
    measured = f"about {_words(60 * pilot / cores)} on {cores} cores by a pilot, stages that are begun counted whole"
    time = measured if pilot else _time(plan, jobs, cores)
    return [f"{_jobs(len(jobs))}: {named}", f"disk: {_room(plan, need)}", f"time: {time}"]


def _room(plan: Plan, need: Disk) -> str:
    """Return in words what results and downloads take, and of which data sets that shows as they are prepared."""
    there, later = plan.layout.results, ", ".join(need.unknown)
    said = f"{in_words(free(there))} are free below {there}"
    if need.results:
        said = f"up to {in_words(need.results)} below {there}, where {in_words(free(there))} are free"
    if need.unknown:
        said += f"; what {later} will take is known once prepared"
    return said + (f"; {in_words(need.cache)} to download into {cache_folder()}" if need.cache else "")


def disk(plan: Plan, jobs: Sequence[Job], cores: int) -> Disk:
    """Return the room that some jobs need: for data to prepare, for displacements to keep or to judge."""
    results, cache, unknown, waiting = 0.0, 0.0, dict[str, None](), [0.0]
    sized = [job for job in jobs if job.rule in ("prepare", "register")]
    extents = {name: _extent(plan, name) for name in dict.fromkeys(job.where.dataset for job in sized)}
    for job in sized:
        name, extent = job.where.dataset, extents[job.where.dataset]
        if job.rule == "prepare":
            stock = supplies.stock_of(plan.settings, name, plan.layout)
            cache += stock.supply.to_download if stock.supply else 0
            drawn = DISPLACEMENT * extent.pairs if stock.drawn else 0
            results += extent.voxels * (IMAGE * extent.images + drawn)
        if job.rule == "register":
            pairs = math.ceil(extent.pairs / plan.settings.dataset(name).chunks)
            waiting.append(DISPLACEMENT * extent.voxels * pairs)
            results += waiting[-1] if plan.settings.keep(name) == "all" else 0
        if not extent.voxels:
            unknown[name] = None
    # Where displacements are deleted once judged, each of the jobs that run beside each other has a chunk of them.
    return Disk(max(results, sum(sorted(waiting)[-cores:])), cache, list(unknown))


def _extent(plan: Plan, name: str) -> Extent:
    """Return how much a data set holds: as it is prepared, else as its module expects."""
    if plan.layout.description(name).exists():
        try:
            about = read_description(plan.layout.data(name))
            images = sum(file.startswith(f"{IMAGES}/") for file in about.files)
            return Extent(images, len(about.test), math.prod(about.shape) if about.shape else 0)
        except DataError:
            return NOTHING_KNOWN
    supply = supplies.stock_of(plan.settings, name, plan.layout).supply
    return supply.extent if supply else NOTHING_KNOWN


def _lacks_of_room(plan: Plan, need: Disk) -> Iterator[str]:
    """Yield what does not fit however well it compresses; one disk may hold results and cache."""
    results, cache = plan.layout.results, cache_folder()
    least = LEAST * need.results
    if need.cache and _device(results) == _device(cache):
        least += need.cache
    elif fault := lack_of_room(cache, need.cache):
        yield f"downloads: {fault}; make room, or set WARPBENCH_CACHE to a folder on another disk"
    if fault := lack_of_room(results, least, spare=0):
        yield f"results: {fault}; make room, run in another --directory, or write `keep: extremes`"


def _device(folder: Path) -> int:
    return os.stat(next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())).st_dev


def _time(plan: Plan, jobs: Sequence[Job], cores: int) -> str:
    """Return in words about how long jobs take, where that comes from, and of how many it is not known."""
    kept = durations.stored(plan.settings.profile) if any(job.took is None for job in jobs) else durations.Stored()
    here = [job.took for job in jobs if job.took is not None]
    known, beside, after, longest = 0, 0.0, 0.0, 0.0
    for job in jobs:
        chunks = plan.settings.dataset(job.where.dataset).chunks if job.where.dataset else 1
        seconds = job.took if job.took is not None else kept.of(job.rule, job.where, chunks)
        if seconds is None:
            continue
        known += 1
        if job.rule in ALONE:
            after += seconds
        else:
            beside, longest = beside + seconds * min(job.threads, cores), max(longest, seconds)
    if not known:
        return "not known: no run of this profile has left any times"
    origin = [f"{_jobs(len(here))} as before here"] if here else []
    if fresh := known - len(here):
        origin.append(f"{fresh} as in reports/measured/{plan.settings.profile}, without starting and judging them")
    lost = f"; of {_jobs(len(jobs) - known)} no time is known" if known < len(jobs) else ""
    return f"about {_words(max(beside / cores, longest) + after)} on {cores} cores ({', '.join(origin)}{lost})"


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
