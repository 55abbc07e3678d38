"""Registrations and updates of the weights beside plain networks written apart (`tests.peers`), at full width.

Arrays in memory to a displacement in memory. The peers are eager PyTorch in its default memory order, in
`inference_mode`. Where the processor has bfloat16, ours is timed in mixed precision too, beside the same peer in single
precision and beside it under `torch.autocast`.
"""

import copy
from functools import cache, partial

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.speed import threads
from benchmarks.speed.duel import Contestant, run
from benchmarks.speed.measurement import Subject, Work
from datasets.description import Pair

torch = pytest.importorskip("torch")
recursive = pytest.importorskip("methods.recursive")
progressive = pytest.importorskip("methods.progressive")
voxelmorph = pytest.importorskip("methods.voxelmorph")
augmentation = pytest.importorskip("methods.blocks.training.augmentation")
sampling = pytest.importorskip("methods.blocks.training.sampling")
cost = pytest.importorskip("methods.blocks.cost")
initial = pytest.importorskip("methods.blocks.initial")
precision = pytest.importorskip("methods.blocks.precision")
registering = pytest.importorskip("methods.blocks.registration")
peers = pytest.importorskip("tests.peers.cascade")
unet = pytest.importorskip("tests.peers.unet")
weights = pytest.importorskip("tests.peers.weights")

REGISTERED, TRAINED = (128, 128, 128), (64, 64, 64)
SPACING = (1.0, 1.0, 1.0)
NAME = "plain PyTorch"
BFLOAT16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
CASCADES = {
    "RCN-3": (recursive.Params(cascades=3), partial(peers.rcn, 3)),
    "LDR-3": (recursive.Params(base="ldr", cascades=3), partial(peers.ldr, 3)),
    "LDR-1": (recursive.Params(base="ldr", cascades=1), partial(peers.ldr, 1)),
}


@cache
def images(shape):
    """Two smooth images in [0, 1]."""
    bent = augmentation.random_displacement(2, shape, torch.Generator().manual_seed(0))[:, 0].numpy()
    return (bent - bent.min()) / np.ptp(bent)


def eager(network, forward=lambda network, *images: network(*images)):
    """A plain registration by a network: arrays to an array."""

    def call(fixed, moving):
        with torch.inference_mode():
            pair = [torch.from_numpy(image)[None, None] for image in (fixed, moving)]
            return forward(network, *pair)[0].float().numpy()

    return call


def close(ours, theirs):
    """The same but for rounding, next to the longest displacement."""
    assert np.abs(ours).max() > 0
    assert_allclose(theirs, ours, atol=2e-3 * np.abs(ours).max())


def nearly(ours, theirs):
    """The same but for convolutions in bfloat16, with 8 bits of mantissa."""
    assert np.abs(theirs - ours).mean() < 0.03 * np.abs(ours).mean()


def autocast(call):
    """A plain call under torch's own choice of what to compute in bfloat16."""

    def cast():
        with torch.autocast("cpu", torch.bfloat16):
            return call()

    return cast


def duel(benchmark, subject, ours, theirs, mixed):
    """Time ours beside a plain peer, and where the processor has bfloat16 both in mixed precision too."""
    others = [Contestant(theirs, NAME)]
    if BFLOAT16:
        others.append(Contestant(mixed, precision="mixed", same=nearly))
        cast = Contestant(lambda: autocast(theirs()), f"{NAME}, autocast", precision="mixed", same=nearly)
        others.append(cast)
    run(benchmark, subject, ours, others=others, same=close)


def registering_work(build):
    """Two images and the weights come in, a displacement goes out; convolutions alone are counted as arithmetic."""
    needed = cost.registration_cost(build, REGISTERED)
    voxels = int(np.prod(REGISTERED))
    return Work(flops=2 * needed["macs"], bytes=4 * (needed["parameters"] + 5 * voxels))


def step_work(build):
    """Each convolution once forward and twice back; Adam reads four values a weight and writes three.

    A value of a gradient is written once and a weight read twice before that.
    """
    needed = cost.registration_cost(build, TRAINED)
    return Work(flops=3 * 2 * needed["macs"], bytes=4 * (4 + 3 + 1 + 2) * needed["parameters"])


def drawn(params, seed=0):
    """A cascade as a training begins, with heads that move something."""
    network = initial.create(partial(recursive.build, params), seed=seed, device="cpu").eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "displacement" in name and weight.ndim == 5 and weight.std() < 1e-4:
                weight.mul_(3e4)
    return network


