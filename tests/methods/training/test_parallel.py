"""Training in several processes: the same weights as in one, books kept once, and faults that reach the caller."""

import json
import signal
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from methods import recursive
from methods.blocks.cascades.distillation import Aldk
from methods.blocks.training import parallel
from methods.blocks.training.checkpoint import newest_state
from methods.blocks.training.loop import DivergedError
from tests.methods import calls

pytestmark = [pytest.mark.early, pytest.mark.usefixtures("one_thread")]
# A handful of iterations: rounding grows with each.
SMALL = {"channels": 2, "scale": 0.5, "iterations": 5, "batch": 4, "learning_rate": 1e-3, "augmentation": 0.0}


def train(noise, folder, **changes):
    return calls.train(recursive, noise, folder, device="cpu", seed=0, **{**SMALL, **changes})


def untrained(noise, folder, **changes):
    return train(noise, folder, **{**changes, "iterations": 1, "learning_rate": 1e-12})


def discriminator(checkpoint):
    return newest_state(checkpoint.parent)["modules"]["discriminator"]


def rows(checkpoint):
    return [json.loads(line) for line in checkpoint.with_name("curve.jsonl").read_text(encoding="utf-8").splitlines()]


def assert_same_learning(one, two, start):
    """What two trainings of the same tensors differ by is little beside what they learned.

    Over all tensors together: Adam takes a full step even where a gradient is but rounding, and rounding differs
    between processors and numbers of threads. Gradients that are not averaged differ by as much as is learned.
    """
    assert one.keys() == two.keys()
    for name, before in start.items():
        assert (one[name] - before).abs().max() > 1e-6, f"{name} has not moved"

    def distance(some, others):
        return torch.cat([(some[name] - others[name]).flatten() for name in start]).norm()

    assert distance(one, two) < 0.05 * distance(one, start)


@pytest.mark.parametrize("invertibility", [0.0, 0.1])  # with it the network runs twice before its gradients are taken
def test_two_processes_learn_what_one_learns(noise, tmp_path, invertibility):
    one, two = (train(noise, tmp_path / str(n), processes=n, invertibility=invertibility) for n in (1, 2))
    start = untrained(noise, tmp_path / "start", invertibility=invertibility)
    assert_same_learning(*map(load_file, (one, two, start)))
    assert [row["iteration"] for row in rows(two)] == list(range(5))
    names = {"similarity", "regularisation", "total"} | ({"invertibility"} if invertibility else set())
    assert names <= rows(two)[0].keys()
    for name in names:
        np.testing.assert_allclose([row[name] for row in rows(two)], [row[name] for row in rows(one)], rtol=1e-4)


@pytest.mark.parametrize("objective", ["eq7_minimax", "wgan_gp"])
def test_student_and_discriminator_learn_in_two_processes_what_they_learn_in_one(noise, tmp_path, objective):
    aldk = Aldk(objective=objective, turns="every_step", disc_channels=2)
    student = {"base": "ldr", "scale": 1.0, "teacher": train(noise, tmp_path / "teacher"), "aldk": aldk}
    one, two = (train(noise, tmp_path / str(n), processes=n, **student) for n in (1, 2))
    start = untrained(noise, tmp_path / "start", **student)
    assert_same_learning(*map(load_file, (one, two, start)))
    # Kernels alone: on biases the gradients of D's two views all but cancel, and Adam takes a step at any size.
    kernels = [name for name in discriminator(start) if name.endswith("weight")]
    assert_same_learning(*({name: discriminator(path)[name] for name in kernels} for path in (one, two, start)))


def test_a_fault_in_a_process_reaches_the_caller_as_itself(noise, tmp_path):
    with pytest.raises(DivergedError, match="iteration"):
        train(noise, tmp_path, processes=2, learning_rate=1e30)


def fail_in_the_second(folder):
    """The first process outlives the request to end, and fails too, later, for want of the second."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if parallel.rank() == 1:
        raise LookupError("of the second alone")
    try:
        parallel.average(torch.ones(1))
    except Exception as error:
        (folder / "first").write_text(repr(error))
        raise


def test_the_error_that_came_first_is_the_one_raised(tmp_path):
    with pytest.raises(LookupError, match="of the second alone"):
        parallel.run(partial(fail_in_the_second, tmp_path), 2, "cpu")
    assert "LookupError" not in (tmp_path / "first").read_text(encoding="utf-8")


def test_a_batch_that_cannot_be_shared_is_refused(noise, tmp_path):
    with pytest.raises(ValueError, match="a batch of 4 cannot be shared among 3 processes"):
        train(noise, tmp_path, processes=3)
