"""The training loop: its stream, its schedules, and what survives a kill, a truncated file and a NaN."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from datasets.case import Writer, open_dataset
from datasets.description import Description, TrainingSplit, write_description
from datasets.files import DataError
from methods import recursive
from methods.blocks.cascades import lesson
from methods.blocks.training import loop as training
from methods.blocks.training import sampling
from methods.blocks.training.checkpoint import CheckpointError
from methods.blocks.training.loop import DivergedError
from methods.blocks.training.settings import LoopOptions, learning_rate
from tests.methods import calls

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = {
    "base": "ldr",
    "stem": "dense",
    "channels": 2,
    "iterations": 7,
    "batch": 2,
    "learning_rate": 1e-2,
    "checkpoint_every": 2,
}


def options(**changes):
    base = {"batch": 2, "learning_rate": 8.0, "schedule": "constant", "checkpoint_every": 5}
    return LoopOptions(**{"iterations": 100, **base, **changes})


def train(noise, folder, **changes):
    return calls.train(recursive, noise, folder, device="cpu", seed=changes.pop("seed", 0), **{**SMALL, **changes})


def interrupt(monkeypatch, at):
    """Raise in the middle of iteration ``at``, after its update."""
    step = training._iterate

    def broken(learner, sampler, iteration):
        row = step(learner, sampler, iteration)
        if iteration == at:
            raise KeyboardInterrupt
        return row

    monkeypatch.setattr(training, "_iterate", broken)


def curve(folder):
    rows = [json.loads(line) for line in (folder / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.parametrize("at", [0, 3, 4])
def test_interrupted_training_continues_bit_for_bit(noise, tmp_path, monkeypatch, at):
    whole = train(noise, tmp_path / "whole").read_bytes()
    with monkeypatch.context() as patch:
        interrupt(patch, at)
        with pytest.raises(KeyboardInterrupt):
            train(noise, tmp_path / "cut")
    assert train(noise, tmp_path / "cut").read_bytes() == whole
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    assert [row["iteration"] for row in curve(tmp_path / "cut")] == list(range(7))


def test_truncated_newest_state_falls_back_to_the_one_before(noise, tmp_path):
    whole = train(noise, tmp_path).read_bytes()
    newest, before = sorted(tmp_path.glob("state-*.pt"), reverse=True)
    newest.write_bytes(newest.read_bytes()[:-50])
    assert before.name == "state-000000006.pt"
    assert train(noise, tmp_path).read_bytes() == whole
    assert len(list(tmp_path.glob("state-*"))) == 4  # two states and their checksums


def test_finished_training_is_not_repeated(noise, tmp_path, monkeypatch):
    whole = train(noise, tmp_path).read_bytes()
    interrupt(monkeypatch, 0)
    assert train(noise, tmp_path).read_bytes() == whole


def test_no_half_written_file_is_left(noise, tmp_path):
    train(noise, tmp_path)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_nan_stops_training_and_leaves_the_states_alone(noise, tmp_path, monkeypatch):
    losses = lesson.cascade_losses
    calls = []

    def poisoned(*args):
        calls.append(args)
        terms = losses(*args)
        return {**terms, "total": terms["total"] * float("nan")} if len(calls) == 4 else terms

    monkeypatch.setattr(lesson, "cascade_losses", poisoned)
    with pytest.raises(DivergedError, match=r"iteration 3, pairs [abc]__[abc], [abc]__[abc];") as caught:
        train(noise, tmp_path)
    assert isinstance(caught.value, FloatingPointError)
    assert [path.name for path in tmp_path.glob("state-*.pt")] == ["state-000000002.pt"]
    assert [row["iteration"] for row in curve(tmp_path)] == [0, 1, 2]
    assert not (tmp_path / "weights.safetensors").exists()


def test_weights_that_are_not_finite_are_never_saved(noise, tmp_path):
    with pytest.raises(DivergedError, match=r"loss|weights"):
        train(noise, tmp_path, learning_rate=1e30)
    assert not (tmp_path / "weights.safetensors").exists()
    for path in tmp_path.glob("state-*.pt"):
        state = torch.load(path, weights_only=True)
        assert all(tensor.isfinite().all() for tensor in state["modules"]["model"].values())


@pytest.mark.parametrize("changes", [{"seed": 1}, {"iterations": 8}, {"channels": 4}, {"regularisation": 2.0}])
def test_states_of_another_run_are_refused(noise, tmp_path, changes):
    train(noise, tmp_path, iterations=7)
    with pytest.raises(CheckpointError, match="another run"):
        train(noise, tmp_path, **changes)


def test_states_hold_plain_tensors_and_the_same_seed_gives_the_same_weights(noise, tmp_path):
    one, two = (train(noise, tmp_path / name, iterations=2) for name in ("one", "two"))
    other = train(noise, tmp_path / "other", iterations=2, seed=1)
    assert one.read_bytes() == two.read_bytes()
    # Not the files: their headers name the seed.
    pairs = zip(load_file(one).values(), load_file(other).values(), strict=True)
    assert not any(torch.equal(a, b) for a, b in pairs)
    [path] = (tmp_path / "one").glob("state-*.pt")
    assert torch.load(path, weights_only=True)["iteration"] == 2


def test_what_is_left_to_the_device_is_float32_on_the_cpu(noise, tmp_path):
    mixed, single = (train(noise, tmp_path / name, iterations=2, precision=name) for name in ("auto", "float32"))
    one, other = load_file(mixed), load_file(single)  # not the files: their headers name the precision
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def sampler(noise, seed=0, augmentation=1.0, **changes):
    wanted = {"seed": seed, "augmentation": augmentation, "multiple": 16, "device": "cpu"}
    return sampling.make_sampler(noise, options(**changes), **wanted)


def test_batches_depend_on_seed_and_iteration_alone(noise):
    batch = sampler(noise).batch(12)
    again = sampler(noise).batch(12)
    assert batch.pairs == again.pairs
    assert torch.equal(batch.moving, again.moving)
    assert not torch.equal(batch.moving, sampler(noise).batch(13).moving)
    assert not torch.equal(batch.moving, sampler(noise, seed=1).batch(12).moving)


def test_images_are_uint8_over_255_padded_at_the_end_and_only_the_moving_one_is_warped(noise):
    plain, warped = sampler(noise, augmentation=0.0).batch(5), sampler(noise).batch(5)
    assert plain.fixed.shape == (2, 1, 16, 16, 32)
    assert torch.equal(plain.fixed, warped.fixed)
    assert not torch.equal(plain.moving, warped.moving)
    for index, pair in enumerate(plain.pairs):
        for image, case in ((plain.fixed, pair.fixed), (plain.moving, pair.moving)):
            expected = np.round(noise.image(case).array * 255) / 255
            np.testing.assert_allclose(image[index, 0, :, :14, :30], expected, atol=1e-7)
            assert image[index, 0, :, 14:].abs().max() == 0


def test_each_pass_draws_every_pair_once_in_a_new_order(noise):
    pairs = noise.training_pairs
    one = sampler(noise, batch=4, augmentation=0.0)  # six pairs: a batch reaches into the next pass
    drawn = [pair for iteration in range(6) for pair in one.batch(iteration).pairs]
    passes = [drawn[start : start + len(pairs)] for start in range(0, len(drawn), len(pairs))]
    assert len(passes) == 4
    assert all(sorted(each, key=str) == sorted(pairs, key=str) for each in passes)
    assert len({tuple(each) for each in passes}) > 1
    assert all(pair.fixed != pair.moving for pair in drawn)


def test_shrunken_images_are_averages_of_cubes(noise):
    made = sampling.make_sampler(noise, options(), seed=0, multiple=16, device="cpu", shrink=2)
    whole = np.pad(noise.image("a").array, [(0, 16), (0, 18), (0, 2)])
    expected = whole.reshape(16, 2, 16, 2, 16, 2).mean(axis=(1, 3, 5))
    assert np.abs(made.images["a"].numpy() - expected * 255).max() <= 0.5 + 1e-4


def test_learning_rate_schedules():
    step, released = options(schedule="rcn_step"), options(schedule="released_ldr")
    assert [learning_rate(i, step) for i in (0, 59, 60, 79, 80, 99)] == [8, 8, 4, 4, 2, 2]
    assert [learning_rate(i, released) for i in (0, 20, 40, 60, 80)] == [8, 1, 1 / 2, 1 / 4, 1 / 8]
    assert learning_rate(10, released) == pytest.approx(4)
    ratio = sum(learning_rate(i, step) for i in range(100)) / sum(learning_rate(i, released) for i in range(100))
    assert ratio == pytest.approx(7.5 / 1.23, rel=0.06)  # of 100 iterations, where the paper has 100,000
    assert learning_rate(99, options()) == 8
    with pytest.raises(ValueError, match="batch must be positive, got 0"):
        options(batch=0)


def test_progress_is_logged_ten_times(noise, tmp_path, caplog):
    with caplog.at_level("INFO", logger=training.__name__):
        train(noise, tmp_path, iterations=11)
    done = [record.getMessage() for record in caplog.records if "loss" in record.getMessage()]
    assert len(done) == 10
    assert "iteration 11 of 11" in done[-1]


def test_images_of_different_shape_are_refused_by_name(tmp_path):
    writer, rng = Writer(tmp_path), np.random.default_rng(0)
    for case, shape in (("a", (16, 14, 30)), ("b", (16, 14, 31))):
        writer.image(case, rng.random(shape, dtype=np.float32), np.eye(4))
    write_description(tmp_path, Description(name="uneven", training=TrainingSplit(("a", "b")), test=()))  # unchecked
    with pytest.raises(ValueError, match=r"b has shape \(16, 14, 31\)"):
        sampler(open_dataset(tmp_path))


def test_data_with_nothing_to_learn_from_are_no_failure_of_a_method(make_dataset):
    options = LoopOptions(iterations=1, batch=1, learning_rate=1e-3)
    with pytest.raises(DataError, match="no training pairs; name one that has in its train_on"):
        sampling.make_sampler(make_dataset(), options, seed=0, multiple=2, device="cpu")
