"""Which truth a prepared data set holds: that of the pairs that a run judges, and none of those that another one does.

Options are chosen in runs that judge the validation pairs, and these cannot read the test pairs; a run that judges the
test pairs cannot choose by the truth of the validation pairs, for it is not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from datasets.description import (
    Description,
    Pair,
    cases_of,
    image_file,
    labels_file,
    mask_file,
    write_description,
)
from datasets.files import DataError

Judged = Literal["test", "validation"]


def withhold(folder: Path, about: Description, judged: Judged = "test") -> Description:
    """Remove from a prepared data set what a run that judges one split may not read; return what is left.

    For ``test`` that is the truth of the validation pairs. For ``validation`` these become the test pairs, and images
    and truth of the test pairs go.

    Raises:
        DataError: the data set has no validation pairs to be judged.
    """
    if judged == "test":
        gone = _truth_of(about.validation, about.test, about)
        return _without(folder, about, gone) if about.validation else about
    if not about.validation:
        raise DataError(f"{about.name}: has no validation pairs to be judged; take out `judge: validation`")
    gone = _truth_of(about.test, about.validation, about)
    tested = _only(about.test, about.validation, about)
    gone |= {file for case in tested for file in (image_file(case), mask_file(case))}
    kept = {pair.name for pair in about.validation}
    chosen = replace(
        about,
        title=f"{about.display_title}, validation subjects",
        test=about.validation,
        validation=(),
        severity={name: value for name, value in about.severity.items() if name in kept},
        pairs={name: facts for name, facts in about.pairs.items() if name in kept},
    )
    return _without(folder, chosen, gone)


def _only(pairs: Iterable[Pair], others: Iterable[Pair], about: Description) -> list[str]:
    """Return the cases of some pairs that neither other pairs nor the training have; an atlas is in all."""
    elsewhere = {*cases_of(others), *about.training.cases, about.atlas}
    return [case for case in cases_of(pairs) if case not in elsewhere]


def _truth_of(pairs: Iterable[Pair], others: Iterable[Pair], about: Description) -> set[str]:
    pairs = set(pairs) - set(others)
    labels = {labels_file(case) for case in _only(pairs, others, about)}
    return labels | {file for pair in pairs for file in (*pair.landmark_files, pair.truth_file)}


def _without(folder: Path, about: Description, gone: set[str]) -> Description:
    for file in gone & about.files.keys():
        (folder / file).unlink()
    left = replace(about, files={file: known for file, known in about.files.items() if file not in gone})
    write_description(folder, left)
    return left
