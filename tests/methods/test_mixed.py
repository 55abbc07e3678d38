"""``precision: mixed``: near float32 on weights that were trained, and refused where there is no bfloat16."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from datasets.case import Writer, open_dataset
from datasets.description import Description, TrainingSplit
from methods import progressive, recursive, swift
from methods.blocks import hardware
from methods.blocks.hardware import is_mixed
from methods.blocks.initial import create
from methods.blocks.layers import SameConv3d, SkipConv3d, UpConv3d
from tests.methods import calls
from workflows.configuration.config import SettingsError
from workflows.configuration.resolve import resolve
from workflows.planning import capacity

SHAPE = (16, 32, 16)
SPACING = (1.0, 1.5, 2.0)
HAS = hardware.lacks_bfloat16("cpu") == ""
needs_bfloat16 = pytest.mark.skipif(not HAS, reason="this CPU has no bfloat16 in hardware")


def blob(centre):
    """A smooth ball with a dent, brightest in the middle."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    radius = np.sqrt(np.square((grid - np.reshape(centre, (3, 1, 1, 1))) / np.reshape((4, 8, 4), (3, 1, 1, 1))).sum(0))
    return (1 / (1 + np.exp(4 * (radius - 1)))).astype(np.float32)


@pytest.fixture(scope="module")
def balls(tmp_path_factory):
    """Images that differ by a shift of several voxels."""
    folder = tmp_path_factory.mktemp("balls")
    writer, centres = Writer(folder), {"a": (6, 16, 8), "b": (9, 13, 7), "c": (8, 18, 9), "d": (7, 15, 8)}
    for case, centre in centres.items():
        writer.image(case, blob(centre), np.eye(4))
    writer.finish(Description(name="balls", training=TrainingSplit(tuple(centres)), test=()))
    return open_dataset(folder)


FAST = {"iterations": 40, "learning_rate": 1e-2, "batch": 1, "augmentation": 0.0}
NETWORKS = {
    "ldr": (recursive, {"base": "ldr", "cascades": 1, "channels": 8}, FAST),
    "rcn": (recursive, {"cascades": 1, "channels": 4, "scale": 1.0}, FAST),
    "swift": (swift, {"channels": 8, "depth": 1, "steps": (2, 2), "shrink": 2}, FAST),
    "u-net": (progressive, {"channels": 4, "levels": 3}, {"iterations": 20, "transition": 0, "duration": 0}),
}


@needs_bfloat16
@pytest.mark.parametrize("name", NETWORKS)
def test_mixed_registers_as_float32_does_with_trained_weights(name, balls, tmp_path):
    module, params, training = NETWORKS[name]
    path = calls.train(module, balls, tmp_path, **params, **training)
    load = partial(calls.load, module, checkpoint=path, **params)
    pair = [balls.image(case).array for case in ("a", "b")]
    exact, mixed = (load(precision=precision)(*pair, SPACING) for precision in ("float32", "mixed"))
    start = calls.load(module, **params)(*pair, SPACING)
    length, learned, difference = (np.linalg.norm(u, axis=0).mean() for u in (exact, exact - start, mixed - exact))
    assert learned > 0.02  # training changed more than the difference may be
    assert 0 < difference < max(0.02, 0.01 * length)


def leave_nan_in_memory():
    """What is allocated next and never written holds NaN, as far as the allocator gives it the same places."""
    blocks = [torch.full((size,), float("nan")) for size in (16, 64, 256, 1024, 4096, 20_000, 100_000)]
    del blocks


LAYERS = {
    "stride": lambda a, b: SameConv3d(a, b, stride=2),
    "kernel 4": lambda a, b: SameConv3d(a, b, 4, stride=2, slope=0.1),
    "same": SameConv3d,
    "up": UpConv3d,
    "up 2": lambda a, b: UpConv3d(a, b, 2),
    "skip": lambda a, b: SkipConv3d(a, 3, b, slope=0.1),
}


