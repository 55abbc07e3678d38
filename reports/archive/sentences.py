"""Numbers of an archive as blocks of Markdown: what README says of the default profile, and pages of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from benchmarks.clock.hardware import parse
from benchmarks.metrics import METRICS
from benchmarks.ranking import Quote, quote, values
from benchmarks.results import RUN_LEVEL
from reports.answer.content import Answer, PaperAnswer
from reports.answer.gather import Told, answer
from reports.archive.load import Loaded
from reports.claims.contents import Evidence, Judged
from reports.claims.judge import judge as judge_claims
from reports.claims.table import effect
from reports.overview.frontier import Frontier, clock, frontiers
from reports.paper.ledger import judge
from reports.reading.run import Run
from reports.reading.timed import Calls, Sought
from reports.tables.numbers import quantity

LIVER, HEADS, LUNGS = "phantom-liver", "synthseg", ("phantom-dirlab", "phantom-creatis", "phantom-popi")
CASCADES = ("rcn-1", "rcn-2", "rcn-3", "ldr-1", "ldr-2", "ldr-3", "ldr-1-aldk", "ldr-2-aldk", "ldr-3-aldk")
OWN = "swift"  # the network of this project
REAL = {  # data sets of real anatomy, and what is said of each
    "synthseg": ("dice", "folding_percent"),
    "brain-pair": ("dice", "folding_percent"),
    "totalsegmentator": ("dice", "tre"),
}
UNTRAINED = ("parameters", "seconds")  # kinds of claims that no training changes
STUDENT = "student against RCN-3"  # the benchmark of `swift`
TIMED = ("rcn-1", "rcn-3", "ldr-1", "ldr-3", "ldr-1-text", "ldr-3-text")


def answered(loaded: Loaded) -> Answer:
    """Return what came of the papers in a run, as its page opens with it; no frontiers are worked out."""
    return answer(loaded.run, [Told(paper, judge(paper), judge_claims(paper)) for paper in loaded.papers], [])


def anatomies(loaded: Loaded) -> Mapping[str, str]:
    """Return the blocks about real anatomies: when the run was made, and a row of numbers for each method."""
    return {"made": made_on(loaded.run), "anatomies": real(loaded.run)}


def findings(loaded: Loaded) -> Mapping[str, str]:
    """Return the blocks about the study: when it was made, its means by training, and every claim that it measured."""
    judged, run = [each for paper in loaded.papers for each in judge_claims(paper)], loaded.run
    means = {"liver": liver(run), "heads": by_training(run, HEADS, run.ordered), "lungs": lungs(run)}
    return {"made": made_on(run), **means, "claims": claimed(judged)}


def traded(loaded: Loaded) -> Mapping[str, str]:
    """Return the blocks about accuracy against seconds: when the run was made, and the methods, the fastest first."""
    run = loaded.run
    tables = [_traded(run, found) for found in frontiers(run)]
    return {"made": made_on(run), "frontier": "\n\n".join([*tables, clock(run)])}


def _traded(run: Run, found: Frontier) -> str:
    """Return the points of one data set as a table; the methods that no faster one matches are bold."""
    metric, folding = found.quote.metric, "folding_percent"
    lines = [
        [
            f"**{point.label}**" if point.place else point.label,
            quantity("seconds", point.seconds),
            quantity(metric, point.accuracy),
            _mean(run, point.method, found.dataset, folding),
        ]
        for point in found.points
    ]
    before = [] if found.before is None else [["before registration", "", quantity(metric, found.before), ""]]
    titles = [f"{_pairs(run, found.dataset)}: method", "seconds (median)", f"mean {_with_unit(metric)}"]
    return _table([*titles, _with_unit(folding)], [*before, *lines])


def claimed(judged: Sequence[Judged]) -> str:
    """Return the measured claims on trained networks as a table; the default profile has sizes and seconds."""
    over = [each for each in judged if each.claim.kind not in UNTRAINED and each.verdict != "not measured"]
    lines = [
        [f"`{each.claim.key}`", each.claim.statement, effect(each), _counts(each.evidence), each.verdict]
        for each in over
    ]  # fmt: skip
    return _table(["key", "claim", "effect [95 % interval]", "pairs, subjects, trainings", "verdict"], lines)


def _counts(found: Evidence) -> str:
    counts = (found.pairs, found.subjects, found.trainings)
    return ", ".join("—" if count is None else str(count) for count in counts)


def blocks(loaded: Loaded, found: Answer, medians: pd.DataFrame) -> Mapping[str, str]:
    """Return the text of every block of README by its name, given the answer of the run.

    ``medians`` are those of several runs of the benchmarks (`benchmarks.speed.together`).
    """
    whole = {"answer": " ".join(found.sentences), "verdicts": verdicts(found.papers), "student": student(medians)}
    return whole | {name: made(loaded.run) for name, made in BLOCKS.items()}


def made_on(run: Run) -> str:
    """Return when, on what and by which code the numbers were made, as one sentence."""
    commits = sorted({str(commit)[:12] for commit in run.runs.commit if commit})
    chips = sorted({str(chip) for chip in [*run.runs.cpu, *run.runs.gpu] if chip not in ("", "none")})
    threads = " and ".join(sorted({str(count) for count in run.runs.threads}))
    date = str(run.runs.started_utc.max())[:10]
    return (
        f"Run of {date}, commit {' and '.join(commits)}, {' and '.join(chips)}, "
        f"{threads} thread{'s' * (threads != '1')} a registration."
    )


def liver(run: Run) -> str:
    """Return the mean Dice of cascades, the student and classical methods on the liver phantoms as a table."""
    return by_training(run, LIVER, [name for name in run.ordered if _shown_on_liver(run, name)])


def by_training(run: Run, dataset: str, methods: Sequence[str]) -> str:
    """Return the mean Dice on a data set as a table: a row for each of the methods that has any, its seeds apart."""
    wanted = quote(run.metrics, dataset, "dice")
    if wanted is None:
        return "Not measured."
    rows = values(run.metrics, dataset, wanted)
    by_method = {str(method): group for method, group in rows.groupby("method")}
    lines = [
        [_label(run, name), quantity("dice", by_method[name].groupby("pair").value.mean().mean()),
         _seeds(by_method[name].groupby("seed").value.mean(), "dice")]
        for name in methods if name in by_method
    ]  # fmt: skip
    return _table([f"{_pairs(run, dataset)}: method", f"mean Dice ({wanted.protocol})", "by training"], lines)


def lungs(run: Run) -> str:
    """Return the TRE over all landmarks of the lung phantoms as a table: a row for each method, its seeds apart."""
    data = [name for name in LUNGS if name in run.datasets]
    found = pd.concat([_landmarks(run, name) for name in data]) if data else pd.DataFrame()
    if found.empty:
        return "Not measured."
    lines = []
    for name in run.ordered:
        rows = found[found.method == name]
        if len(rows):
            by_seed = rows.groupby("seed")[["value", "count"]].apply(_pooled)
            lines.append([_label(run, name), quantity("tre", float(by_seed.mean())), _seeds(by_seed, "tre")])
    first = found[(found.method == "identity")]
    title = f"{len(first)} lung phantom pairs, {int(first['count'].sum()):,} landmarks: method"
    return _table([title, "mean TRE (mm)", "by training"], lines)


def real(run: Run) -> str:
    """Return means over the pairs of each data set as a table, a row for each method; why where none of it counts."""
    columns = [(name, metric) for name, metrics in REAL.items() if name in run.datasets for metric in metrics]
    titles = [f"{_pairs(run, name)}: {_with_unit(metric)}" for name, metric in columns]
    lines = [[_label(run, method), *(_mean(run, method, *column) for column in columns)] for method in run.ordered]
    return _table(["method", *titles], lines)


def _mean(run: Run, method: str, dataset: str, metric: str) -> str:
    if (wanted := quote(run.metrics, dataset, metric)) is not None:
        rows = values(run.metrics, dataset, wanted)
        rows = rows[rows.method == method]
        if len(rows):
            return quantity(metric, float(rows.groupby("pair").value.mean().mean()))
    mine = run.metrics[(run.metrics.dataset == dataset) & (run.metrics.method == method)]
    failed = sorted(set(mine.status) - {"ok"})
    return f"none: {', '.join(failed)}" if failed else ""


def speed(run: Run) -> str:
    """Return the seconds of networks at the papers' size as a table, on the CPU with all threads."""
    lines = [line for name in TIMED if (line := _timed(run, name))]
    if not lines:
        return "Not timed."
    titles = ["128 x 128 x 128, full width", "seconds (median)", "calls", "with other work beside", "threads", "on"]
    return _table(titles, lines)


