"""At the paper's size: every network of the paper profile takes a training step at 128^3, full width, on the CPU."""

import json
import shutil

import numpy as np
import pytest
import torch

from datasets.case import Writer, open_dataset
from methods import recursive, voxelmorph
from methods.blocks.distillation import Aldk
from workflows.settings import CATALOGUE, Settings, merge, read_yaml

PAPER = CATALOGUE.with_name("paper.yaml")
SETTINGS = Settings(merge(read_yaml(CATALOGUE), read_yaml(PAPER)))
LEARNED = [name for name in SETTINGS.methods if SETTINGS.trains(name)]
MODULES = {"methods.recursive": recursive, "methods.voxelmorph": voxelmorph}
SHAPE = (128, 128, 128)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    writer = Writer(folder)
    for case in ("a", "b"):
        writer.image(case, rng.random(SHAPE, dtype=np.float32), np.eye(4))
    writer.finish({"name": "noise", "training": {"cases": ["a", "b"]}, "test": []})
    return open_dataset(folder)


@pytest.fixture(scope="module")
def teacher(data, tmp_path_factory):
    """Any trained network can teach; one of full width."""
    return recursive.train(data, tmp_path_factory.mktemp("teacher"), device="cpu", seed=0, iterations=1, batch=1)


@pytest.mark.parametrize("name", LEARNED)
def test_one_step(name, data, teacher, tmp_path):
    options = {**SETTINGS.params(name, "sliver"), **SETTINGS.training(name, "sliver")}
    if "aldk" in options:  # a step that the teacher takes part in
        options["aldk"] = Aldk(**{**options["aldk"], "schedule": "every_step"})
        options["teacher"] = teacher
    module = MODULES[SETTINGS.module(name)]
    path = module.train(data, tmp_path, device="cpu", seed=0, **{**options, "iterations": 1, "batch": 1})
    [row] = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert np.isfinite(row["total"])
    assert ("adversarial" in row) == ("aldk" in options)
    start = module.load(device="cpu", seed=0, **SETTINGS.params(name, "sliver"))
    after = module.load(device="cpu", seed=0, checkpoint=path, **SETTINGS.params(name, "sliver"))
    pair = [data.image(case).array for case in ("a", "b")]
    with torch.inference_mode():
        before, moved = (register(*pair, (1.0, 1.0, 1.0)) for register in (start, after))
    assert before.shape == (3, *SHAPE)
    assert not np.array_equal(before, moved)
    assert np.isfinite(moved).all()
    shutil.rmtree(tmp_path)  # states of 100 million parameters take more than a GB
