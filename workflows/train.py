"""Train one method on one data set; a training that diverges or fails is a result too.

The specification: ``method, module, params, training, device, seed, threads, dataset (folder), folder, sources,
libraries``. The step writes ``training.json`` (status, reason, checkpoint, sha256, seconds) into ``folder``.
"""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import os
import shutil
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.provenance import fingerprint
from datasets.case import open_dataset
from datasets.files import sha256
from workflows.command import Spec, run_step, write_text
from workflows.supervisor import THREAD_VARIABLES

logger = logging.getLogger(__name__)
STATE = "state"


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
    data = open_dataset(Path(spec["dataset"]))
    data.check_files()
    return module.train(data, state, device=spec["device"], seed=spec["seed"], **options)


def _state_folder(folder: Path, spec: Spec) -> Path:
    """The folder of this training's state; states of other code, data or options are removed."""
    values: dict[str, Any] = {
        name: spec[name] for name in ("module", "params", "training", "device", "seed", "libraries")
    }
    values["data"] = sha256(Path(spec["dataset"]) / "dataset.json")
    state = folder / STATE / fingerprint([Path(path) for path in spec["sources"]], values)
    if state.parent.is_dir():
        for stale in state.parent.iterdir():
            if stale != state:
                shutil.rmtree(stale)
    state.mkdir(parents=True, exist_ok=True)
    return state


if __name__ == "__main__":
    run_step(train, __doc__)
