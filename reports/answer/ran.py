"""What a run did, counted."""

from __future__ import annotations

from datetime import date

from datasets.case import Pair
from datasets.description import Description
from reports.answer.content import Ran
from reports.reading.run import Run
from reports.reading.summary import registrations

NOT_APPLICABLE, UNAVAILABLE = "not_applicable", "unavailable"
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def ran(run: Run) -> Ran:
    """Count what a run did."""
    tried = registrations(run.metrics)
    applied = tried[~tried.status.isin([NOT_APPLICABLE, UNAVAILABLE])]
    used = [(name, Pair.from_name(pair)) for name, pair in set(zip(applied.dataset, applied.pair, strict=True))]
    tested = set(applied.method)
    kinds = [data.description.phantom for data in run.datasets.values()]
    days = sorted(str(text)[:10] for text in run.runs.started_utc)
    trained = {(each.method, each.dataset, each.seed) for each in run.trainings}
    places = [(method, dataset) for method, dataset, _ in trained]
    return Ran(
        profile=run.profile,
        phantoms=sum(kinds),
        real=len(kinds) - sum(kinds),
        synthetic=sum(bool(data.description.synthetic) for data in run.datasets.values()),
        methods=len(tested & set(run.contestants)),
        controls=len(tested - set(run.contestants)),
        pairs=len(used),
        subjects=len({(name, who) for name, pair in used for who in _subjects(run.datasets[name].description, pair)}),
        registrations=len(applied),
        failed=int((applied.status != "ok").sum()),
        not_applicable=int((tried.status == NOT_APPLICABLE).sum()),
        trainings=len(trained),
        seeds=max(map(places.count, set(places)), default=0),
        first=_day(days[0]) if days else "",
        last=_day(days[-1]) if days else "",
        machines=sorted({str(chip) for chip in [*run.runs.cpu, *run.runs.gpu] if chip not in ("", "none", None)}),
    )


def _subjects(about: Description, pair: Pair) -> list[str]:
    return [about.subjects.get(case, case) for case in (pair.fixed, pair.moving)]


def _day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
