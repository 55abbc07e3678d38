"""What trainings left behind, as reports read it: loss curves, snapshots, pictures of what a network had learned.

A training's folder holds, each only where its method writes it:

- ``curve.jsonl``: a row an iteration: ``iteration``, the loss ``total`` and its terms, ``learning_rate``, ``seconds``,
  and for networks that grow the weights ``alpha_0``, ``alpha_1``, ... of their levels, the coarsest first;
- ``snapshots.jsonl``: a row for each test pair at each snapshot: ``iteration`` (updates made so far), ``dataset``,
  ``pair``, and its TRE, ``count`` landmarks, ``mean`` and ``sd`` (ddof 0) in mm;
- ``maps.npz``: of one synthetic pair, in the section through its middle, the component of the displacement to the
  patient's left in voxels: ``truth (rows, columns)``, and at iterations ``iteration (k,)``: ``result (k, rows,
  columns)``, what the network predicts; for networks that grow also ``levels (k, L, rows, columns)``, each level's own,
  the coarsest first, and their weights ``alpha (k, L)``; ``ratio``, height over width of a voxel;
- ``displacements.csv``: how often the true displacement of synthetic pairs has a component in a range: ``component``
  (x to the left, y to posterior, z to superior), ``low`` and ``high`` in mm, ``count`` of voxels;
- ``synthetic.json``: how pairs were made: ``shape`` of the grid, ``spacing`` in mm, ``orientation`` of its axes, and
  ``bends``: for t1, t21 and t22 the ``controls`` and the ``ranges`` as fractions of the image, by x, y and z.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datasets.files import Array


@dataclass(frozen=True)
class Training:
    """One training: ``status`` is ok, diverged or failed; ``folder`` is None where nothing was left."""

    method: str
    dataset: str
    seed: int
    status: str
    reason: str
    folder: Path | None

    def rows(self, name: str) -> pd.DataFrame | None:
        """A file of lines of JSON, such as ``curve.jsonl``; None where there is none or it is empty."""
        path = self._path(name)
        return pd.read_json(path, lines=True) if path and path.stat().st_size else None

    def arrays(self, name: str) -> Mapping[str, Array] | None:
        """A file of arrays, such as ``maps.npz``."""
        path = self._path(name)
        if path is None:
            return None
        with np.load(path) as stored:
            return {key: stored[key] for key in stored.files}

    def table(self, name: str) -> pd.DataFrame | None:
        """A CSV file, such as ``displacements.csv``."""
        path = self._path(name)
        return pd.read_csv(path) if path else None

    def about(self, name: str) -> Mapping[str, Any] | None:
        """A JSON file, such as ``synthetic.json``."""
        path = self._path(name)
        return json.loads(path.read_text()) if path else None

    def _path(self, name: str) -> Path | None:
        path = self.folder / name if self.folder else None
        return path if path and path.exists() else None


def find(trainings: Sequence[Training], method: str, seed: int | None = None) -> Training | None:
    """The training of a method, of its first seed where none is given; None where there is none."""
    found = [each for each in trainings if each.method == method and seed in (None, each.seed)]
    return min(found, key=lambda each: each.seed) if found else None