def student(medians: pd.DataFrame) -> str:
    """Return how many times as fast as RCN with three cascades the network is that keeps the promise, as a table."""
    rows = medians[(medians.name == STUDENT) & (medians.precision == "float32")].to_dict("records")
    lines = [
        [
            f"{row['threads']}",
            f"{1000 * row['ours_s']:.0f} ms",
            row["peer"],
            f"{1000 * row['peer_s']:.0f} ms",
            f"{row['ratio']:.1f} ({row['ratio_low']:.1f} to {row['ratio_high']:.1f})",
        ]
        for row in rows
    ]
    return _table(["threads", "swift", "beside", "takes", "times as fast (of three runs)"], lines)


def verdicts(papers: Sequence[PaperAnswer]) -> str:
    """Return how many claims and printed numbers of each paper have which verdict as a table."""
    lines = [[paper.name, *counted] for paper in papers for counted in _counted(paper)]
    return _table(["paper", "of its", "verdicts"], lines)


def _counted(paper: PaperAnswer) -> Iterator[tuple[str, str]]:
    kinds = [("claims", paper.claims)]
    kinds += [(f"printed numbers ({each.kind})", each.counts) for each in paper.numbers]
    for what, counts in kinds:
        if counts:
            yield f"{sum(each.number for each in counts)} {what}", ", ".join(f"{n.number} {n.word}" for n in counts)


