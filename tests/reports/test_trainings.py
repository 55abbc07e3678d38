"""The seed that pictures and figures are of is the run's main one, in whatever order trainings are listed."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from reports.reading.trainings import Training, find, first_seed, teacher_shares


@pytest.mark.parametrize("seeds", [[3, 1], [1, 3]])
def test_a_method_is_shown_by_its_lowest_seed(seeds):
    trainings = [Training("net", "shells", seed, "ok", "", None) for seed in seeds]
    assert first_seed(seeds) == 1
    assert find(trainings, "net") == Training("net", "shells", 1, "ok", "", None)
    assert find(trainings, "net", 3) == Training("net", "shells", 3, "ok", "", None)


def test_no_other_seed_steps_in_for_the_main_run_that_failed():
    failed = Training("net", "shells", 1, "diverged", "loss is not a number", None)
    assert find([Training("net", "shells", 3, "ok", "", None), failed], "net") == failed


def test_the_teachers_share_is_read_from_all_that_ended_well(tmp_path):
    def curve(name, *shares):
        (tmp_path / name).mkdir()
        rows = [{"iteration": n, "total": 1.0, **({"teacher_share": s} if s else {})} for n, s in enumerate(shares)]
        (tmp_path / name / "curve.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / name

    trainings = [
        Training("student", "shells", 0, "ok", "", curve("a", None, 0.25, None, 0.5)),
        Training("student", "shells", 1, "ok", "", curve("b", 0.125)),
        Training("student", "shells", 2, "diverged", "loss is nan", curve("c", 9.0)),
        Training("student", "shells", 3, "ok", "", None),
        Training("plain", "shells", 0, "ok", "", curve("d", None, None)),
    ]
    assert teacher_shares(trainings, "student") == [0.25, 0.5, 0.125]
    assert teacher_shares(trainings, "plain") == []


@pytest.fixture
def left(tmp_path):
    """The files of a training, and the training."""
    (tmp_path / "curve.jsonl").write_text('{"iteration": 0, "total": 1.5}\n{"iteration": 1, "total": 1.25}\n')
    (tmp_path / "displacements.csv").write_text("component,low,high,count\nx,-1,0,3\n")
    (tmp_path / "synthetic.json").write_text(json.dumps({"pairs": "of scans bent at random"}))
    np.savez(tmp_path / "maps.npz", truth=np.arange(600.0))
    return tmp_path, Training("net", "shells", 0, "ok", "", tmp_path)


def read_all(training):
    return [
        training.rows("curve.jsonl"),
        training.table("displacements.csv"),
        training.about("synthetic.json"),
        training.arrays("maps.npz"),
    ]


def flip(path):
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 3, len(content) // 3 + 9):
        content[place] ^= 0x80
    path.write_bytes(content)


DAMAGE = {
    "cut": lambda path: os.truncate(path, path.stat().st_size - 20),
    "flipped": flip,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a page": lambda path: path.write_text("<html>quota\nexceeded, again, and again</html>"),
}


@pytest.mark.parametrize("name", ["curve.jsonl", "synthetic.json", "maps.npz"])
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_of_a_training_is_left_out_with_a_warning(left, caplog, how, name):
    folder, training = left
    assert all(found is not None for found in read_all(training))
    DAMAGE[how](folder / name)
    assert sum(found is None for found in read_all(replace(training))) == 1
    [warning] = [record.getMessage() for record in caplog.records]
    assert f"{name}: cannot be read and is left out of the report" in warning
    assert "\n" not in warning
