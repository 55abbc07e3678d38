"""Train one method on one data set; a training that diverges or fails is a result too.

The specification: ``method, module, params, training, teacher (path of its training.json or null), watch (folders of
data sets that snapshots are judged on), device, seed, threads, dataset (folder), folder, sources, libraries``. The step
writes ``training.json`` (status, reason, checkpoint, sha256, seconds, and the ``kept`` folder of curves and the like)
into ``folder``.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import logging
import os
import shutil
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from benchmarks.provenance import fingerprint
from datasets.case import open_dataset
from datasets.files import sha256
from workflows.running.command import Spec, run_step, write_text
from workflows.running.supervisor import THREAD_VARIABLES
from workflows.running.watcher import Watcher

logger = logging.getLogger(__name__)
STATE, SNAPSHOTS = "state", "snapshots.jsonl"


def train(spec: Spec) -> None:
    """Train, resuming from the state of an interrupted run of the same code, data and options."""
    for variable in THREAD_VARIABLES:  # before the module below imports its libraries
        os.environ[variable] = str(spec["threads"])
    folder = Path(spec["folder"])
    state = _state_folder(folder, spec)
    started = time.perf_counter()
    try:
        checkpoint = _call(spec, state)
        outcome = {"status": "ok", "reason": "", "checkpoint": str(checkpoint), "sha256": sha256(checkpoint)}
    except Exception as error:
        traceback.print_exc()
        status = "diverged" if type(error).__name__ == "DivergedError" else "failed"
        outcome = {"status": status, "reason": f"training: {' '.join(str(error).split())[:500]}", "checkpoint": ""}
    outcome["kept"] = str(state)
    outcome["seconds"] = time.perf_counter() - started
    write_text(folder / "training.json", json.dumps(outcome, indent=1))
    logger.info("training %s in %.0f s", outcome["status"], outcome["seconds"])


def _call(spec: Spec, state: Path) -> Path:
    module = importlib.import_module(spec["module"])
    import torch

    torch.set_num_threads(spec["threads"])
    # Some options concern the registration alone.
    known = inspect.signature(module.train).parameters
    options = {name: value for name, value in spec["params"].items() if name in known} | spec["training"]
    options = {name: _built(module.train, name, value) for name, value in options.items()}
    if spec["teacher"]:
        options["teacher"] = _checkpoint_of(Path(spec["teacher"]))
    if spec["watch"]:
        options["watch"] = Watcher([Path(folder) for folder in spec["watch"]], state / SNAPSHOTS)
    data = open_dataset(Path(spec["dataset"]))
    data.check_files()
    return module.train(data, state, device=spec["device"], seed=spec["seed"], **options)


def _built(function: Callable[..., Any], name: str, value: Any) -> Any:
    """A mapping as the dataclass that the function's annotation names; anything else as it is."""
    kinds = [kind for kind in _kinds(get_type_hints(function)[name]) if dataclasses.is_dataclass(kind)]
    return kinds[0](**value) if kinds and isinstance(value, Mapping) else value


def _kinds(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) or (annotation,)


def _checkpoint_of(training: Path) -> Path:
    outcome = json.loads(training.read_text(encoding="utf-8"))
    if outcome["status"] != "ok":
        raise ValueError(f"its teacher, {training.parent.parent.name}, could not be trained: {outcome['reason']}")
    return Path(outcome["checkpoint"])


def _state_folder(folder: Path, spec: Spec) -> Path:
    """The folder of this training's state; states of other code, data or options are removed."""
    values: dict[str, Any] = {
        name: spec[name] for name in ("module", "params", "training", "device", "seed", "libraries")
    }
    values["data"] = sha256(Path(spec["dataset"]) / "dataset.json")
    values["teacher"] = spec["teacher"] and json.loads(Path(spec["teacher"]).read_text(encoding="utf-8")).get(
        "sha256", ""
    )
    state = folder / STATE / fingerprint([Path(path) for path in spec["sources"]], values)
    if state.parent.is_dir():
        for stale in state.parent.iterdir():
            if stale != state:
                shutil.rmtree(stale)
    state.mkdir(parents=True, exist_ok=True)
    return state


if __name__ == "__main__":
    run_step(train, __doc__)
