"""Training in several processes: the same weights as in one, books kept once, and faults that reach the caller."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from datasets.case import Writer, open_dataset
from methods import recursive
from methods.blocks.distillation import Aldk
from methods.blocks.training import DivergedError

# A handful of iterations: rounding grows with each.
SMALL = {"channels": 2, "scale": 0.5, "iterations": 5, "batch": 4, "learning_rate": 1e-3, "augmentation": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    writer = Writer(folder)
    for case in ("a", "b", "c"):
        writer.image(case, rng.random((16, 14, 30), dtype=np.float32), np.eye(4))
    writer.finish({"name": "noise", "training": {"cases": ["a", "b", "c"]}, "test": []})
    return open_dataset(folder)


def train(data, folder, **changes):
    return recursive.train(data, folder, device="cpu", seed=0, **{**SMALL, **changes})


def assert_close(one, two):
    one, two = load_file(one), load_file(two)
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], rtol=1e-3, atol=2e-5)


def test_two_processes_learn_what_one_learns(data, tmp_path):
    one = train(data, tmp_path / "one")
    two = train(data, tmp_path / "two", processes=2)
    assert_close(one, two)
    start = train(data, tmp_path / "start", iterations=1, learning_rate=1e-9)
    moved = [
        (a - b).abs().max().item() for a, b in zip(load_file(one).values(), load_file(start).values(), strict=True)
    ]
    assert np.median(moved) > 1e-3  # so that closeness says something
    rows = [json.loads(line) for line in (tmp_path / "two" / "curve.jsonl").read_text().splitlines()]
    alone = [json.loads(line) for line in (tmp_path / "one" / "curve.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows] == list(range(5))
    np.testing.assert_allclose([r["total"] for r in rows], [r["total"] for r in alone], rtol=1e-4)


def test_student_and_discriminator_learn_in_two_processes_what_they_learn_in_one(data, tmp_path):
    teacher = train(data, tmp_path / "teacher")
    student = {"base": "ldr", "stem": "dense", "scale": 1.0, "teacher": teacher, "aldk": Aldk(disc_channels=2)}
    one, two = (train(data, tmp_path / str(n), processes=n, **student) for n in (1, 2))
    assert_close(one, two)


def test_a_fault_in_a_process_reaches_the_caller_as_itself(data, tmp_path):
    with pytest.raises(DivergedError, match="iteration"):
        train(data, tmp_path, processes=2, learning_rate=1e30)


def test_a_batch_that_cannot_be_shared_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match="a batch of 4 cannot be shared among 3 processes"):
        train(data, tmp_path, processes=3)
