"""Landmark files as people have them: each fault is named with its file and, where it has one, its line."""

import numpy as np
import pytest

from datasets import creatis, dirlab
from datasets.files import DataError
from tests.datasets.chest_inputs import SHAPE
from tests.datasets.dirlab_inputs import put
from workflows.running.options import build

FAULTS = {
    "empty": (lambda rows: [], r"{file}: no landmarks"),
    "a web page": (lambda rows: ["<html>"], r"{file}, line 1: expected three numbers, got '<html>'"),
    "ragged": (lambda rows: [*rows[:4], rows[4][:2], *rows[5:]], r"{file}, line 5: expected three numbers"),
    "four columns": (lambda rows: [*rows[:4], [*rows[4], 1], *rows[5:]], r"{file}, line 5: expected three numbers"),
    "comma": (lambda rows: [",".join(map(str, row)) for row in rows], r"{file}, line 1: expected three numbers"),
    "decimal comma": (lambda rows: [*rows[:2], "3,5\t1\t1", *rows[3:]], r"{file}, line 3: expected three numbers"),
    "nan": (lambda rows: [*rows[:7], ["nan", 1, 1], *rows[8:]], r"{file}, line 8: expected three numbers"),
    "infinite": (lambda rows: [*rows[:7], [1, 1, "-inf"], *rows[8:]], r"{file}, line 8: expected three numbers"),
    "one too few": (lambda rows: rows[:-1], r"{file} has 11 landmarks, published are 12"),
    "one too many": (lambda rows: [*rows, rows[0]], r"{file} has 13 landmarks, published are 12"),
    "outside": (lambda rows: [*rows[:5], [99, 1, 1], *rows[6:]], r"{file} landmarks outside .* number 6"),
    "from zero": (
        lambda rows: [*rows[:5], [0, rows[5][1], rows[5][2]], *rows[6:]],
        r"{file} landmarks outside .* number 6, \[0.0, .*\] counted from 1; does the file count from 0",
    ),
    "in millimetres": (lambda rows: [[6 * x, 6 * y, 7 * z] for x, y, z in rows], r"{file} landmarks outside"),
    "shifted rows": (lambda rows: [*rows[1:], rows[0]], "mm apart before registration, published is"),
    "one phase from zero": (lambda rows: [[x - 1, y - 1, z - 1] for x, y, z in rows], "mm apart before registration"),
    "swapped axes": (lambda rows: [[x, z, y] for x, y, z in rows], "mm apart before registration|outside the volume"),
}


def rewritten(change, content: bytes) -> bytes:
    rows = [line.split() for line in content.decode().splitlines()]
    changed = change([[int(value) for value in row] for row in rows])
    return "".join((row if isinstance(row, str) else "\t".join(map(str, row))) + "\r\n" for row in changed).encode()


@pytest.mark.fault(18)
@pytest.mark.parametrize(("change", "said"), FAULTS.values(), ids=FAULTS)
def test_landmark_files_are_refused_by_name(tmp_path, dirlab_mirror, change, said):
    put(dirlab_mirror, 1, T50_xyz=lambda content: rewritten(change, content))
    with pytest.raises(DataError, match=said.format(file=r"\S+Case1Pack\.zip: \S+Case1_300_T50_xyz\.txt")):
        dirlab.prepare(tmp_path / "out", build(dirlab.Params, {"cases": [1]}), name="dirlab")
    assert not (tmp_path / "out" / "dataset.json").exists()


@pytest.mark.fault(18)
def test_a_distance_that_is_no_number_fails_the_check(monkeypatch):
    small = dirlab.Published(SHAPE, (np.nan, 1.0, 1.0), 3.0, 1.0, 2)
    monkeypatch.setattr(dirlab, "CASES", {1: small})
    with pytest.raises(DataError, match="nan mm apart"):
        dirlab.check_case(1, np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(DataError, match="outside the volume"):
        dirlab.check_case(1, np.full((2, 3), np.nan), np.ones((2, 3)))
    with pytest.raises(DataError, match="nan mm apart"):
        creatis._check_distance("bl", creatis.PATIENTS["bl"], np.array([np.nan]), 0.02)


@pytest.mark.fault(18)
@pytest.mark.parametrize(("text", "said"), [("", "no landmarks"), ("#X Y Z\n1 2\n", "line 2"), ("1 2 nan\n", "line 1")])
def test_points_in_millimetres_are_refused_by_line(tmp_path, text, said):
    (tmp_path / "50.pts").write_text(text)
    with pytest.raises(DataError, match=rf"50\.pts.*{said}"):
        creatis._read_points(tmp_path / "50.pts")
