"""The student that keeps the promise of 21 times: `methods.swift` beside RCN with 3 cascades, arrays to displacement.

Two different networks, so no result agrees with the other; both have to give a displacement of the pair's grid. RCN is
timed as it registers here, with packed layers, and as plain eager modules written apart (`tests.peers`). Weights, drawn
here, change no time.
"""

from functools import partial

import numpy as np
import pytest

from benchmarks.speed.duel import Contestant, run
from benchmarks.speed.measurement import Subject

torch = pytest.importorskip("torch")
swift = pytest.importorskip("methods.swift")
recursive = pytest.importorskip("methods.recursive")
augmentation = pytest.importorskip("methods.blocks.training.augmentation")
registration = pytest.importorskip("methods.blocks.registration")
network = pytest.importorskip("methods.blocks.cascades.swift")
control = pytest.importorskip("methods.blocks.cascades.control")
spatial = pytest.importorskip("methods.blocks.spatial")
hardware = pytest.importorskip("methods.blocks.hardware")
peers = pytest.importorskip("tests.peers.cascade")

GRID, SPACING = (128, 128, 128), (1.0, 1.0, 1.0)
RCN, PLAIN = "RCN-3 of this code", "RCN-3, plain PyTorch"


def images():
    """Two smooth images in [0, 1]."""
    bent = augmentation.random_displacement(2, GRID, torch.Generator().manual_seed(0))[:, 0].numpy()
    return (bent - bent.min()) / np.ptp(bent)


def registers(module, pair, **options):
    """The call on the clock of a method of this project."""
    register = module.load(module.Params(**options), device="cpu", seed=0)
    return partial(register, *pair, SPACING)


def plain(pair):
    """The same of eager modules in torch's default order of memory."""
    network = peers.rcn(3).eval()

    def call():
        with torch.inference_mode():
            images = [torch.from_numpy(image)[None, None] for image in pair]
            return network(*images)[0][0].numpy()

    return call


def both_are_displacements(ours, theirs):
    assert ours.shape == theirs.shape == (3, *GRID)
    assert ours.dtype == theirs.dtype == np.float32
    assert np.isfinite(ours).all()
    assert np.isfinite(theirs).all()


def test_student_against_rcn(benchmark, count):
    pair = images()
    others = [
        Contestant(partial(registers, recursive, pair, cascades=3), RCN),
        Contestant(partial(plain, pair), PLAIN),
    ]
    if not hardware.lacks_bfloat16("cpu"):
        mixed = {"precision": "mixed"}
        others.append(Contestant(partial(registers, swift, pair, **mixed), precision="mixed"))
        rcn = partial(registers, recursive, pair, cascades=3, **mixed)
        others.append(Contestant(rcn, f"{RCN}, mixed", precision="mixed"))
    subject = Subject("student against RCN-3", GRID, count)
    run(benchmark, subject, registers(swift, pair), others=others, same=both_are_displacements)


PIECES = ["averages of both images", "warp by the spline", "what is seen", "a look", "spline at every voxel"]


def pieces():
    """What a registration consists of, at the finest grid that is seen, by name."""
    whole, seen = (torch.from_numpy(image)[None, None] for image in images()), torch.rand(2, 1, 1, 32, 32, 32)
    pair, controls = list(whole), torch.rand(1, 3, 16, 16, 16)
    model = registration.prepared(network.Swift(swift.Params(), 4), "cpu")
    laid_out = network.seen(*seen)
    calls = [
        lambda: [torch.nn.functional.avg_pool3d(image, 4) for image in pair],
        lambda: spatial.warp(seen[0], control.field_of(controls, (32, 32, 32))),
        lambda: network.seen(*seen),
        lambda: model.looks[-1](laid_out),
        lambda: control.field_of(controls, GRID),
    ]
    return dict(zip(PIECES, map(torch.inference_mode(), calls), strict=True))


@pytest.mark.parametrize("name", PIECES)
def test_piece(benchmark, name):
    """The milliseconds of docs/student.md; nobody else does the same."""
    subject = Subject(f"student, {name}", GRID, 1)
    run(benchmark, subject, pieces()[name], others=[], same=both_are_displacements)
