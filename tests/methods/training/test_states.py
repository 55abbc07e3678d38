"""States written beside the training: of their own iteration, one at a time, and no fault of theirs goes unseen."""

import errno
import threading

import pytest
import torch

from methods import recursive
from methods.blocks.training import checkpoint
from methods.blocks.training.loop import DivergedError
from methods.blocks.training.states import StateWriter
from tests.methods import calls

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = {"channels": 2, "iterations": 8, "batch": 1, "checkpoint_every": 2, "learning_rate": 1e-3}


def state(iteration, weights):
    modules = {"model": {"kernel": weights}}
    return {"iteration": iteration, "seconds": 0.0, "run": "{}", "modules": modules, "optimisers": {}}


@pytest.fixture
def held(monkeypatch):
    """Return an event without which no state is written, and the states as they came to be written."""
    go, seen, save = threading.Event(), [], checkpoint.save_state

    def slow(folder, each):
        assert go.wait(30)
        seen.append(each["iteration"])
        save(folder, each)

    monkeypatch.setattr(checkpoint, "save_state", slow)
    yield go, seen
    go.set()


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device", "states")


def test_a_state_holds_the_weights_of_its_iteration_whatever_is_trained_meanwhile(held, tmp_path):
    go, _ = held
    weights = torch.arange(48.0).view(1, 2, 2, 3, 4).to(memory_format=torch.channels_last_3d)
    expected = weights.clone()
    with StateWriter(tmp_path) as states:
        states.write(state(1, weights))
        weights.zero_()
        states.check()  # does not wait
        go.set()
    kept = checkpoint.newest_state(tmp_path)["modules"]["model"]["kernel"]
    assert torch.equal(kept, expected)
    assert kept.stride() == expected.stride()


def test_one_state_is_in_flight_and_the_next_waits_for_it(held, tmp_path):
    go, seen = held
    with StateWriter(tmp_path) as states:
        states.write(state(1, torch.zeros(1)))
        second = threading.Thread(target=states.write, args=(state(2, torch.zeros(1)),))
        second.start()
        second.join(0.2)
        assert second.is_alive()
        assert seen == []
        go.set()
        second.join(30)
    assert seen == [1, 2]
    assert checkpoint.newest_state(tmp_path)["iteration"] == 2


def leave(states, error=None):
    """Leave the context of a training, as one does that ends well or with an error."""
    with states:
        if error is not None:
            raise error


AFTERWARDS = {
    "next write": lambda states: states.write(state(2, torch.zeros(1))),
    "check": lambda states: states.check(),
    "end": leave,
    "end by an error": lambda states: leave(states, DivergedError("loss")),
}


@pytest.mark.parametrize("how", AFTERWARDS)
@pytest.mark.fault(5)
def test_a_full_disk_is_told_by_whatever_comes_next(tmp_path, monkeypatch, how):
    monkeypatch.setattr(checkpoint, "save_state", full)
    states = StateWriter(tmp_path)
    states.write(state(1, torch.zeros(1)))
    states._writing.exception()  # it has ended
    with pytest.raises(OSError, match="No space left"):
        AFTERWARDS[how](states)


@pytest.mark.fault(5)
def test_a_full_disk_ends_a_training_before_its_end(noise, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "save_state", full)
    with pytest.raises(OSError, match="No space left"):
        calls.train(recursive, noise, tmp_path, **SMALL)
    assert len((tmp_path / "curve.jsonl").read_text("utf-8").splitlines()) < 8
    assert not (tmp_path / "weights.safetensors").exists()


@pytest.mark.fault(2)
def test_who_is_stopped_stays_stopped_and_the_state_in_flight_is_finished(held, tmp_path):
    go, seen = held
    states = StateWriter(tmp_path)
    states.write(state(1, torch.zeros(1)))
    go.set()
    with pytest.raises(KeyboardInterrupt):
        leave(states, KeyboardInterrupt())
    assert seen == [1]
    assert checkpoint.newest_state(tmp_path)["iteration"] == 1
