"""What two archives that become one say in other words, and whose of it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reports.archive.alike import WORDS, Two
from reports.archive.opened import RUN
from reports.archive.packed import PICTURES, TRAININGS


def remarks(two: Two) -> Iterator[str]:
    """Yield a line for each kind of thing that differs and may: commits, machines, pictures, curves, words, casts."""
    commits = [set(part.archive.manifest.commits) for part in (two.first, two.second)]
    if commits[0] != commits[1]:
        yield f"Commits differ: {_named(commits[0])} in the first, {_named(commits[1])} in the second."
    runs = [
        {tuple(place): run for *place, run in part.runs[[*RUN, "run"]].itertuples(index=False, name=None)}
        for part in (two.first, two.second)
    ]
    other = [place for place in runs[0].keys() & runs[1].keys() if runs[0][place] != runs[1][place]]
    if other:
        yield f"{len(other)} runs have another fingerprint and the same numbers: {two.first.archive.path} is kept."
    for what, folder in (("pictures", PICTURES), ("curves and maps of trainings", TRAININGS)):
        if count := _differing(two, folder):
            yield f"{count} {what} differ: those of {two.first.archive.path} are kept."
    if words := sorted(set(_words(two))):
        yield f"Words and casts of {two.first.archive.path} are kept where they differ: {', '.join(words)}."


def _differing(two: Two, folder: str) -> int:
    one, other = two.first.archive.content, two.second.archive.content
    return sum(name.startswith(f"{folder}/") and one.get(name, data) != data for name, data in other.items())


def _words(two: Two) -> Iterator[str]:
    one, other = two.first.told, two.second.told
    known = {each.description.name: each.description for each in one.datasets}
    for description in (each.description for each in other.datasets):
        same = known.get(description.name, description)
        yield from (f"{word} of {same.name}" for word in WORDS if getattr(same, word) != getattr(description, word))
    methods = dict(one.methods)
    for name, method in other.methods:
        same = methods.get(name, method)
        for word in ("label", "cite", "reported"):
            if getattr(same, word) != getattr(method, word):
                yield f"{word} of {name}"
    for paper, cast in other.papers.items():
        ours = one.papers.get(paper, {})
        yield from (f"what plays {key} of {paper}" for key, name in cast.items() if ours.get(key, name) != name)


def _named(commits: Iterable[str]) -> str:
    return ", ".join(sorted(commit[:12] for commit in commits)) or "none"
