"""Two sentences of plain words that open the page: what the numbers are of, and what came of the papers."""

from __future__ import annotations

from collections.abc import Sequence

from reports.answer.content import PaperAnswer, Ran, Speed, total
from reports.tables.numbers import number


def sentences(ran: Ran, papers: Sequence[PaperAnswer], speeds: Sequence[Speed]) -> tuple[str, str]:
    """Return what the numbers of a run are of, and what came of the papers that it was made for."""
    found = [*_claims(papers), *_speed(speeds)] or [_numbers(papers)]
    text = "; ".join(found)
    return _data(ran), f"{text[:1].upper()}{text[1:]}."


def times(value: float) -> str:
    """Return a ratio with two significant digits, three from 10 on."""
    return number(value, 2 if value < 1 else 1)


def _data(ran: Ran) -> str:
    methods, pairs = (f"{n} {word}{'s' * (n != 1)}" for n, word in ((ran.methods, "method"), (ran.pairs, "pair")))
    if not ran.phantoms:
        return f"{methods} registered {pairs} of images of {ran.subjects} subjects."
    if not ran.real:
        return (
            f"{methods} registered {pairs} of phantoms, drawn and of no patient: no accuracy here reproduces a paper's."
        )
    sets = f"{ran.phantoms} of the {ran.phantoms + ran.real} data sets"
    said = "are phantoms, drawn and of no patient: no accuracy on them is a reproduction"
    return f"{methods} registered {pairs} of images; {sets} {said}."


def _claims(papers: Sequence[PaperAnswer]) -> list[str]:
    counts = total(paper.claims for paper in papers)
    if not counts:
        return []
    listed = ", ".join(f"{each.number} {each.word}" for each in counts)
    return [f"of {sum(each.number for each in counts)} claims of the papers this run finds {listed}"]


def _speed(speeds: Sequence[Speed]) -> list[str]:
    """Say what becomes of the first claim of speed, by every reading of it."""
    if not speeds:
        return []
    first = speeds[0]
    printed = " and ".join(dict.fromkeys(f"{each.printed:g}" for each in first.rivals))
    here = ", ".join(f"{times(each.times)} times for {each.seconds.label}" for each in first.rivals)
    return [f"the speed printed as {printed} times that of {first.reference.label} is here {here}"]


def _numbers(papers: Sequence[PaperAnswer]) -> str:
    counts = total(paper.numbers for paper in papers)
    if not counts:
        return "no paper is compared with"
    listed = ", ".join(f"{each.number} {each.word}" for each in counts)
    return f"of {sum(each.number for each in counts)} printed numbers and blanks: {listed}"
