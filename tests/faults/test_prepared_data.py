"""Prepared data that change on the disk, and what evaluation does where it meets what cannot be."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.records import Registrations, TrainingOutcome, read, text_of
from datasets.case import Truth
from datasets.files import DataError
from tests.datasets.small_set import PAIR, SHAPE, prepare
from workflows.configuration.sources import ROOT
from workflows.evaluate import judge
from workflows.register import register

FILES = [
    "images/f.nii.gz",
    "masks/m.nii.gz",
    "truth/labels/f.nii.gz",
    "truth/landmarks/f__m_moving.csv",
    "truth/displacements/disp_f_m.nii.gz",
]


def flip(path, place=0.7):
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)


@pytest.mark.fault(4)
@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit_in_any_part_is_refused_before_anything_is_registered(tmp_path, registration, file):
    data = prepare(tmp_path / "mine")
    flip(data.folder / file)
    spec = registration(data)
    with pytest.raises(DataError, match=f"{file}: changed since it was prepared .*; run again with --forcerun .*mine"):
        register(spec, 1)
    assert not list(spec.folder.glob("*.jsonl"))


@pytest.mark.fault(4)
def test_the_command_names_the_file_in_one_line(tmp_path, registration):
    data = prepare(tmp_path / "mine")
    flip(data.folder / FILES[2])
    (tmp_path / "spec.json").write_text(text_of(registration(data)))
    command = [sys.executable, "-m", "workflows.register", str(tmp_path / "spec.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {data.folder / FILES[2]}: changed since it was prepared")
    assert "Traceback" not in done.stderr


@pytest.mark.fault(4)
@pytest.mark.parametrize("file", ["masks/x.nii.gz", "truth/labels/new.nii.gz", "truth/landmarks/f__m_fixed.txt"])
def test_a_file_that_was_put_there_later_is_refused(tmp_path, registration, file):
    data = prepare(tmp_path / "mine")
    (data.folder / file).write_bytes((data.folder / FILES[0]).read_bytes())
    (data.folder / "images" / "._f.nii.gz").touch()  # what other systems leave is no part of it
    with pytest.raises(DataError, match=f"{file}: not part of what was prepared; remove it"):
        register(registration(data), 1)
    (data.folder / file).unlink()
    data.check_files()


@pytest.mark.parametrize("kind", [TrainingOutcome, Registrations])
def test_a_status_that_nobody_knows_is_refused(tmp_path, kind):
    training = {"dataset": "d", "method": "m", "seed": 0, "status": "fine", "reason": ""}
    record = {"run": "r", "pair": "a__b", "finished_utc": "", "process": 1, "status": "fine", "reason": ""}
    path = tmp_path / "outcome.json"
    path.write_text(json.dumps(training if kind is TrainingOutcome else {"pairs": [record]}))
    with pytest.raises(DataError, match=r"outcome\.json: .*'fine'.*status.*delete it"):
        read(path, kind)


def test_a_displacement_of_another_grid_stops_evaluation_with_a_line(tmp_path):
    data = prepare(tmp_path / "mine")
    with pytest.raises(
        DataError,
        match=r"mine: pair f__m cannot be judged .*grids differ.*; run again with --forcerun .*mine/dataset\.json",
    ) as caught:
        judge(np.zeros((3, *SHAPE[::-1]), np.float32), PAIR, data, Truth(data.folder))
    assert "\n" not in str(caught.value)
