"""The loss on validation pairs, beside that on training pairs: when it is looked at, of what, and with what effect."""

import json
from itertools import permutations

import numpy as np
import pytest
import torch

from datasets.case import Writer, open_dataset
from datasets.description import Description, Pair, TrainingSplit
from datasets.files import DataError
from methods import progressive, recursive, swift, voxelmorph
from methods.blocks.initial import create
from methods.blocks.training.checkpoint import load_checkpoint
from methods.blocks.training.sampling import validation_batches
from methods.blocks.training.settings import LoopOptions
from methods.blocks.training.unseen import evaluating, unseen_loss
from tests.methods import calls

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (32, 16, 32)
LEARNERS = {
    "recursive": (recursive, {"base": "ldr", "stem": "dense", "channels": 2}),
    "swift": (swift, {"train_shrink": 1, "shrink": 1}),
    "voxelmorph": (voxelmorph, {"channels": 2}),
    "progressive": (progressive, {"channels": 2, "levels": 2, "transition": 1, "duration": 2, "maps": 0}),
}
QUICK = {"iterations": 5, "batch": 1, "learning_rate": 1e-3, "checkpoint_every": 2}


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Two subjects to learn from and two to look at; anisotropic voxels."""
    folder, rng = tmp_path_factory.mktemp("halves"), np.random.default_rng(3)
    writer = Writer(folder)
    for case in ("a", "b", "v", "w"):
        writer.image(case, rng.random(SHAPE, dtype=np.float32), np.diag([1.0, 2.0, 1.5, 1.0]))
    pairs = tuple(Pair(*pair) for pair in permutations("vw", 2))
    writer.finish(Description(name="halves", training=TrainingSplit(("a", "b")), test=(), validation=pairs))
    return open_dataset(folder)


def curve(folder):
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", LEARNERS)
def test_it_is_looked_at_every_so_many_updates_and_after_the_last(halves, tmp_path, name):
    module, own = LEARNERS[name]
    every, never = (
        calls.train(module, halves, tmp_path / str(gap), device="cpu", seed=0, **QUICK, **own, validate_every=gap)
        for gap in (2, 0)
    )
    looked = {row["iteration"] + 1: row["validation"] for row in curve(tmp_path / "2") if "validation" in row}
    assert list(looked) == [2, 4, 5]
    assert all(np.isfinite(list(looked.values())))
    assert not any("validation" in row for row in curve(tmp_path / "0"))
    # To look changes nothing.
    one, two = (torch.cat([v.flatten() for v in weights(path).values()]) for path in (every, never))
    assert torch.equal(one, two)


def weights(path):
    from safetensors.torch import load_file

    return load_file(path)


def test_it_is_the_registration_loss_of_the_pairs_as_they_are(halves, tmp_path):
    _, own = LEARNERS["recursive"]
    path = calls.train(recursive, halves, tmp_path, device="cpu", seed=0, **QUICK, **own, validate_every=5)
    params = recursive.Params(**own)
    model = create(lambda: recursive.build(params), seed=1, device="cpu")
    load_checkpoint(path, model, expected={})
    losses = []
    for fixed, moving in permutations("vw", 2):
        a, b = (
            torch.from_numpy(np.round(halves.image(case).array * 255) / 255)[None, None] for case in (fixed, moving)
        )
        with torch.no_grad():
            result = model(a, b)
        [stage] = result.stages[1:]
        r = np.corrcoef(a.flatten(), result.warped.flatten())[0, 1]
        own_fields = [s.own for s in (result.stages[0], stage)]
        smooth = sum(
            0.5 * sum(float(u.diff(dim=axis).square().sum()) for axis in (2, 3, 4)) / u.numel() for u in own_fields
        )
        losses.append(1 - r + smooth)
    assert curve(tmp_path)[-1]["validation"] == pytest.approx(np.mean(losses), rel=1e-4)


def test_it_is_told_by_networks_that_evaluate_and_go_on_learning(halves):
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    before = model[0].running_mean.clone()
    seen = []

    def loss(batch, done):
        seen.append((model.training, torch.is_grad_enabled(), done))
        return model(batch).square().mean()

    look = unseen_loss(model, [torch.ones(3, 2), 2 * torch.ones(3, 2)], loss)
    assert look(7) == pytest.approx((1 + 4) / 2, rel=1e-4)
    assert seen == [(False, False, 7)] * 2
    assert model.training
    assert torch.equal(model[0].running_mean, before)
    assert unseen_loss(model, [], loss) is None


def test_a_model_learns_again_after_an_error():
    model = torch.nn.Linear(1, 1)
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert model.training


@pytest.mark.parametrize("name", LEARNERS)
def test_data_without_validation_subjects_are_refused_before_any_update(noise, tmp_path, name):
    module, own = LEARNERS[name]
    with pytest.raises(DataError, match="no validation split to look at; leave validate_every at 0"):
        calls.train(module, noise, tmp_path, device="cpu", seed=0, **QUICK, **own, validate_every=2)
    assert not (tmp_path / "curve.jsonl").exists()


def test_batches_are_the_pairs_in_order(halves):
    batches = validation_batches(halves, LoopOptions(validate_every=1), multiple=16, device="cpu")
    assert [batch.names for batch in batches] == ["v__w", "w__v"]
    assert torch.equal(batches[0].fixed, batches[1].moving)
    assert batches[0].moving is batches[0].plain
    assert validation_batches(halves, LoopOptions(), multiple=16, device="cpu") == []


def test_a_negative_gap_is_refused():
    with pytest.raises(ValueError, match="validate_every"):
        LoopOptions(validate_every=-1)


def chosen(halves, folder, monkeypatch, losses, **options):
    """Train with made-up losses on validation pairs; return the weights after each update, and those that are kept."""
    seen, told = [], iter(losses)

    def look(model, batches, loss):
        def told_next(done):
            seen.append({name: value.clone() for name, value in model.state_dict().items()})
            return next(told)

        return told_next

    monkeypatch.setattr("methods.blocks.cascades.lesson.unseen_loss", look)
    _, own = LEARNERS["recursive"]
    path = calls.train(recursive, halves, folder, device="cpu", seed=0, **QUICK, **own, validate_every=1, **options)
    return seen, weights(path)


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_best_weights_are_kept_where_that_is_asked_for(halves, tmp_path, monkeypatch):
    losses = [0.5, 0.3, 0.4, 0.3, 0.6]
    seen, kept = chosen(halves, tmp_path / "best", monkeypatch, losses, checkpoint="best")
    assert same(kept, seen[1])  # the first of two that are equal
    assert not same(kept, seen[-1])
    assert [row["best"] for row in curve(tmp_path / "best")] == [1, 2, 2, 2, 2]
    seen, kept = chosen(halves, tmp_path / "last", monkeypatch, losses)
    assert same(kept, seen[-1])
    assert not any("best" in row for row in curve(tmp_path / "last"))


def test_a_resumed_training_knows_the_best_weights_so_far(halves, tmp_path, monkeypatch):
    class StoppedError(Exception):
        pass

    def stopping():
        yield from [0.2, 0.9, 0.8]
        raise StoppedError

    with pytest.raises((StoppedError, RuntimeError)):
        chosen(halves, tmp_path, monkeypatch, stopping(), checkpoint="best")
    _, kept = chosen(halves, tmp_path, monkeypatch, [0.8, 0.7, 0.6], checkpoint="best")  # from the state of update 2
    whole, _ = chosen(halves, tmp_path / "whole", monkeypatch, [0.2, 0.9, 0.8, 0.7, 0.6], checkpoint="best")
    assert same(kept, whole[0])


def test_the_best_weights_need_something_to_be_best_on():
    with pytest.raises(ValueError, match="checkpoint: best needs validation pairs"):
        LoopOptions(checkpoint="best")
