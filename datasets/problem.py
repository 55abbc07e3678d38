"""What is wrong with a data set, told all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.files import DataError


@dataclass(frozen=True)
class Problem:
    """A fault of a data set: the case, pair, file or key, and what is wrong there with what to do about it.

    ``pair`` has the fixed and the moving case of the pair that it is of, ``cases`` those of a subject that it is of:
    who read them from a table knows its lines.
    """

    where: str
    what: str
    pair: tuple[str, str] | None = None
    cases: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the problem on one line."""
        return f"{self.where}: {self.what}"


class WrongError(DataError):
    """Data that are there, and wrong: no absence excuses a run without them."""


class UnfitError(WrongError):
    """A data set that cannot be used, with all its ``problems``; the message counts them and gives the first."""

    def __init__(self, folder: Path, problems: Sequence[Problem]) -> None:
        """Say in one line what is wrong with the data set that the folder was to hold."""
        self.problems = problems
        others = f" (the first of {len(problems)} problems)" if len(problems) > 1 else ""
        first = str(problems[0])
        super().__init__(f"{first if first.startswith(str(folder)) else f'{folder}: {first}'}{others}")
