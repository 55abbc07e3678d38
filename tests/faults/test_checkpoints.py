"""Checkpoints that were cut, flipped, exchanged or poisoned: none becomes a number, none costs a whole training."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.records import write
from datasets.files import DataError, sha256
from methods.blocks.training.checkpoint import CheckpointError, newest_state, save_state
from methods.recursive import Params, load
from tests.faults import training_inputs as inputs
from workflows.configuration.sources import ROOT
from workflows.register import register

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A finished training: its folder, its outcome, and the bytes of its weights."""
    folder = tmp_path_factory.mktemp("training")
    inputs.write_noise(folder)
    done = inputs.trained(inputs.training(folder))
    return folder, done, Path(done.checkpoint).read_bytes()


@pytest.fixture
def damage(original):
    """Return the folder of the training's state for a test to damage; everything is as before when the test ends."""
    folder, done, _ = original
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    yield Path(done.kept)
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)


class Payload:
    """Code in a pickle: it would leave a file."""

    def __init__(self, left: Path) -> None:
        self.left = left

    def __reduce__(self):
        return (os.mkdir, (str(self.left),))


def flip(path: Path, share: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 0x01
    path.write_bytes(content)


def sign(path: Path) -> None:
    """Write the right checksum beside a state, as one would who means harm."""
    path.with_name(f"{path.name}.sha256").write_text(sha256(path))


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


WEIGHTS = {
    "one bit flipped": flip,
    "cut": lambda path: os.truncate(path, path.stat().st_size - 100),
    "missing": Path.unlink,
    "a web page": lambda path: path.write_text("<html>quota exceeded</html>"),
    "of another training": lambda path: save_file({name: value + 1 for name, value in load_file(path).items()}, path),
    "code in a pickle": lambda path: torch.save(Payload(path.with_name("executed")), path),
}


@pytest.mark.fault(7, 8)
@pytest.mark.parametrize("how", WEIGHTS)
def test_nothing_is_registered_by_weights_that_training_did_not_write(original, damage, how):
    folder, done, weights = original
    WEIGHTS[how](Path(done.checkpoint))
    spec = inputs.registration(inputs.training(folder))
    with pytest.raises(DataError, match=r"weights\.safetensors: .*--forcerun .*training\.json"):
        register(spec, 1)
    assert not [path for path in spec.folder.iterdir() if path.name not in (".lock", "method.log")]
    assert not (damage / "executed").exists()
    inputs.trained(inputs.training(folder))  # the remedy: its state is there, so that it has nothing to repeat
    assert Path(done.checkpoint).read_bytes() == weights


@pytest.mark.fault(7)
def test_weights_of_another_network_make_no_rows_though_the_outcome_names_them(original, damage):
    folder, done, _ = original
    weights = Path(done.checkpoint)
    save_file(load_file(weights), weights, {"about": json.dumps({"method": "rcn", "commit": "8cfb05d"})})
    spec = inputs.registration(inputs.training(folder))
    write(spec.run.training, replace(done, sha256=sha256(weights)))
    with pytest.raises(
        DataError, match=r"weights\.safetensors: method is 'rcn' in the checkpoint, expected 'recursive'"
    ):
        register(spec, 1)
    assert not (spec.folder / "registrations.json").exists()


@pytest.mark.fault(7)
def test_the_command_says_it_in_one_line(original, damage):
    folder, done, _ = original
    flip(Path(done.checkpoint))
    path = inputs.written(folder / "register.json", inputs.registration(inputs.training(folder)))
    command = [sys.executable, "-m", "workflows.register", path]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    [line] = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert "weights.safetensors: differs from the file that the training wrote" in line


@pytest.mark.fault(7)
def test_no_student_learns_from_a_teacher_whose_weights_were_exchanged(original, damage):
    folder, done, _ = original
    flip(Path(done.checkpoint))
    recipe = {"aldk": {"disc_channels": 2}}
    student = replace(
        inputs.training(folder, seed=1, **recipe), teacher=inputs.training(folder).folder / "training.json"
    )
    with pytest.raises(DataError, match="differs from the file that the training wrote"):
        inputs.trained(student)
    assert not (student.folder / "training.json").exists()


def without_first(tensors):
    return dict(list(tensors.items())[1:])


FOREIGN = {
    "of another project": (lambda tensors: {"lm_head.weight": torch.zeros(3)}, "tensor names do not match"),
    "a tensor too few": (without_first, "1 tensor names do not match"),
    "a tensor too many": (lambda tensors: {**tensors, "extra": torch.zeros(1)}, "first is 'extra'"),
    "of another width": (lambda tensors: {name: value[..., :1] for name, value in tensors.items()}, "has shape"),
    "in half precision": (lambda tensors: {name: value.half() for name, value in tensors.items()}, "torch.float16"),
    "in double precision": (lambda tensors: {name: value.double() for name, value in tensors.items()}, "torch.float64"),
    "of whole numbers": (lambda tensors: {name: value.int() for name, value in tensors.items()}, "torch.int32"),
    "with NaN": (lambda tensors: {name: value * float("nan") for name, value in tensors.items()}, "NaN or infinite"),
    "with infinity": (lambda tensors: {name: value / 0 for name, value in tensors.items()}, "NaN or infinite"),
}


@pytest.mark.fault(7)
@pytest.mark.parametrize("how", FOREIGN)
def test_weights_that_do_not_fit_are_refused_in_one_line(original, tmp_path, how):
    change, message = FOREIGN[how]
    _, done, _ = original
    about = {"about": json.dumps({"method": "recursive", "params": metadata(done.checkpoint)["params"]})}
    save_file({k: v.contiguous() for k, v in change(load_file(done.checkpoint)).items()}, tmp_path / "w", about)
    refused(tmp_path / "w", message)


@pytest.mark.fault(7)
@pytest.mark.parametrize("about", ["[1, 2]", "7", "{", '{"method": "voxelmorph"}', "null", '{"method": "recursive"}'])
def test_weights_that_say_something_else_of_themselves_are_refused_in_one_line(original, tmp_path, about):
    _, done, _ = original
    save_file(load_file(done.checkpoint), tmp_path / "w", {"about": about})
    refused(tmp_path / "w", r"(method|params) is|not a safetensors checkpoint")


@pytest.mark.fault(8)
@pytest.mark.parametrize("write_file", [torch.save, lambda what, path: path.write_bytes(pickle.dumps(what))])
@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pkl"])
def test_pickled_weights_are_never_executed(tmp_path, name, write_file):
    write_file(Payload(tmp_path / "executed"), tmp_path / name)
    refused(tmp_path / name, "not a safetensors checkpoint")
    assert not (tmp_path / "executed").exists()


@pytest.mark.fault(8)
def test_the_payload_of_these_tests_is_dangerous(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "executed")))
    assert (tmp_path / "executed").exists()


def metadata(path) -> dict:
    with open(path, "rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    return json.loads(header["__metadata__"]["about"])


def refused(path: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        load(Params(**inputs.LDR), device="cpu", seed=0, checkpoint=path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


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
