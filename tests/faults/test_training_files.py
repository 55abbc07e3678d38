"""The files of a training: no damaged byte beside its weights may end it, and no damaged weights end a run for good."""

import json
import random
import re

import numpy as np
import pytest

from methods.blocks.progressive import record
from tests.workflows.pipeline_inputs import TINY, run

NETWORK = {
    "datasets": ["phantom-liver"],
    "params": {"channels": 2},
    "training": {"iterations": 4, "batch": 2, "checkpoint_every": 1},
}


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


@pytest.mark.slow
@pytest.mark.fault(7)
def test_a_run_says_how_to_go_on_after_its_weights_were_damaged_and_so_it_goes_on(tmp_path):
    config = json.loads(json.dumps(TINY)) | {"methods": {"ldr-1": NETWORK}}
    config["run"]["methods"] = ["identity", "ldr-1"]
    config["timing"]["datasets"] = []
    config["datasets"]["phantom-liver"]["params"]["training"] = 3
    done = run(tmp_path, config=config)
    assert done.returncode == 0, done.stdout + done.stderr
    [weights] = (tmp_path / "results").rglob("weights.safetensors")
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    for path in (tmp_path / "results").rglob("ldr-1/**/records.jsonl"):
        path.write_text("")  # where all pairs have a record nothing is registered, and nobody reads weights
    stopped = run(tmp_path, "--forcerun", "register", config=config)
    assert stopped.returncode != 0
    [line] = {line for line in stopped.stderr.splitlines() if line.startswith("WarpBench: ") and "weights" in line}
    remedy = re.search(r"(--forcerun) (\S+)", line).groups()
    again = run(tmp_path, *remedy, config=config)
    assert again.returncode == 0, again.stdout + again.stderr
    assert weights.read_bytes() == sound
