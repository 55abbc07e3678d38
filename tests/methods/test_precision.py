"""What "float32" means on CUDA, by torch's own settings, which a machine without a GPU has too."""

import pytest
import torch

from methods.blocks.precision import single_precision

PARTS = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)
HABITS = {
    "nothing": lambda: None,
    "all of torch": lambda: setattr(torch.backends, "fp32_precision", "tf32"),
    "the older interface": lambda: torch.set_float32_matmul_precision("high"),
    "products alone": lambda: setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32"),
}


def allowed():
    """Whether convolutions, recurrences and products may be computed in TF32."""
    return [part.fp32_precision == "tf32" for part in PARTS]


@pytest.fixture(params=HABITS)
def habit(request):
    """What somebody has allowed before, taken back after the test."""
    HABITS[request.param]()
    yield
    torch.backends.fp32_precision = "none"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = True


@pytest.mark.parametrize("tuned", [False, True])
def test_no_tf32_in_single_precision_whatever_was_allowed_before_and_all_as_before_afterwards(habit, tuned):
    before = allowed(), torch.backends.cudnn.benchmark
    with single_precision(tuned=tuned):
        assert [part.fp32_precision for part in PARTS] == ["ieee"] * 3
        assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.benchmark is tuned
    assert (allowed(), torch.backends.cudnn.benchmark) == before


def test_the_precision_is_put_back_after_an_error():
    before = allowed()
    with pytest.raises(RuntimeError, match="of the network"), single_precision():
        raise RuntimeError("of the network")
    assert allowed() == before
