"""Accept what a run has measured as the new baseline.

    python -m workflows.regression.accept results/smoke
    python -m workflows.regression.accept results/smoke --seeds results/smoke-seeds/metrics.parquet
    python -m workflows.regression.accept results/smoke --only speed

Copies what the last `snakemake regression` of a profile measured to `benchmarks/baselines`, to be committed. With
``--seeds`` the tolerances become four standard deviations over the seeds of another run (five seeds or more); without
it they stay. Ratios to peers are kept for each processor; ``--only speed`` adds those of another one and leaves the
numbers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks import results
from benchmarks.regression import baseline, speed
from benchmarks.regression.findings import BaselineError
from benchmarks.regression.places import Places
from datasets.files import DataError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m workflows.regression.accept",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, help="such as results/smoke")
    parser.add_argument("--seeds", type=Path, help="metrics.parquet of a run with five seeds or more")
    parser.add_argument("--only", choices=["accuracy", "speed"], help="leave the other as it was accepted before")
    options = parser.parse_args(arguments)
    places = Places(options.results.resolve())
    if options.seeds and options.only == "speed":
        parser.error("--seeds: gives tolerances of accuracy, which --only speed leaves")
    try:
        if options.only != "speed":
            accept(places, options.seeds)
        if options.only != "accuracy":
            accept_ratios(places, needed=options.only == "speed")
    except DataError as error:
        sys.exit(f"accept: {error}")


def accept(places: Places, seeds: Path | None) -> None:
    """Make the numbers that were measured last the accepted ones; take tolerances from a table of several seeds.

    Raises:
        DataError: there are none, or a perfect one of a method that is no control is among them.
    """
    measured = baseline.read(places.measured, places.profile)
    if measured is None:
        raise _nothing(places.measured)
    if "too good" in _verdicts(places.findings):
        raise BaselineError(f"{places.summary}: has perfect numbers, which cannot be accepted")
    if seeds is not None:
        measured = baseline.with_spread(measured, baseline.numbers_of(results.read(seeds, "metrics")))
    baseline.write(places.accepted, places.profile, measured)
    sys.stdout.write(f"{places.accepted}: written; commit it\n")


def accept_ratios(places: Places, *, needed: bool) -> None:
    """Make the ratios to peers that were measured last the accepted ones of their processor; those of others stay.

    They need not be there unless ``needed``.
    """
    measured = speed.read_all(places.ratios)
    for cpu, rows in measured.groupby("cpu"):
        speed.write(places.accepted_ratios, str(cpu), rows, beside=places.accepted_ratios)
        sys.stdout.write(f"{places.accepted_ratios}: written, of {cpu}; commit it\n")
    if needed and measured.empty:
        raise _nothing(places.ratios)


def _verdicts(findings: Path) -> set[str]:
    return set(pd.read_csv(findings)["verdict"]) if findings.exists() else set()


def _nothing(missing: Path) -> BaselineError:
    return BaselineError(f"{missing}: no such file; run `snakemake --cores all regression` of this profile first")


if __name__ == "__main__":
    main()