@needs_bfloat16
@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=20)
@given(
    n=st.integers(1, 2),
    channels=st.tuples(*[st.sampled_from([1, 3, 8, 16, 32])] * 2),
    shape=st.tuples(*[st.sampled_from([1, 2, 3, 8])] * 3),
)
def test_mixed_layers_read_no_memory_that_nobody_wrote(name, n, channels, shape):
    layer = create(partial(LAYERS[name], *channels), seed=0, device="cpu")
    inputs = [torch.randn(n, channels[0], *shape)]
    inputs += [torch.randn(n, 3, *(2 * size for size in shape))] if name == "skip" else []
    packed, results = layer.packed(torch.bfloat16), []
    for _ in range(3):
        leave_nan_in_memory()
        asked = [each.requires_grad_() for each in inputs]
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(*asked)
        learned = torch.autograd.grad(y.float().square().sum(), [*asked, *layer.parameters()])
        with torch.inference_mode():
            leave_nan_in_memory()
            results.append([y.detach().clone(), *learned, packed(*inputs)])
    exact = layer(*inputs).detach()
    for again in results:
        for value, first in zip(again, results[0], strict=True):
            assert torch.equal(value, first)
        for value in (again[0], again[-1]):
            torch.testing.assert_close(value.float(), exact, rtol=0.02, atol=0.02 * float(exact.abs().max()))


@needs_bfloat16
@pytest.mark.parametrize("module", [recursive, progressive], ids=["recursive", "progressive"])
def test_a_mixed_training_moves_the_weights_as_float32_does(module, balls, tmp_path):
    options = {"channels": 4, "iterations": 5, "batch": 1, "schedule": "constant", "learning_rate": 1e-3}
    options |= {"cascades": 1, "scale": 1.0} if module is recursive else {"levels": 3, "transition": 0, "duration": 0}
    paths = [calls.train(module, balls, tmp_path / name, **options, precision=name) for name in ("float32", "mixed")]
    single, mixed = map(load_file, paths)
    again = load_file(calls.train(module, balls, tmp_path / "again", **options, precision="mixed"))
    assert all(torch.equal(value, mixed[name]) for name, value in again.items())
    assert {value.dtype for value in mixed.values()} <= {torch.float32, torch.int64}
    gap = {name: float((mixed[name] - single[name]).abs().max()) for name in single}
    assert 0 < max(gap.values()) < 0.02


@pytest.mark.parametrize(
    ("lines", "lacking"),
    [
        ("processor : 0\nflags : fpu sse2 avx512f avx512_bf16", False),
        ("flags\t\t: fpu amx_bf16 amx_tile", False),
        ("Features : fp asimd bf16", False),
        ("model name : avx512_bf16 by name\nflags : fpu avx2 avx512f", True),
        ("", True),
    ],
)
def test_the_cpu_says_whether_it_has_bfloat16(lines, lacking, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(lines)
    monkeypatch.setattr(hardware, "CPU", tmp_path / "cpuinfo")
    assert bool(hardware.lacks_bfloat16("cpu")) == lacking
    assert is_mixed("auto", "cpu") is False
    assert is_mixed("auto", "cuda") is True
    if lacking:
        with pytest.raises(ValueError, match=r"mixed cannot be had here .*write `precision: float32`"):
            is_mixed("mixed", "cpu")
    else:
        assert is_mixed("mixed", "cpu") is True


def test_a_cpu_that_does_not_say_what_it_has_lacks_it(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "CPU", tmp_path / "nothing")
    assert "does not say" in hardware.lacks_bfloat16("cpu")


@pytest.mark.parametrize("place", ["params", "training"])
def test_a_configuration_is_refused_before_work(place, tmp_path, monkeypatch):
    run = {"datasets": ["phantom-liver"], "methods": ["ldr-1"]}
    asked = resolve({"run": run, "methods": {"ldr-1": {place: {"precision": "mixed"}}}})
    (tmp_path / "cpuinfo").write_text("flags : avx2")
    monkeypatch.setattr(hardware, "CPU", tmp_path / "cpuinfo")
    with pytest.raises(SettingsError, match=f"ldr-1: {place} on phantom-liver: precision: mixed cannot be had here"):
        capacity.check(asked)
    (tmp_path / "cpuinfo").write_text("flags : avx512_bf16")
    capacity.check(asked)
