"""How a network grew, as its training recorded it: the weight of each level at each iteration.

Level 0 is the coarsest, the last one full resolution (doi:10.1109/TMI.2019.2953788, II-C).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from datasets.files import Array
from reports.reading.trainings import Training

_COLUMN = re.compile(r"alpha_(\d+)")


@dataclass(frozen=True)
class Growth:
    """Weights ``alpha (k, L)`` of the levels, the coarsest first, at iterations ``iteration (k,)``, ascending.

    ``sizes`` names the grid of each level; empty where the training does not say its own.
    """

    iteration: Array
    alpha: Array
    sizes: Sequence[str]

    @property
    def levels(self) -> int:
        """The number of levels."""
        return self.alpha.shape[1]

    def transitions(self) -> Iterator[tuple[float, float]]:
        """Yield from and to which iteration more than one level counts."""
        mixed = np.flatnonzero(np.diff(np.count_nonzero(self.alpha > 0, axis=1) > 1, prepend=False, append=False))
        last = len(self.iteration) - 1
        for start, stop in mixed.reshape(-1, 2):
            yield float(self.iteration[start]), float(self.iteration[min(stop, last)])


def read(training: Training) -> tuple[Growth | None, str]:
    """Read how the network of a training grew, or None and why that is not known."""
    rows = training.rows("curve.jsonl")
    if rows is None:
        return None, f"the training of {training.method} left no curve"
    columns = sorted(filter(_COLUMN.fullmatch, rows.columns), key=lambda name: int(name.removeprefix("alpha_")))
    if not columns or "iteration" not in rows:
        return None, f"the curve of {training.method} has no weights of levels"
    rows = rows[["iteration", *columns]].astype(float)
    known = pd.DataFrame(rows[np.isfinite(rows).all(axis=1)])
    rows = known.drop_duplicates("iteration", keep="last").sort_values("iteration")
    if rows.empty:
        return None, f"the weights of levels in the curve of {training.method} are no numbers"
    return Growth(rows.iteration.to_numpy(), rows[columns].to_numpy(), _sizes(training, len(columns))), ""


def _sizes(training: Training, levels: int) -> list[str]:
    """Return the grid of each level, half of the next one along every axis."""
    shape = (training.about("synthetic.json") or {}).get("shape")
    if not shape or len(shape) != 3:
        return []
    return [" x ".join(f"{n / 2 ** (levels - 1 - level):g}" for n in shape) for level in range(levels)]