@pytest.mark.parametrize("name", ["RCN-3", "LDR-3"])
def test_cascade(benchmark, count, name, tmp_path):
    params, plain = CASCADES[name]
    network = drawn(params)
    pair = images(REGISTERED)
    ours = registration(recursive, params, network, tmp_path)

    def theirs():
        peer = plain().eval()
        weights.copy_weights(network, peer)
        return partial(eager(peer, lambda network, *pair: network(*pair)[0]), *pair)

    def mixed():
        packed = registering.prepared(copy.deepcopy(network), "cpu", mixed=True)
        predict = partial(packed.displacement, mixed=True)
        return partial(registering.register, *pair, SPACING, predict=predict, device="cpu", multiple=16)

    subject = Subject(f"{name} registers", REGISTERED, count, registering_work(partial(recursive.build, params)))
    duel(benchmark, subject, partial(ours, *pair, SPACING), theirs, mixed)


def registration(module, params, network, folder):
    """Our registration by the weights of a network, loaded as a user's are."""
    about = {**module._about(params), "run": {}}
    path = recursive.save_weights(folder / "weights.safetensors", network, about)
    return module.load(params, device="cpu", seed=0, checkpoint=path)


def test_unet(benchmark, tmp_path):
    params = progressive.Params(sigma=None)
    network = initial.create(partial(progressive.UNet, params), seed=0, device="cpu", fill=initial.glorot).eval()
    pair = images(REGISTERED)
    ours = registration(progressive, params, network, tmp_path)

    def theirs():
        peer = unet.UNet().eval()
        weights.copy_weights(network, peer)
        return partial(eager(peer), *pair)

    def mixed():
        packed = registering.prepared(copy.deepcopy(network), "cpu", mixed=True)

        def predict(fixed, moving):
            with precision.mixed_precision(fixed, on=True):
                return packed(fixed, moving)

        return partial(registering.register, *pair, SPACING, predict=predict, device="cpu", multiple=16)

    work = registering_work(partial(progressive.UNet, params))
    subject = Subject("progressive U-Net registers", REGISTERED, threads.cores(), work)
    duel(benchmark, subject, partial(ours, *pair, SPACING), theirs, mixed)


def test_voxelmorph(benchmark, count):
    """Ours is the package's network inside our registration; the peer is the package as it comes."""
    pair = images(REGISTERED)
    ours = voxelmorph.load(
        voxelmorph.Params(network="package", integration_steps=5, integration_downsize=1), device="cpu", seed=0
    )

    def theirs():
        from voxelmorph.nn.models import VxmPairwise

        torch.manual_seed(0)
        network = VxmPairwise(3, 1, 1, nb_features=[16] * 5, integration_steps=5).eval()
        return partial(eager(network, lambda network, fixed, moving: network(moving, fixed)), *pair)

    subject = Subject("VoxelMorph registers", REGISTERED, count)
    run(
        benchmark,
        subject,
        partial(ours, *pair, SPACING),
        others=[Contestant(theirs, "VoxelMorph's package")],
        same=close,
    )


@pytest.mark.parametrize("name", ["LDR-1", "RCN-3"])
def test_step(benchmark, count, name):
    params, plain = CASCADES[name]
    fixed, moving = (torch.from_numpy(image)[None, None] for image in images(TRAINED))
    batch = sampling.Batch(0, (Pair("a", "b"),), fixed, moving, moving, torch.Generator())

    def ours(mixed):
        network = drawn(params).train()
        training = recursive.Training(batch=1, precision="mixed" if mixed else "float32")
        learner = recursive.Lesson(network, network, training, mixed).alone()
        return lambda: float(learner.step(batch)["total"])

    def theirs():
        peer = plain().train()
        weights.copy_weights(drawn(params), peer)
        optimiser = torch.optim.Adam(peer.parameters(), lr=recursive.Training().learning_rate)
        return lambda: plain_step(peer, optimiser, fixed, moving)

    others = [Contestant(theirs, NAME)]
    if BFLOAT16:
        others.append(Contestant(partial(ours, True), precision="mixed", same=partial(assert_allclose, rtol=0.05)))
    subject = Subject(f"{name}, one step of training", TRAINED, count, step_work(partial(recursive.build, params)))
    run(benchmark, subject, ours(False), others=others, same=partial(assert_allclose, rtol=1e-4))


def plain_step(network, optimiser, fixed, moving):
    """One update of the weights, and the loss before it."""
    value = peers.loss(network, fixed, moving)
    optimiser.zero_grad()
    value.backward()
    optimiser.step()
    return value.item()
