"""At the paper's size: every network of the paper profile takes a training step at 128^3, full width, on the CPU."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from datasets.case import Writer, open_dataset
from datasets.description import Description, TrainingSplit
from methods import progressive, recursive, voxelmorph
from methods.blocks.cascades.distillation import Aldk
from methods.blocks.cost import count_macs
from methods.blocks.progressive.unet import UNet
from methods.blocks.training import loop
from methods.blocks.training.checkpoint import newest_state, save_weights
from tests.methods import calls
from workflows.configuration.resolve import CATALOGUE, read_yaml, resolve
from workflows.configuration.sources import ROOT

PAPER = CATALOGUE.parent / "paper.yaml"
SETTINGS = resolve(read_yaml(PAPER))
PROGRESSIVE = ("progressive-baseline", "progressive")
LEARNED = [name for name, data in SETTINGS.runs if data == "sliver" and SETTINGS.trains(name)]
MODULES = {"methods.recursive": recursive, "methods.voxelmorph": voxelmorph}
SHAPE = (128, 128, 128)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    writer = Writer(folder)
    for case in ("a", "b"):
        writer.image(case, rng.random(SHAPE, dtype=np.float32), np.eye(4))
    writer.finish(Description(name="noise", training=TrainingSplit(("a", "b")), test=()))
    return open_dataset(folder)


@pytest.fixture(scope="module")
def teacher(data, tmp_path_factory):
    """Any trained network can teach; one of full width."""
    return calls.train(recursive, data, tmp_path_factory.mktemp("teacher"), device="cpu", seed=0, iterations=1, batch=1)


@pytest.mark.parametrize("name", LEARNED)
def test_one_step(name, data, teacher, tmp_path):
    options = {**SETTINGS.params(name, "sliver"), **SETTINGS.training(name, "sliver")}
    if "aldk" in options:  # a step that the teacher takes part in
        options["aldk"] = Aldk(**{**options["aldk"], "turns": "every_step"})
        options["teacher"] = teacher
    module = MODULES[SETTINGS.module(name)]
    path = calls.train(module, data, tmp_path, device="cpu", seed=0, **{**options, "iterations": 1, "batch": 1})
    [row] = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
    assert np.isfinite(row["total"])
    assert ("adversarial" in row) == ("aldk" in options)
    start = calls.load(module, device="cpu", seed=0, **SETTINGS.params(name, "sliver"))
    after = calls.load(module, device="cpu", seed=0, checkpoint=path, **SETTINGS.params(name, "sliver"))
    pair = [data.image(case).array for case in ("a", "b")]
    with torch.inference_mode():
        before, moved = (register(*pair, (1.0, 1.0, 1.0)) for register in (start, after))
    assert before.shape == (3, *SHAPE)
    assert not np.array_equal(before, moved)
    assert np.isfinite(moved).all()
    shutil.rmtree(tmp_path)  # states of 100 million parameters take more than a GB


@pytest.mark.parametrize("name", PROGRESSIVE)
def test_ten_iterations_of_the_progressive_papers_networks(name, data, tmp_path):
    """At the beginning of its growth the growing network is its lowest level alone; the baseline is whole."""
    options = {**SETTINGS.params(name, "lidc"), **SETTINGS.training(name, "lidc")}
    path = ten_iterations(data, tmp_path, **options)
    start = calls.load(progressive, device="cpu", seed=0, **SETTINGS.params(name, "dirlab"))
    after = calls.load(progressive, device="cpu", seed=0, checkpoint=path, **SETTINGS.params(name, "dirlab"))
    pair = [data.image(case).array for case in ("a", "b")]
    before, moved = (register(*pair, (2.0, 1.5, 2.0)) for register in (start, after))
    assert before.shape == (3, *SHAPE)
    assert np.isfinite(moved).all()
    assert not np.array_equal(before, moved)


def ten_iterations(data, folder, **options):
    """The first ten iterations of a training, which then stops as if it were told to."""
    step = loop._iterate

    def ten(learner, sampler, iteration):
        if iteration == 10:
            raise KeyboardInterrupt
        return step(learner, sampler, iteration)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_iterate", ten)
        patch.setattr(progressive, "count_displacements", lambda *_: None)  # of a hundred pairs, a minute's work
        with pytest.raises(KeyboardInterrupt):
            calls.train(progressive, data, folder, device="cpu", seed=0, **{**options, "checkpoint_every": 10})
    rows = [json.loads(line) for line in (folder / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 10
    assert all(np.isfinite(row["total"]) for row in rows)
    weights = newest_state(folder)["modules"]["model"]
    shared = {name: value for name, value in weights.items() if not name.startswith(("entries.", "outputs."))}
    model = UNet()
    model.load_state_dict(shared)
    return save_weights(folder / "ten.safetensors", model, progressive._about(progressive.Params()))


@pytest.mark.parametrize("groups", [1, 2])
def test_multiply_accumulates_are_those_of_the_counter_of_torch(groups):
    net = nn.Sequential(
        nn.Conv3d(4, 6, (3, 2, 1), stride=2, padding=1, groups=groups),
        nn.LeakyReLU(),
        nn.ConvTranspose3d(6, 2, 4, stride=(2, 1, 3), padding=1, groups=groups),
        nn.Conv3d(2, 2, 3, dilation=2, padding=3, bias=False, groups=groups),
    )
    image = torch.zeros(2, 4, 9, 10, 12)
    with FlopCounterMode(display=False) as counter:
        net(image)
    assert 2 * count_macs(lambda: net(image)) == counter.get_total_flops() > 0


def test_counting_imports_no_compiler():
    code = "from methods.blocks.cost import registration_cost\nfrom torch import nn\nimport sys\n"
    code += "class Net(nn.Conv3d):\n    def forward(self, fixed, moving):\n        return super().forward(fixed)\n"
    code += "print(registration_cost(lambda: Net(1, 2, 3), (4, 5, 6)), 'torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "{'parameters': 56, 'macs': 1296} False"
