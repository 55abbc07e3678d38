"""Students trained whole: what their weights depend on, whose draws are whose, and a training that is interrupted."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from methods import recursive
from methods.blocks.cascades.composition import Composition, build
from methods.blocks.cascades.discriminator import build_discriminator
from methods.blocks.cascades.distillation import Aldk
from methods.blocks.initial import create
from methods.blocks.training import loop
from methods.blocks.training.checkpoint import newest_state, save_weights
from tests.methods import calls

pytestmark = pytest.mark.usefixtures("one_thread")


def teach(noise, folder, seed):
    options = {"channels": 2, "scale": 0.5, "iterations": 2, "batch": 2, "learning_rate": 1e-3}
    return calls.train(recursive, noise, folder, device="cpu", seed=seed, **options)


@pytest.fixture(scope="module")
def teacher(noise, tmp_path_factory):
    return teach(noise, tmp_path_factory.mktemp("teacher"), 0)


SMALL = {"base": "ldr", "stem": "dense", "channels": 2, "iterations": 9, "batch": 2, "learning_rate": 1e-2}


def train(noise, folder, teacher, seed=0, **options):
    aldk = Aldk(**{"disc_channels": 2, "gp_input": "random_mix", **options})
    common = {"device": "cpu", "seed": seed, "teacher": teacher, "aldk": aldk, "checkpoint_every": 2}
    return calls.train(recursive, noise, folder, **common, **SMALL)


@pytest.mark.parametrize("at", [3, 6])
def test_an_interrupted_student_continues_bit_for_bit(noise, teacher, tmp_path, monkeypatch, at):
    whole = train(noise, tmp_path / "whole", teacher).read_bytes()
    iterate = loop._iterate

    def broken(learner, sampler, iteration):
        row = iterate(learner, sampler, iteration)
        if iteration == at:
            raise KeyboardInterrupt
        return row

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_iterate", broken)
        with pytest.raises(KeyboardInterrupt):
            train(noise, tmp_path / "cut", teacher)
    assert train(noise, tmp_path / "cut", teacher).read_bytes() == whole
    rows = [json.loads(line) for line in (tmp_path / "cut" / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["iteration"] for row in rows if "adversarial" in row] == [3, 7]


def test_the_student_depends_on_objective_and_teacher_but_on_none_as_released(noise, teacher, tmp_path):
    other = teach(noise, tmp_path / "other", 1)

    def student(objective, teacher):
        folder = tmp_path / f"{objective}-{teacher.parent.name}"
        return load_file(train(noise, folder, teacher, objective=objective))

    def same(one, two):  # not the files: their headers name objective and teacher
        return all(torch.equal(tensor, two[name]) for name, tensor in one.items())

    first = student("eq7_minimax", teacher)
    assert not same(first, student("flow_l2", teacher))
    assert not same(first, student("eq7_minimax", other))
    assert same(student("released_noop", teacher), student("released_noop", other))


@pytest.mark.parametrize("objective", ["eq7_minimax", "flow_l2"])
def test_cut_off_a_student_depends_on_no_teacher_and_without_weights_is_the_plain_one(
    noise, teacher, tmp_path, objective
):
    """With gamma 1 the base loss has its whole weight in every step, and nothing is left that tells it from LDR."""
    common = {"device": "cpu", "seed": 0, "checkpoint_every": 2}
    plain = load_file(calls.train(recursive, noise, tmp_path / "plain", **common, **SMALL))

    def weights(name, teacher, **options):
        return load_file(train(noise, tmp_path / name, teacher, objective=objective, **options))

    def same(one, two):
        return one.keys() == two.keys() and all(torch.equal(tensor, two[name]) for name, tensor in one.items())

    cut = weights("cut", teacher, cut=True)
    assert same(cut, weights("other", teach(noise, tmp_path / "teacher", 1), cut=True))
    assert not same(cut, weights("whole", teacher))
    assert not same(cut, plain)  # which sees no gamma
    assert same(weights("gamma", teacher, cut=True, gamma=1.0), plain)
    assert same(weights("zero", teacher, gamma=1.0), plain)  # a gradient of zero is as good as none


def test_a_teacher_and_aldk_go_together(noise, teacher, tmp_path):
    for only in ({"teacher": teacher}, {"aldk": Aldk()}):
        with pytest.raises(ValueError, match="aldk and a teacher go together"):
            calls.train(recursive, noise, tmp_path, device="cpu", seed=0, **only, **SMALL)


def test_the_discriminator_is_drawn_from_the_seed_but_not_as_the_student(noise, teacher, tmp_path):
    def drawn(seed):
        train(noise, tmp_path / str(seed), teacher, seed=seed, objective="frozen_features")
        return newest_state(tmp_path / str(seed))["modules"]["discriminator"]["layers.0.weight"]

    def kernels(build, seed):
        return next(create(build, seed=seed, device="cpu").parameters()).detach().flatten()

    def likeness(one, two):
        n = min(one.numel(), two.numel())
        return abs(np.corrcoef(one.flatten()[:n], two.flatten()[:n])[0, 1])

    composition = Composition(base="ldr", stem="dense", channels=SMALL["channels"])
    student = kernels(lambda: build(composition), 0)
    same = kernels(lambda: build_discriminator("paper_text", "mean_sigmoid", 2), 0)
    assert likeness(same, student) > 0.99  # what one stream would give
    assert likeness(drawn(0), student) < 0.5
    assert likeness(drawn(0), drawn(1)) < 0.5


def test_a_checkpoint_of_another_method_is_no_teacher(noise, tmp_path):
    path = save_weights(tmp_path / "w.safetensors", nn.Linear(1, 1), {"method": "voxelmorph", "params": {}})
    with pytest.raises(ValueError, match=r"w\.safetensors: a teacher must be a network of .*recursive.*'voxelmorph'"):
        train(noise, tmp_path / "run", path)
