"""Whether the gate can compare a run, looked at before the run begins."""

from __future__ import annotations

from benchmarks.provenance import ROOT
from benchmarks.regression import baseline, speed
from benchmarks.regression.kernels import check_commit
from benchmarks.regression.places import Places


def check(places: Places, base: str) -> None:
    """Raise `DataError` where a baseline cannot be read, or the older commit ``base`` is not there (empty for none)."""
    for path in (places.accepted, places.stored):
        baseline.read(path, places.profile)
    for path in (places.accepted_ratios, places.stored_ratios):
        speed.read_all(path)
    if base:
        check_commit(ROOT, base)
