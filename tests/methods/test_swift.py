"""Swift: its size by formula, what it sees, how it learns alone and from a teacher, and any grid."""

from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import load_file

from datasets import geometry
from datasets.case import Writer, open_dataset
from datasets.description import Description, TrainingSplit
from methods import recursive, swift
from methods.blocks.cascades.composition import Composition, build
from methods.blocks.cascades.distillation import Aldk
from methods.blocks.cascades.swift import Design, Swift, force
from methods.blocks.initial import create
from methods.blocks.registration import prepared
from methods.blocks.training.checkpoint import CheckpointError, load_checkpoint, read_metadata, save_weights
from tests.methods import calls

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE, SPACING = (32, 24, 40), (2.0, 1.5, 2.5)
SMALL = {"channels": 4, "depth": 1, "steps": (2, 1), "shrink": 2}
FAST = {"iterations": 60, "batch": 2, "learning_rate": 1e-2, "augmentation": 0.0, "checkpoint_every": 60}


def ball(centre, shape=SHAPE):
    """A smooth bright ball."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    return (1 / (1 + np.exp(np.linalg.norm(grid - np.reshape(centre, (3, 1, 1, 1)), axis=0) - 7))).astype(np.float32)


CENTRES = {"a": (14, 12, 22), "b": (18, 11, 19), "c": (15, 14, 18)}


@pytest.fixture(scope="module")
def balls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("balls")
    writer = Writer(folder)
    for case, centre in CENTRES.items():
        writer.image(case, ball(centre), np.diag([*SPACING, 1.0]))
    writer.finish(Description(name="balls", training=TrainingSplit(tuple(CENTRES)), test=()))
    return open_dataset(folder)


def drawn(design, shrink=2, *, seed=0):
    """A network whose heads move something."""
    model = create(partial(Swift, design, shrink), seed=seed, device="cpu").eval()
    with torch.no_grad():
        for look in model.looks:
            look.move.weight.mul_(3e4)
    return model


@pytest.mark.parametrize("options", [{}, {"channels": 8, "depth": 3, "steps": (1, 4), "shrink": 2}])
def test_size_is_that_of_the_formula(options):
    params = swift.Params(**options)
    c, depth, levels = params.channels, params.depth, len(params.steps)
    sizes = [c * (5 * 64 + 1), depth * c * (27 * c + 1), 3 * (27 * c + 1)]
    macs = 5 * 64 * c + depth * 27 * c * c + 3 * 27 * c
    cells = [(128 // (2 * params.shrink)) ** 3 // 8 ** (levels - 1 - level) for level in range(levels)]
    found = swift.cost((128, 128, 128), params)
    assert found["parameters"] == levels * sum(sizes)
    assert found["macs"] == macs * sum(n * steps for n, steps in zip(cells, params.steps, strict=True))
    assert swift.cost((127, 128, 125), params) == found  # zeros up to the next multiple are counted
    assert found["full_parameters"] == swift.cost((128, 128, 128), swift.full(params))["parameters"]


class TestForce:
    def ramps(self, gap, slopes=(0.02, -0.01, 0.03)):
        grid = torch.stack(torch.meshgrid(*map(torch.arange, (9, 7, 8)), indexing="ij")).float()
        image = (grid * torch.tensor(slopes).view(3, 1, 1, 1)).sum(0)[None, None]
        return image + gap, image, torch.tensor(slopes)

    @pytest.mark.parametrize("gap", [0.01, -0.2])
    def test_of_ramps_is_the_closed_form(self, gap):
        fixed, warped, slope = self.ramps(gap)
        expected = gap * slope / (slope.square().sum() + gap**2 + 1e-3)
        inner = force(fixed, warped)[0, :, 1:-1, 1:-1, 1:-1]
        assert_allclose(inner, expected.view(3, 1, 1, 1).expand_as(inner), rtol=1e-4)

    def test_points_to_what_is_missing_and_is_never_longer_than_half_a_voxel(self):
        fixed, moving = (torch.from_numpy(ball(CENTRES[case]))[None, None] for case in "ab")
        found = force(fixed, moving)
        assert float(found.square().sum(1).max()) <= 0.25
        inside = found[0, :, 8:24, 4:20, 12:30].mean((1, 2, 3))
        # Pull-back: fixed is moving read further along where moving has its ball further along.
        assert torch.equal(inside.sign(), torch.tensor(CENTRES["b"]).sub(torch.tensor(CENTRES["a"])).sign().float())


def test_the_packed_network_registers_as_the_plain_one():
    images = [torch.from_numpy(ball(CENTRES[case]))[None, None] for case in "ab"]
    design = Design(channels=8, depth=2, steps=(2, 2))
    with torch.inference_mode():
        plain = drawn(design).displacement(*images)
        packed = prepared(drawn(design), "cpu").displacement(*images)
    assert float(plain.abs().max()) > 1
    assert_allclose(packed, plain, atol=1e-3 * float(plain.abs().max()))


def test_sees_the_averages_of_its_images_alone():
    """So it can learn on images that were averaged before."""
    design = Design(channels=4, depth=1, steps=(1, 2))
    images = [torch.from_numpy(ball(CENTRES[case]))[None, None] for case in "ab"]
    small = [torch.nn.functional.avg_pool3d(image, 2) for image in images]
    with torch.inference_mode():
        whole, half = drawn(design, 2).controls(*images), drawn(design, 1).controls(*small)
    assert float(whole.abs().max()) > 1
    assert torch.equal(whole, 2 * half)


def test_a_grid_that_is_no_multiple_is_that_with_zeros_at_its_end(balls, tmp_path):
    path = calls.train(swift, balls, tmp_path, **SMALL, **FAST)
    register = calls.load(swift, checkpoint=path, **SMALL)
    cut = [np.ascontiguousarray(ball(CENTRES[case])[:27, :21, :33]) for case in "ab"]
    u = register(*cut, SPACING)
    padded = register(*(np.pad(image, [(0, 5), (0, 3), (0, 7)]) for image in cut), SPACING)
    assert u.shape == (3, 27, 21, 33)
    assert_allclose(u, padded[:, :27, :21, :33], atol=1e-5)


def test_learns_to_lay_one_ball_on_another_without_folds(balls, tmp_path):
    path = calls.train(swift, balls, tmp_path, **SMALL, **FAST)
    fixed, moving = ball(CENTRES["a"]), ball(CENTRES["b"])
    u = calls.load(swift, checkpoint=path, **SMALL)(fixed, moving, SPACING)
    before, after = (np.square(image - fixed).mean() for image in (moving, geometry.warp(moving, u)))
    assert after < 0.35 * before
    assert geometry.jacobian_determinant(u).min() > 0


def test_learns_at_a_finer_grid_than_it_sees(balls, tmp_path):
    fine = {**FAST, "iterations": 2}
    coarse = calls.train(swift, balls, tmp_path / "coarse", **SMALL, **fine)
    whole = calls.train(swift, balls, tmp_path / "fine", train_shrink=1, **SMALL, **fine)
    assert coarse.read_bytes() != whole.read_bytes()
    assert calls.load(swift, checkpoint=whole, **SMALL)(ball((14, 12, 22)), ball((18, 11, 19)), SPACING).any()
    for shrink in (3, 4):
        with pytest.raises(ValueError, match=f"train_shrink must divide the network's shrink, 2, got {shrink}"):
            calls.train(swift, balls, tmp_path / "other", train_shrink=shrink, **SMALL, **fine)


@pytest.fixture(scope="module")
def teacher(balls, tmp_path_factory):
    options = {"base": "ldr", "stem": "dense", "channels": 4, "shrink": 2, **FAST}
    return calls.train(recursive, balls, tmp_path_factory.mktemp("teacher"), **options)


class TestTeacher:
    def test_draws_the_student_to_its_displacement(self, balls, teacher, tmp_path):
        aldk = Aldk(objective="flow_l2", gamma=0.0, turns="every_step")
        path = calls.train(swift, balls, tmp_path, teacher=teacher, aldk=aldk, **SMALL, **FAST)
        pair = ball(CENTRES["a"]), ball(CENTRES["b"]), SPACING
        wanted = calls.load(recursive, checkpoint=teacher, base="ldr", stem="dense", channels=4, shrink=2)(*pair)
        found, alone = (calls.load(swift, checkpoint=each, **SMALL)(*pair) for each in (path, None))
        before, after = (np.square(u - wanted).mean() for u in (alone, found))
        assert before > 0.1
        assert after < 0.5 * before

    def test_sees_what_it_learned_from_unless_told_otherwise(self, balls, teacher, tmp_path):
        options = {**SMALL, "shrink": 4, "iterations": 2, "batch": 1, "aldk": Aldk(turns="every_step", disc_channels=2)}

        def weights(name, **more):
            return load_file(calls.train(swift, balls, tmp_path / name, teacher=teacher, **options, **more))

        usual, same, whole = weights("usual"), weights("same", train_shrink=2), weights("whole", train_shrink=1)
        assert all(torch.equal(tensor, same[name]) for name, tensor in usual.items())
        assert not all(torch.equal(tensor, whole[name]) for name, tensor in usual.items())

    def test_that_does_not_say_what_it_learned_from_needs_it_said(self, balls, teacher, tmp_path):
        about = {**read_metadata(teacher), "run": {}}
        network = create(partial(build, Composition(**about["params"])), seed=0, device="cpu")
        load_checkpoint(teacher, network, expected={})
        mute = save_weights(tmp_path / "mute.safetensors", network, about)
        with pytest.raises(CheckpointError, match="does not say its shrink; name it as train_shrink"):
            calls.train(swift, balls, tmp_path, teacher=mute, aldk=Aldk(), **SMALL, **FAST)

    def test_and_aldk_go_together(self, balls, teacher, tmp_path):
        for only in ({"teacher": teacher}, {"aldk": Aldk()}):
            with pytest.raises(ValueError, match="aldk and a teacher go together"):
                calls.train(swift, balls, tmp_path, **only, **SMALL, **FAST)

    def test_is_no_student(self, balls, tmp_path):
        student = calls.train(swift, balls, tmp_path / "student", **SMALL, **{**FAST, "iterations": 1})
        with pytest.raises(CheckpointError, match=r"must be a network of methods/recursive.py, got 'swift'"):
            calls.train(swift, balls, tmp_path / "other", teacher=student, aldk=Aldk(), **SMALL, **FAST)


def test_weights_of_another_design_are_refused(balls, tmp_path):
    path = calls.train(swift, balls, tmp_path, **SMALL, **{**FAST, "iterations": 1})
    with pytest.raises(CheckpointError, match=r"params is .*; train this network anew"):
        calls.load(swift, checkpoint=path, **{**SMALL, "depth": 2})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels must be positive, got 0"),
        ({"depth": -1}, "depth must not be negative, got -1"),
        ({"shrink": 0}, "shrink must be positive, got 0"),
        ({"steps": ()}, r"steps must be one number or more, each at least 1, got \(\)"),
        ({"steps": (2, 0)}, r"steps must be one number or more, each at least 1, got \(2, 0\)"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        swift.Params(**options)
