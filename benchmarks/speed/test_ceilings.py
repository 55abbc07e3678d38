"""The rates of this machine, beside which a missed number is read: no peers, nobody's code but the libraries'."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.speed.ceilings import COPY, PRODUCT
from benchmarks.speed.duel import Contestant, run
from benchmarks.speed.measurement import Subject, Work

torch = pytest.importorskip("torch")
SIDE, VALUES = 2048, 1 << 26


def test_matrix_product(benchmark, count):
    a, b = torch.randn(2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    others = []
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        half = a.bfloat16(), b.bfloat16()
        others.append(Contestant(lambda: lambda: half[0] @ half[1], precision="mixed", same=roughly))
    subject = Subject(PRODUCT, (SIDE, SIDE), count, Work(flops=2 * SIDE**3))
    run(benchmark, subject, lambda: a @ b, others=others, same=roughly)


def test_copy(benchmark, count):
    a, b = torch.ones(VALUES), torch.zeros(VALUES)
    run(
        benchmark,
        Subject(COPY, (VALUES,), count, Work(bytes=2 * 4 * VALUES)),
        lambda: b.copy_(a),
        others=[],
        same=roughly,
    )


def roughly(ours, theirs):
    assert_allclose(theirs.float().numpy(), ours.numpy(), atol=0.05 * np.abs(ours).max().item())
