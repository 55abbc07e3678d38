"""The count of operations: what has no values is laid out as torch would, and without what torch imports for that."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from methods.blocks.cascades.affine import LightAffineStem
from methods.blocks.cascades.cascade import Cascade
from methods.blocks.cascades.composition import Composition, build
from methods.blocks.cost import count_macs, registration_cost
from methods.blocks.initial import create
from methods.blocks.layers import SameConv3d, UpConv3d
from tests.methods.drawn import random
from workflows.configuration.sources import ROOT


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.conv3d(x, torch.empty(6, 4, 3, 2, 1, device=x.device), None, (2, 1, 3), (1, 0, 2), 2),
        lambda x: F.conv3d(x, torch.empty(6, 2, 3, 3, 3, device=x.device), stride=2, padding=1, groups=2),
        lambda x: F.conv_transpose3d(x, torch.empty(4, 3, 4, 4, 2, device=x.device), None, (2, 1, 3), 1, (1, 0, 2)),
        lambda x: F.conv_transpose3d(x, torch.empty(4, 3, 2, 2, 2, device=x.device), groups=2, dilation=(1, 2, 3)),
        lambda x: torch.cat([x, x[:, :3]], dim=1),
        lambda x: torch.cat([x, x[:, :3]], 1),
        lambda x: F.leaky_relu(x, 0.1).relu(),
        lambda x: F.batch_norm(x, torch.zeros(4, device=x.device), torch.ones(4, device=x.device)),
        lambda x: F.pad(x, (1, 0, 2, 3, 0, 1)),
        lambda x: F.max_pool3d(x, 2),
        lambda x: F.avg_pool3d(x, [2, 3, 1], stride=2),
        lambda x: F.adaptive_avg_pool3d(x, 3),
        lambda x: F.interpolate(x, scale_factor=2, mode="trilinear"),
        lambda x: x.mul(2).flatten(2),
    ],
)
def test_what_has_no_values_has_the_shape_that_torch_gives(call):
    shapes = []
    for device in ("cpu", "meta"):
        image = torch.zeros(2, 4, 9, 10, 12, device=device)
        count_macs(lambda image=image: shapes.append((call(image).shape, call(image).dtype)))
    assert shapes[0] == shapes[1]


def test_macs_of_convolutions_are_their_closed_forms():
    conv, up = SameConv3d(3, 5, stride=2), UpConv3d(2, 4)
    assert count_macs(lambda: conv(random(1, 3, 6, 7, 8))) == 3 * 5 * 27 * 3 * 4 * 4
    assert count_macs(lambda: up(random(1, 2, 3, 4, 5))) == 2 * 4 * 64 * 3 * 4 * 5
    found = registration_cost(lambda: Cascade([LightAffineStem([2, 2, 2, 2])], [1.0]), (16, 32, 48))
    assert found["parameters"] == 4 * (2 * 2 * 27 + 2) + 27 * 2 * 12
    assert found["macs"] == 2 * 2 * 27 * (16 * 32 * 48) * sum(8**-k for k in (1, 2, 3, 4)) + 27 * 2 * 12


def test_a_cascade_costs_what_its_networks_do_each_as_often_as_it_runs():
    composition = Composition(base="vtn", stem="vtn_affine", cascades=2, channels=2)
    images = torch.rand(2, 1, 1, 66, 96, 80)  # two voxels at the deepest: one would not meet all of a kernel
    network = create(lambda: build(composition, repeat=3), seed=0, device="cpu")
    with FlopCounterMode(display=False) as counter:
        network.displacement(*images)
    counted = registration_cost(lambda: build(composition, repeat=3), images.shape[3:])
    done = counter.get_flop_counts()["Global"]  # the head of the affine stem is a product of matrices on the CPU
    assert 2 * counted["macs"] == done[torch.ops.aten.convolution] + done[torch.ops.aten.mm] > 0


def test_a_network_that_registers_imports_no_compiler_and_no_algebra():
    code = "from methods import progressive, recursive\nimport sys\n"
    for options in ("base='ldr'", "base='vtn'", "base='mobilenet'", "base='ldr', stem='affine_light'"):
        code += f"params = recursive.Params({options}, channels=4)\nrecursive.load(params, device='cpu', seed=0)\n"
        code += "assert recursive.cost((16, 20, 24), params)['macs'] > 0\n"
    code += "assert progressive.cost((16, 32, 16), progressive.Params(channels=2))['macs'] > 0\n"
    code += "print([name for name in ('sympy', 'torch._dynamo') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr
