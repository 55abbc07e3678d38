"""The note that a training made elsewhere leaves beside its outcome: what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.provenance import fingerprint
from benchmarks.records import TrainingOutcome, digest, read
from datasets.case import open_dataset
from datasets.description import IMAGES, MASKS
from workflows.planning.layout import TrainingFolder
from workflows.planning.specs import TrainSpec

LIST, NOTE = "trainings.json", "elsewhere.json"
NAMES: Mapping[str, str] = {"seed": "seeds", "code": "versions of the code", "data": "data", "teacher": "teachers"}


@dataclass(frozen=True, kw_only=True)
class Note:
    """All that the weights of a training depend on, but for the machine: method and seed, and digests of the rest.

    ``teacher`` is that of its weights.
    """

    method: str = ""
    seed: int = -1
    params: str = ""
    training: str = ""
    code: str = ""
    data: str = ""
    teacher: str = ""

    @classmethod
    def of(cls, spec: TrainSpec) -> Note:
        """Return the note of a training that is about to begin, or that a run asks for."""
        about = open_dataset(spec.data).description
        seen = {"files": about.digest(IMAGES, MASKS), "split": asdict(about.training)}
        return cls(
            method=spec.by.method,
            seed=spec.by.seed,
            params=digest(spec.by.params),
            training=digest(spec.training),
            code=fingerprint(spec.sources, {}),
            data=fingerprint([], seen),
            teacher=read(spec.teacher, TrainingOutcome).sha256 if spec.teacher else "",
        )

    def difference(self, wanted: Note) -> str:
        """Return what is not as wanted, in words; empty where nothing is."""
        if not self.method:
            return "it has no note of what it was made of"
        have, want = asdict(self), asdict(wanted)
        odd = [key for key in want if have[key] != want[key]]
        return f"it is of other {' and '.join(NAMES.get(key, 'options') for key in odd)}" if odd else ""


def noted(folder: TrainingFolder) -> Note:
    """Return the note in a training's folder, an empty one where there is none."""
    path = place(folder)
    return read(path, Note) if path.exists() else Note()


def place(folder: TrainingFolder) -> Path:
    """Return the file of the note."""
    return folder.folder / NOTE
