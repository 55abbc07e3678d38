"""Losses that are not finite: the training ends as diverged with the pairs it met, and costs nothing but itself."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.records import Registrations, read
from datasets.case import open_dataset
from datasets.description import DATASET_JSON
from datasets.files import DataError, sha256, write_volume
from tests.faults import training_inputs as inputs
from tests.workflows.pipeline_inputs import TINY, run
from workflows.configuration.sources import ROOT
from workflows.register import register

pytestmark = pytest.mark.usefixtures("one_thread")
# Learning rates at which each family has states of sound losses behind it when it diverges.
TOO_FAST = {"recursive": 1e3, "voxelmorph": 1e30, "progressive": 1e3}


@pytest.mark.fault(9)
@pytest.mark.parametrize("family", TOO_FAST)
def test_a_training_that_diverges_says_where_and_keeps_its_sound_states(tmp_path, family):
    inputs.write_noise(tmp_path)
    done = inputs.trained(inputs.training(tmp_path, family, learning_rate=TOO_FAST[family]))
    assert done.status == "diverged"
    assert done.reason.startswith("training: loss (")
    assert " at iteration " in done.reason
    assert ", pairs " in done.reason
    assert done.checkpoint == done.sha256 == ""
    states = sorted(Path(done.kept).glob("state-*.pt"))
    assert states
    for path in states:
        weights = torch.load(path, weights_only=True)["modules"]["model"]
        assert all(tensor.isfinite().all() for tensor in weights.values())
    rows = (Path(done.kept) / "curve.jsonl").read_text("utf-8").splitlines()
    assert len(rows) == int(states[-1].stem.removeprefix("state-"))
    assert not list(Path(done.kept).glob("*.safetensors"))


@pytest.mark.fault(9)
def test_the_command_ends_well_and_the_pairs_of_the_network_say_that_it_diverged(tmp_path):
    inputs.write_noise(tmp_path)
    spec = inputs.training(tmp_path, learning_rate=1e3)
    command = [sys.executable, "-m", "workflows.train", inputs.written(tmp_path / "train.json", spec)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr  # a result: others go on
    ask = inputs.registration(spec)
    register(ask, 1)
    [pair] = read(ask.folder / "registrations.json", Registrations).pairs
    assert pair.status == "diverged"
    assert "at iteration 1, pairs " in pair.reason


@pytest.mark.fault(9)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_reaches_no_batch(tmp_path, value):
    """The image is exchanged, its checksum with it: the reader refuses it all the same, and nothing is kept."""
    data = open_dataset(inputs.write_noise(tmp_path))
    spoilt = data.image("b")
    array = spoilt.array.copy()
    array[3, 4, 5] = value
    before = sha256(data.image_path("b"))
    write_volume(data.image_path("b"), array, spoilt.affine)
    about = data.folder / DATASET_JSON
    about.write_text(about.read_text("utf-8").replace(before, sha256(data.image_path("b"))), "utf-8")
    spec = inputs.training(tmp_path)
    with pytest.raises(DataError, match=r"b\.nii\.gz: 1 of 4096 voxels are NaN or infinite"):
        inputs.trained(spec)
    assert not (spec.folder / "training.json").exists()


@pytest.mark.slow
@pytest.mark.fault(9)
def test_a_run_with_a_network_that_diverges_has_every_other_number(tmp_path):
    network = {
        "datasets": ["phantom-liver"],
        "params": {"channels": 2},
        "training": {"iterations": 4, "batch": 2, "learning_rate": 1e3, "checkpoint_every": 1},
    }
    config = json.loads(json.dumps(TINY)) | {"methods": {"ldr-1": network}}
    config["run"]["methods"].insert(1, "ldr-1")
    config["datasets"]["phantom-liver"]["params"]["training"] = 3
    done = run(tmp_path, config=config)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = pd.read_parquet(tmp_path / "results" / "tiny" / "metrics.parquet")
    found = metrics[metrics.pair != "*"].groupby("method").status.unique()
    assert set(found["ldr-1"]) == {"diverged"}
    assert all(set(found[name]) == {"ok"} for name in ("identity", "demons", "truth"))
    assert metrics[metrics.method == "ldr-1"].reason.str.contains("at iteration 1, pairs ").any()
