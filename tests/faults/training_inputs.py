"""A tiny data set, and the specifications to train a tiny network on it and to register with that."""

from pathlib import Path

import numpy as np

from benchmarks.records import TrainingOutcome, read, write
from datasets.case import Pair, Writer
from datasets.description import Description, TrainingSplit
from workflows.planning.specs import MethodSpec, RegisterSpec, RunSpec, TrainSpec
from workflows.training.one import train

LDR = {"base": "ldr", "stem": "dense", "channels": 2}
GROWN = {"channels": 2, "levels": 2}
RECIPE = {"iterations": 4, "batch": 2, "learning_rate": 0.001, "checkpoint_every": 1}
FAMILIES = {
    "recursive": (LDR, RECIPE),
    "voxelmorph": ({"channels": 2}, RECIPE),
    "swift": ({"channels": 2, "depth": 1, "steps": [2, 1], "shrink": 2}, RECIPE),
    "progressive": (GROWN, {**RECIPE, "batch": 1, "transition": 0.5, "duration": 2, "maps": 1, "snapshot_every": 2}),
}


def write_noise(folder: Path) -> Path:
    """Write noise to train on, three images, and a pair of two others to test on; return the folder of the data set."""
    writer, rng = Writer(folder / "data"), np.random.default_rng(0)
    for case in ("a", "b", "c", "d", "e"):
        writer.image(case, rng.random((16, 16, 16), dtype=np.float32), np.eye(4))
    pairs = (Pair("d", "e"),)
    writer.finish(Description(name="noise", training=TrainingSplit(("a", "b", "c")), test=pairs))
    return folder / "data"


def training(folder: Path, family: str = "recursive", *, seed: int = 0, data=None, **recipe) -> TrainSpec:
    """Return the specification of a training in ``folder``, on the data set that lies there or on ``data``."""
    size, options = FAMILIES[family]
    by = MethodSpec(method="net", module=f"methods.{family}", params=size, device="cpu", seed=seed, libraries={})
    return TrainSpec(
        by=by,
        dataset="noise",
        data=data or folder / "data",
        training={**options, **recipe},
        teacher=None,
        watch=[],
        sources=[],
        folder=folder / f"model{seed}",
    )


def trained(spec: TrainSpec, threads: int = 1) -> TrainingOutcome:
    """Run the training step, as Snakemake would: what an earlier one left as outcome is gone before."""
    outcome = spec.folder / "training.json"
    outcome.unlink(missing_ok=True)
    train(spec, threads)
    return read(outcome, TrainingOutcome)


def registration(spec: TrainSpec) -> RegisterSpec:
    """Return the specification of the registration with the network of a training."""
    run = RunSpec(by=spec.by, dataset="noise", data=spec.data, training=spec.folder / "training.json", time_limit=60.0)
    return RegisterSpec(run=run, chunk=0, chunks=1, sources=[], folder=spec.data.parent / "run")


def written(path: Path, spec: object) -> str:
    """Write a specification to a file for a step's command line; return the path."""
    write(path, spec)
    return str(path)
