"""One method on one pair: supervised as in a run, judged where there is a truth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.records import Options, Registrations, TrainingOutcome, read, write
from benchmarks.rows import RunRow
from datasets.case import Dataset, Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import Array, DataError, one_line, read_displacement, sha256
from workflows.configuration.config import nearest
from workflows.configuration.resolve import catalogue, resolve
from workflows.configuration.settings import Settings
from workflows.pair.grids import Grid
from workflows.planning.code import libraries_of
from workflows.planning.layout import ChunkFolder
from workflows.planning.specs import MethodSpec, RegisterSpec, RunSpec
from workflows.register import register

PAIR = Pair("fixed", "moving")
ABOUT = "about"  # the key of a checkpoint's metadata


@dataclass(frozen=True)
class Order:
    """A method as it was asked for: its options, the weights of a network, the device and the random seed."""

    method: str
    params: Options
    weights: Path | None
    time_limit: float
    module: str
    device: str
    seed: int


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method gave: the displacement ``(3, D, H, W)`` on the grid, or the status and reason why there is none."""

    order: Order
    run: RunRow
    status: str
    reason: str
    seconds: float | None
    displacement: Array | None


def settings(methods: Sequence[str], options: Mapping[str, Options], like: str) -> Settings:
    """Return the catalogue with its options, which are the papers' at their sizes, and with those asked for; checked.

    Args:
        methods: the names of the methods.
        options: what is to be otherwise, by method.
        like: the data set of the catalogue whose options the methods take; empty for those that hold everywhere.
    """
    known = catalogue()
    for method in methods:
        if method not in known["methods"]:
            raise DataError(f"--method: {method!r} is not in the catalogue; {nearest(method, known['methods'])}")
    if like and like not in known["datasets"]:
        raise DataError(f"--like: {like!r} is no data set of the catalogue; {nearest(like, known['datasets'])}")
    entries = {name: {"params": dict(own)} for name, own in options.items() if own}
    if like:
        entries = {name: {"by_dataset": {like: entry}} for name, entry in entries.items()}
    chosen = {"datasets": [like or next(iter(known["datasets"]))], "methods": list(methods)}
    return resolve({"profile": "pair", "seeds": [0], "run": chosen, "methods": entries})


def order(known: Settings, method: str, *, like: str, weights: Path | None, device: str, seed: int) -> Order:
    """Return a method's order, checked; raise `DataError` for one that lacks its weights or cannot run on two images.

    Args:
        known: what `settings` gives.
        method: its name there.
        like: as in `settings`.
        weights: a safetensors file; its own metadata say which network it is of.
        device: cpu or cuda.
        seed: of whatever is random.
    """
    if "true_displacement" in known.needs(method):
        raise DataError(f"--method: {method} is given the true displacement, which your pair does not have")
    if missing := [name for name in known.needs(method) if name.endswith("_mask")]:
        raise DataError(f"--method: {method} needs {' and '.join(missing)}, which this command does not give")
    if known.trains(method) and weights is None:
        raise DataError(
            f"--method: {method} is a network: name its weights (--weights FILE.safetensors), such as the "
            "weights.safetensors below results/mini/models that a run leaves"
        )
    if weights is not None and not known.trains(method):
        raise DataError(f"--weights: {method} is no network")
    own = _options_of(weights, known.module(method)) if weights else {}
    return Order(
        method,
        {**known.params(method, like), **own},
        weights,
        known.time_limit(method, like),
        known.module(method),
        device,
        seed,
    )


def prepare(folder: Path, grid: Grid, fixed: Array, moving: Array) -> Dataset:
    """Write both images, in [0, 1] on one grid, in the form that methods read."""
    writer = Writer(folder)
    writer.image(PAIR.fixed, fixed, grid.affine)
    writer.image(PAIR.moving, moving, grid.affine)
    about = Description(name="pair", title="Your own pair", training=TrainingSplit(()), test=(PAIR,))
    writer.finish(about)
    return open_dataset(folder)


def run(order: Order, data: Dataset, folder: Path, threads: int) -> Outcome:
    """Register the pair in a child process, under supervision; a method that fails is an outcome, too."""
    chunk = ChunkFolder(folder)
    register(RegisterSpec(run=_spec(order, data, folder), chunk=0, chunks=1, sources=[], folder=folder), threads)
    done = read(chunk.registrations, Registrations)
    if done.unavailable:
        return Outcome(order, done.run, "unavailable", done.unavailable, None, None)
    (record,) = done.pairs
    displacement = read_displacement(chunk.displacement(PAIR)) if record.status == "ok" else None
    return Outcome(order, done.run, record.status, record.reason, record.seconds, displacement)


def _spec(order: Order, data: Dataset, folder: Path) -> RunSpec:
    by = MethodSpec(
        method=order.method,
        module=order.module,
        params=order.params,
        device=order.device,
        seed=order.seed,
        libraries=libraries_of(order.module),
    )
    training = _training(order, folder) if order.weights else None
    return RunSpec(by=by, dataset=data.name, data=data.folder, training=training, time_limit=order.time_limit)


def _training(order: Order, folder: Path) -> Path:
    """Write what a training would have: that it went well, and where its weights are."""
    assert order.weights is not None
    path, weights = folder / "training.json", order.weights.resolve()
    outcome = TrainingOutcome(
        dataset="elsewhere",
        method=order.method,
        seed=order.seed,
        status="ok",
        reason="",
        checkpoint=str(weights),
        sha256=sha256(weights),
    )
    write(path, outcome)
    return path


def _options_of(weights: Path, module: str) -> Mapping[str, object]:
    """Return the options of the network that a file has the weights of, as its metadata have them."""
    if not weights.is_file():
        raise DataError(f"--weights: {weights}: no such file")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "np") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
    except (SafetensorError, ValueError, OSError) as error:
        raise DataError(f"--weights: {weights}: not a safetensors file ({one_line(error)})") from error
    trained_by = about.get("method", "nothing of this project")
    if f"methods.{trained_by}" != module:
        raise DataError(f"--weights: {weights}: of {trained_by}, while the method is of {module}")
    return about.get("params", {})