def _timed(run: Run, method: str) -> list[str]:
    calls = run.timed.find(Sought(method, "cpu", RUN_LEVEL))
    if not isinstance(calls, Calls) or not len(calls.seconds):
        return []
    numbers = [quantity("seconds", calls.median), str(len(calls.seconds)), str(calls.contended), str(calls.threads)]
    return [_label(run, method), *numbers, parse(calls.hardware).cpu]


def _landmarks(run: Run, dataset: str) -> pd.DataFrame:
    """Return the mean TRE of each registration and how many landmarks it is over."""
    wanted = quote(run.metrics, dataset, "tre")
    if wanted is None:
        return pd.DataFrame()
    keys = ["method", "pair", "seed"]
    means = values(run.metrics, dataset, wanted)
    counts = values(run.metrics, dataset, Quote("tre", wanted.protocol, "count")).rename(columns={"value": "count"})
    return means.merge(counts, on=keys)


def _pooled(rows: pd.DataFrame) -> float:
    return float(np.average(rows.value, weights=rows["count"]))


def _shown_on_liver(run: Run, method: str) -> bool:
    return method in (*CASCADES, OWN, "identity") or run.methods[method].kind == "classical"


def _label(run: Run, method: str) -> str:
    return "before registration" if method == "identity" else run.label(method)


def _pairs(run: Run, dataset: str) -> str:
    number = len(run.datasets[dataset].test_pairs)
    return f"{number} pair{'s' * (number != 1)} of {run.titles[dataset]}"


def _with_unit(metric: str) -> str:
    about = METRICS[metric]
    return about.name if about.unit == "1" else f"{about.name} ({about.unit})"


def _seeds(by_seed: pd.Series, metric: str) -> str:
    """Return the number of each training, empty where there was but one."""
    found = by_seed.sort_index()
    return " / ".join(quantity(metric, float(value)) for value in found) if len(found) > 1 else ""


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(_lines(titles, rows))


def _lines(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


BLOCKS: Mapping[str, Callable[[Run], str]] = {"made": made_on, "liver": liver, "lungs": lungs, "speed": speed}
