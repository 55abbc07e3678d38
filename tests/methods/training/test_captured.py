"""Steps as CUDA graphs: what they are on the CPU, which steps can be recorded, and on a GPU that nothing changes."""

import pytest
import torch

from datasets.description import Pair
from methods import recursive
from methods.blocks.cascades import lesson as lessons
from methods.blocks.cascades.composition import build
from methods.blocks.cascades.distillation import Aldk, Distillation
from methods.blocks.initial import create
from methods.blocks.training import captured as graphs
from methods.blocks.training.sampling import Sampler

STEPS = 24
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_a_step_on_the_cpu_is_itself():
    def step(batch):
        return {}

    assert graphs.captured(step, {}, device="cpu") is step


@pytest.mark.parametrize(
    ("aldk", "kinds"),
    [
        # Every fourth step has a teacher; the first of them in each 25 iterations says how much the teacher gave.
        (Aldk(), {0: False, 3: None, 7: True, 11: True, 27: None, 28: False}),
        (Aldk(gp_input="random_mix"), {0: False, 7: None}),  # it draws numbers, which a replay would repeat
        (Aldk(turns="every_step"), {0: None, 1: True, 24: True, 25: None}),
    ],
)
def test_steps_of_a_kind_differ_by_their_batch_alone(aldk, kinds):
    taught = Distillation(aldk, 100, *[torch.nn.Identity()] * 3, {}, lambda result, batch: {})
    assert {iteration: taught.kind(iteration) for iteration in kinds} == kinds


def losses(aldk, monkeypatch, *, recorded):
    if not recorded:
        monkeypatch.setattr(lessons, "captured", lambda step, optimisers, **about: step)
    params = recursive.Params(base="ldr", stem="dense", channels=2)
    training = recursive.Training(iterations=100, batch=2, learning_rate=1e-3, aldk=aldk, precision="float32")
    model = create(lambda: build(params), seed=0, device="cuda").train()
    lesson = lessons.Lesson(model, model, training, False)
    teacher = create(lambda: build(params), seed=1, device="cuda").eval().requires_grad_(False)
    learner = lesson.taught(teacher, 0, "cuda") if aldk else lesson.alone()
    images = {case: torch.randint(256, (32, 16, 32), dtype=torch.uint8).cuda() for case in "ab"}
    sampler = Sampler(images, [Pair("a", "b"), Pair("b", "a")], training, 0, 1.0)
    return [float(learner.step(sampler.batch(each))["total"]) for each in range(STEPS)]


@CUDA
@pytest.mark.parametrize("aldk", [None, Aldk(disc_channels=2)])
def test_recorded_steps_learn_what_steps_learn(monkeypatch, aldk):
    torch.manual_seed(0)
    whole = losses(aldk, monkeypatch, recorded=True)
    torch.manual_seed(0)
    assert whole == pytest.approx(losses(aldk, monkeypatch, recorded=False), rel=1e-3)


@CUDA
def test_a_step_that_asks_for_a_value_is_taken_as_it_is(caplog):
    weight = torch.nn.Parameter(torch.ones(1, device="cuda"))
    images = {case: torch.zeros(16, 16, 16, dtype=torch.uint8, device="cuda") for case in "ab"}
    training = recursive.Training(iterations=100, batch=1)
    sampler = Sampler(images, [Pair("a", "b")], training, 0, 0.0)
    step = graphs.captured(lambda batch: {"total": weight * weight.item()}, {}, device="cuda")
    assert [step(sampler.batch(each))["total"].item() for each in range(6)] == [1.0] * 6
    assert "it is taken kernel by kernel" in caplog.text
