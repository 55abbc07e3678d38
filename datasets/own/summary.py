"""What is in data of a user's own, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datasets.description import cases_of
from datasets.own.examine import Examined, splits
from datasets.own.words import UNITS

SHOWN = 3  # different grids that are listed


def summary(found: Examined) -> Iterator[str]:
    """Yield the lines that say what was found, for the owner to compare with what he knows."""
    about = splits(found)
    yield f"as {found.listing.source} says"
    for split, pairs in (("test", about.test), ("validation", about.validation)):
        if pairs:
            yield f"{split}: {len(pairs)} pairs of {len(about.subjects_of(pairs))} subjects"
    trained = about.training
    if trained.cases:
        subjects = {about.subjects.get(case, case) for case in trained.cases}
        yield f"training: {len(trained.cases)} scans of {len(subjects)} subjects, {len(trained.every_pair)} pairs"
    yield from _grids(found, [*cases_of(about.test), *trained.cases])
    if found.evaluated:
        yield f"labels that count: {', '.join(found.labels.get(value, str(value)) for value in found.evaluated)}"
    elif any(seen.labels for seen in found.seen.values()):
        held = sorted({len(seen.labels) for seen in found.seen.values() if seen.labels})
        many = f"{held[0]} to {held[-1]}" if len(held) > 1 else f"{held[0]}"
        yield f"labels that count: all that both images hold ({many} in a map)"
    if masks := sum(1 for item in found.listing.items.values() if item.mask):
        yield f"masks: of {masks} scan{'s' * (masks != 1)}"
    if found.unit:
        many = sum(len(fixed) for fixed, _ in found.points.values())
        apart = f"{found.before_mm:.2f} mm apart before registration"
        yield f"landmarks: {many} of {len(found.points)} pairs, {UNITS[found.unit]}, on average {apart}"
    yield from (f"note: {note}" for note in found.listing.notes)


def _grids(found: Examined, cases: Sequence[str]) -> Iterator[str]:
    keys = {name: key for key, name in found.places.names.items()}
    grids = [found.places.grid(keys[case]) for case in dict.fromkeys(cases) if case in keys]
    kinds = dict.fromkeys(
        f"{' x '.join(map(str, each.shape))} voxels of {' x '.join(f'{size:.4g}' for size in each.spacing)} mm, "
        f"axes to {''.join(each.orientation)}"
        for each in grids
    )
    more = f", and {len(kinds) - SHOWN} more" if len(kinds) > SHOWN else ""
    yield f"grids: {'; '.join(list(kinds)[:SHOWN])}{more}"
