"""Checkpoints that were cut, flipped, exchanged or poisoned: none becomes a number, none costs a whole training."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from datasets.files import DataError
from methods.blocks.training.checkpoint import newest_state, save_state
from tests.faults import training_inputs as inputs
from tests.faults.harm import Payload, flip, sign
from workflows.configuration.sources import ROOT

pytestmark = pytest.mark.usefixtures("one_thread")


def poison(path: Path) -> None:
    torch.save({"iteration": 4, "run": Payload(path.with_name("executed"))}, path)
    sign(path)


def exchange(path: Path) -> None:
    torch.save({"state_dict": {"lm_head.weight": torch.zeros(3)}, "epoch": 7}, path)
    sign(path)


DAMAGE = {
    "one bit flipped in the middle": flip,
    "one bit flipped at the end": lambda path: flip(path, 0.999),
    "cut to half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: path.write_bytes(b""),
    "zeros, as after a power cut": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a web page": lambda path: path.write_text("<html>quota exceeded</html>"),
    "killed between the state and its checksum": lambda path: path.with_name(f"{path.name}.sha256").unlink(),
    "a checksum of other bytes": lambda path: path.with_name(f"{path.name}.sha256").write_bytes(b"\xff\xfe\x00"),
    "code in a pickle": poison,
    "a checkpoint of another project": exchange,
}


@pytest.mark.fault(7, 8)
@pytest.mark.parametrize("how", DAMAGE)
def test_training_resumes_from_the_state_before_a_damaged_one(original, damage, caplog, how):
    folder, _, weights = original
    DAMAGE[how](damage / "state-000000004.pt")
    with caplog.at_level("INFO"):
        again = inputs.trained(inputs.training(folder))
    assert Path(again.checkpoint).read_bytes() == weights
    assert "resuming at iteration 3" in caplog.text
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "state-000000004.pt: " in warning
    assert "\n" not in warning
    assert sorted(path.name for path in damage.glob("state-*.pt")) == ["state-000000003.pt", "state-000000004.pt"]
    assert newest_state(damage)["iteration"] == 4
    assert not (damage / "executed").exists()


@pytest.mark.fault(7)
def test_training_begins_anew_where_both_states_are_damaged(original, damage, caplog):
    folder, _, weights = original
    for path in damage.glob("state-*.pt"):
        flip(path)
    with caplog.at_level("INFO"):
        again = inputs.trained(inputs.training(folder))
    assert Path(again.checkpoint).read_bytes() == weights
    assert "resuming" not in caplog.text
    assert len((damage / "curve.jsonl").read_text("utf-8").splitlines()) == 4


@pytest.mark.fault(7)
def test_a_state_that_was_passed_over_drives_no_sound_one_out(original, damage):
    state = newest_state(damage)
    for path in damage.glob("state-*.pt"):
        flip(path)
    save_state(damage, {**state, "iteration": 1})
    save_state(damage, {**state, "iteration": 2})
    assert sorted(path.name for path in damage.glob("state-*")) == [
        "state-000000001.pt",
        "state-000000001.pt.sha256",
        "state-000000002.pt",
        "state-000000002.pt.sha256",
    ]


@pytest.mark.fault(7)
def test_states_of_another_commit_are_refused_in_one_line(original, damage):
    folder, _, _ = original
    for path in damage.glob("state-*.pt"):
        state = torch.load(path, weights_only=True)
        state["modules"]["model"] = {f"old.{name}": value for name, value in state["modules"]["model"].items()}
        torch.save(state, path)
        sign(path)
    with pytest.raises(DataError, match="do not fit this network") as caught:
        inputs.trained(inputs.training(folder))
    assert "\n" not in str(caught.value)
    assert not (inputs.training(folder).folder / "training.json").exists()  # no failed training either


# Half-written; written without its checksum; with it; the next half-written; the weights half-written.
MOMENTS = (".*-state-*1.pt", "state-*1.pt", "state-*2.pt.sha256", ".*-state-*3.pt*", "*.safetensors")


@pytest.mark.slow
@pytest.mark.fault(1, 7)
def test_a_training_killed_as_it_writes_goes_on(tmp_path, original):
    inputs.write_noise(tmp_path)
    spec = inputs.training(tmp_path)
    command = [sys.executable, "-m", "workflows.train", inputs.written(tmp_path / "train.json", spec)]
    for moment in MOMENTS:
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        began = time.time_ns()
        while process.poll() is None and not appeared(spec.folder, moment, began):
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() in (-signal.SIGKILL, 0)
    assert subprocess.run(command, cwd=ROOT, stderr=subprocess.DEVNULL).returncode == 0
    [weights] = spec.folder.rglob("weights.safetensors")
    assert weights.read_bytes() == original[2]
    assert not list(weights.parent.glob(".*"))  # nothing half-written is left


def appeared(folder: Path, pattern: str, since: int) -> bool:
    try:
        return any(path.stat().st_mtime_ns >= since for path in folder.glob(f"state/*/{pattern}"))
    except FileNotFoundError:  # a temporary file that has just taken its place
        return True
