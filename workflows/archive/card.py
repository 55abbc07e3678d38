"""Weights that come with the project: a network of safetensors, and beside it a card that says what it is.

    python -m workflows.archive.card results/weights swift      keep the weights that a run of that profile has left

They lie in ``reports/measured/weights``, beside the archive of that run, which has every number that docs/weights.md
gives of them. A card names its weights by their digest: weights that are not those of their card are refused.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.records import Learned, TrainingOutcome, read, write
from datasets.case import open_dataset
from datasets.files import DataError, replacing, sha256
from workflows.configuration.sources import ROOT
from workflows.planning.layout import Layout, TrainingFolder

PLACE = ROOT / "reports" / "measured" / "weights"
LARGEST = 5 * 2**20  # bytes of weights that are kept
ENDING = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of weights: which method they are of, their digest, and what they learned from.

    Attributes:
        method: of the catalogue.
        sha256: of the file with the weights.
        title: of the data set that they learned from, for readers.
        synthetic: what of those data is made and not measured; empty for none.
        preprocessing: what was done to its images, as images to register need it too.
        licence: of those data.
        learned: what they learned from and for how long, as it was found when that was done.
    """

    method: str
    sha256: str
    title: str
    synthetic: str
    preprocessing: tuple[str, ...]
    licence: str
    learned: Learned

    @property
    def in_words(self) -> str:
        """One line for whoever uses the weights."""
        cases, updates = self.learned.cases, self.learned.iterations
        made = f"; {self.synthetic}" if self.synthetic else ""
        return f"weights with a card: {updates} updates on {cases} images of {self.title}{made}"


def shipped(method: str, place: Path = PLACE) -> Path | None:
    """Return the weights of a method that come with the project; None where there are none."""
    path = place / f"{method}{ENDING}"
    return path if path.exists() else None


def methods_with_weights(place: Path = PLACE) -> list[str]:
    """Return the methods whose weights come with the project."""
    return sorted(path.stem for path in place.glob(f"*{ENDING}"))


def card_of(weights: Path) -> Card | None:
    """Return the card that lies beside weights; None where there is none.

    Raises:
        DataError: the card cannot be read, or these are not the weights that it is of.
    """
    path = _card(weights)
    if not os.path.lexists(path):
        return None
    try:
        card = read(path, Card)
    except (DataError, OSError) as error:
        raise DataError(f"{path}: no card of weights; take back the one that came with {weights.name}") from error
    found = sha256(weights)
    if card.sha256 != found:
        raise DataError(
            f"{weights}: not the weights that {path.name} beside them is of (sha256 {found[:12]}…, the card says "
            f"{card.sha256[:12]}…); take back the file that came with the card, or move one of them elsewhere"
        )
    return card


def keep(results: Path, method: str, place: Path = PLACE) -> Card:
    """Copy the weights of a run's only training of a method, and write their card; return it.

    Raises:
        DataError: there is no such training, or several; it did not end well, or its weights are not there any more.
    """
    found = _trainings(results, method)
    if len(found) != 1:
        raise DataError(
            f"{results}: expected one training of {method}, found {len(found)}; of several weights nobody could say "
            "which are the ones: train one seed on one data set"
        )
    [folder] = found
    outcome = read(folder.outcome, TrainingOutcome)
    if outcome.status != "ok" or outcome.learned is None:
        raise DataError(f"{folder.outcome}: {method} was not trained to its end ({outcome.status}: {outcome.reason})")
    weights = folder.left(outcome.checkpoint)  # of these results, wherever the command is called
    if not weights.is_file() or sha256(weights) != outcome.sha256:
        raise DataError(f"{weights}: not there, or not the file that the training wrote; train it again")
    if (size := weights.stat().st_size) > LARGEST:
        raise DataError(f"{weights}: has {size} bytes, more than the {LARGEST} that are kept")
    about = open_dataset(Layout(results).data(outcome.dataset)).description
    card = Card(
        method=method,
        sha256=outcome.sha256,
        title=about.display_title,
        synthetic=about.synthetic,
        preprocessing=about.preprocessing,
        licence=about.licence,
        learned=outcome.learned,
    )
    place.mkdir(parents=True, exist_ok=True)
    kept = place / f"{method}{ENDING}"
    with replacing(kept) as temporary:
        shutil.copyfile(weights, temporary)
    write(_card(kept), card)
    return card


def _trainings(results: Path, method: str) -> list[TrainingFolder]:
    """Return the folders of the trainings of a method in the results of a run, whatever they learned from."""
    found = results.glob("models/*/*/seed*/training.json")
    return [TrainingFolder(path.parent) for path in sorted(found) if path.parts[-3] == method]


def _card(weights: Path) -> Path:
    return weights.parent / f"{weights.stem}.card.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what cannot be done is one line."""
    parser = argparse.ArgumentParser(
        prog="python -m workflows.archive.card",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, help="the folder of the run, such as results/weights")
    parser.add_argument("method", help="whose weights are kept")
    given = parser.parse_args(arguments)
    try:
        card = keep(given.results, given.method)
    except DataError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(f"{given.method}: {card.in_words}\n")


if __name__ == "__main__":
    main()
