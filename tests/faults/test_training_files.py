"""What a training keeps beside its weights: no damaged byte of it may end the training."""

import random

import numpy as np
import pytest

from methods.blocks.progressive import record


@pytest.mark.fault(7)
def test_a_damaged_picture_of_an_interrupted_training_is_left_out_whatever_the_byte(tmp_path, caplog):
    path, dice = tmp_path / "000000001.npz", random.Random(0)
    np.savez(path, result=np.random.default_rng(0).random((20, 20)), iteration=1)
    sound, cut, flipped = path.read_bytes(), 0, 0
    for _ in range(300):
        path.write_bytes(sound[: dice.randrange(len(sound))])
        cut += not list(record._readable([path]))
        content = bytearray(sound)
        content[dice.randrange(300)] ^= 1 << dice.randrange(8)  # the headers, which no checksum guards
        path.write_bytes(content)
        flipped += not list(record._readable([path]))
    assert cut == 300
    assert flipped > 200
    assert len(caplog.records) == cut + flipped
