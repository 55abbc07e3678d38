"""Weights that were cut, exchanged, poisoned or of another network register nothing, and say so in one line."""

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.records import write
from datasets.files import DataError, sha256
from methods.blocks.training.checkpoint import CheckpointError
from methods.recursive import Params, load
from tests.faults import training_inputs as inputs
from tests.faults.harm import Payload, flip
from workflows.configuration.sources import ROOT
from workflows.register import register

pytestmark = pytest.mark.usefixtures("one_thread")


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
