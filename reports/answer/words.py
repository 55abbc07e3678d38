"""Two sentences of plain words that open the page: what the numbers are of, and what came of the papers."""

from __future__ import annotations

from collections.abc import Sequence

from reports.answer.content import PaperAnswer, Ran, Speed, total
from reports.claims.contents import Verdict
from reports.tables.numbers import number

SPELT = {
    "aldk": "ALDK", "ants": "ANTs", "dice": "Dice", "gp": "GP", "gpu": "GPU", "l2": "L2", "ldr": "LDR",
    "mobilenet": "MobileNet", "rcn": "RCN", "unet": "U-Net", "voxelmorph": "VoxelMorph", "vtn": "VTN", "wgan": "WGAN",
}  # fmt: skip
AFTER = {"teacher": ":", "student": ":"}  # what is compared as such
UNTESTED: Verdict = "not measured"
RESULT = "result"  # the kind of numbers that a method's run gave


def sentences(ran: Ran, papers: Sequence[PaperAnswer], speeds: Sequence[Speed]) -> tuple[str, str]:
    """Return what the numbers of a run are of, and what came of the papers that it was made for."""
    found = [*_claims(papers), *_speed(speeds)] or [_numbers(papers)]
    text = "; ".join(found)
    return _data(ran), f"{text[:1].upper()}{text[1:]}."


def times(value: float) -> str:
    """Return a ratio with two significant digits, three from 10 on."""
    return number(value, 2 if value < 1 else 1)


def short_label(key: str) -> str:
    """Return the key of a claim as a few words for a plot: names spelt as their papers have them, the data last."""
    first, *rest = [SPELT.get(word, word) for word in key.split("_")]
    data = [rest.pop()] if rest and rest[-1] == "brain" else []
    told = first[:1].upper() + first[1:]
    told += f"{AFTER.get(first, '')} {' '.join(rest)}" if rest else ""
    return ", ".join([told, *data])


def _data(ran: Ran) -> str:
    methods, pairs = (f"{n} {word}{'s' * (n != 1)}" for n, word in ((ran.methods, "method"), (ran.pairs, "pair")))
    made = f" {ran.synthetic} of the {ran.phantoms + ran.real} data sets {_be(ran.synthetic)} partly synthetic."
    made = made if ran.synthetic else ""
    if not ran.phantoms:
        return f"{methods} registered {pairs} of images of {ran.subjects} subjects.{made}"
    if not ran.real:
        return (
            f"{methods} registered {pairs} of phantoms, drawn and of no patient: no accuracy here reproduces a paper's."
        )
    sets = f"{ran.phantoms} of the {ran.phantoms + ran.real} data sets"
    said = "are phantoms, drawn and of no patient: no accuracy on them is a reproduction"
    return f"{methods} registered {pairs} of images; {sets} {said}.{made}"


def _be(number: int) -> str:
    return "is" if number == 1 else "are"


def _claims(papers: Sequence[PaperAnswer]) -> list[str]:
    counts = total(paper.claims for paper in papers)
    if not counts:
        return []
    number = sum(each.number for each in counts)
    tested = [each for each in counts if each.word != UNTESTED]
    lost = number - sum(each.number for each in tested)
    if not tested:
        return [f"of {number} claims of the papers none was put to the test on these data"]
    first, *rest = tested
    be = _be(first.number)
    listed = ", ".join([f"{first.number} {be} {first.word}", *(f"{each.number} {each.word}" for each in rest)])
    if not lost:
        return [f"of {number} claims of the papers, put to the test on these data, {listed}"]
    were = "was" if number - lost == 1 else "were"
    return [f"of {number} claims of the papers, {number - lost} {were} put to the test on these data: {listed}"]


def _speed(speeds: Sequence[Speed]) -> list[str]:
    """Say what becomes of the first claim of speed, by every reading of it."""
    if not speeds:
        return []
    first = speeds[0]
    printed = " and ".join(dict.fromkeys(f"{each.printed:g}" for each in first.rivals))
    here = " and ".join(f"{times(each.times)} times for {each.seconds.label}" for each in first.rivals)
    return [f"{printed} times as fast as {first.reference.label}, as printed, is here {here}"]


def _numbers(papers: Sequence[PaperAnswer]) -> str:
    """Say what came of the printed results, where there is nothing else to say."""
    if not papers:
        return "this profile names no paper, so that no printed number stands beside its own"
    counts = total(each.counts for paper in papers for each in paper.numbers if each.kind == RESULT)
    if not counts:
        return "no printed result is compared with"
    listed = ", ".join(f"{each.number} {each.word}" for each in counts)
    return f"of {sum(each.number for each in counts)} printed results and blanks: {listed}"
