"""The table of what a run took, kind by kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import records
from datasets.files import DataError
from reports.archive import packed
from reports.archive.told import read_told
from workflows.spending.meter import FOLDER, JOBS, RUNNER, START, Spent

KINDS: Mapping[str, str] = {
    "prepare": "data",
    "train": "training",
    "classical": "registration by other people's libraries",
    "learned": "registration by networks",
    "control": "registration by controls",
    "given": "displacements made elsewhere, handed over",
    "judge": "judging",
    "timing": "timing at the profile's size",
    "timing at the papers' size": "timing at the papers' size",
    "collect": "tables, archive and report",
    "export": "tables, archive and report",
    "report": "tables, archive and report",
    START: "start-up: Python and libraries, until a job or its method is ready",
}
RUNNING, REST = "Snakemake's own process", "shells around jobs, and what no job noted"
_BLOCK = re.compile(r"(<!-- spent -->\n)(.*?)(\n<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Line:
    """One kind of work: how many jobs have some of it, and their CPU seconds."""

    kind: str
    jobs: int
    seconds: float


@dataclass(frozen=True)
class Account:
    """What each job of a run noted; the ``kinds`` of its methods, and what run it is, in words, by its archive."""

    noted: Sequence[Spent]
    kinds: Mapping[str, str]
    run: str


def read(results: Path) -> Account:
    """Return what the jobs of a run have noted.

    Raises:
        DataError: the folder has no such notes, or no archive.
    """
    files = sorted((results / FOLDER).glob("*.json"))
    if not files:
        raise DataError(f"{results}: no job has noted what it took; give the folder of a run, such as results/mini")
    archive = packed.read(results)
    told, commits = read_told(archive), " and ".join(commit[:12] for commit in archive.manifest.commits)
    kinds = {name: about.kind for name, about in told.methods}
    return Account([records.read(path, Spent) for path in files], kinds, f"Profile {told.profile}, commit {commits}")


def lines(account: Account) -> list[Line]:
    """Return the kinds of work by how much they took, the most first; last what Snakemake and no job took."""
    found: dict[str, list[float]] = {}
    for spent in account.noted:
        for kind, seconds in _parts(spent, account.kinds) if spent.step != RUNNER else ():
            found.setdefault(kind, []).append(seconds)
    jobs = [Line(kind, len(each), sum(each)) for kind, each in found.items()]
    ordered = sorted(jobs, key=lambda line: line.seconds, reverse=True)
    runner = _runner(account)
    if runner is None:
        return ordered
    rest = max(0.0, runner.parts[JOBS] - sum(line.seconds for line in jobs))
    return [*ordered, Line(RUNNING, 1, runner.parts[RUNNER]), Line(REST, 0, rest)]


def table(account: Account) -> str:
    """Return the table in Markdown, below a line that says of which run it is."""
    found, runner = lines(account), _runner(account)
    total = sum(line.seconds for line in found)
    rows = [f"| {line.kind} | {line.jobs or ''} | {line.seconds:.0f} | {line.seconds / total:.0%} |" for line in found]
    wall = f", {runner.wall:.0f} s by the wall" if runner else ""
    head = [f"{account.run}:", "", "| what | jobs | CPU seconds | share |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, f"| all{wall} | | {total:.0f} | |"])


def written(page: str, found: str) -> str:
    """Return a page with its block of the table replaced; raise `DataError` where it has none."""
    if not _BLOCK.search(page):
        raise DataError("docs/speed.md: expected a block between `<!-- spent -->` and `<!-- end -->`")
    return _BLOCK.sub(lambda match: f"{match[1]}{found}{match[3]}", page)


def _runner(account: Account) -> Spent | None:
    return next((spent for spent in account.noted if spent.step == RUNNER), None)


def _parts(spent: Spent, kinds: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    for part, seconds in spent.parts.items():
        known = kinds.get(spent.method, "learned") if part == "register" else part
        if seconds:
            yield KINDS.get(known, known), seconds
