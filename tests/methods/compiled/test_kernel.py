"""Machine code on disk: found again, never trusted, never in the way."""

import os
import subprocess
import sys

import pytest

from workflows.configuration.sources import ROOT

pytest.importorskip("numba")

SOURCE = """
from numba import types

CHANGE = (types.float32[::1],)

def change(values):
    for k in range(values.size):
        values[k] = values[k] {operation}
"""


PROCESS = """
import sys
import numpy as np
from methods.blocks.compiled import kernel

# Of two texts of the same second and size, Python takes its own file of the first for that of the second.
sys.dont_write_bytecode = True
sys.pycache_prefix = sys.argv[1]  # from here on: what Python has compiled of its libraries is of use
import small

values = np.full(2, 3, np.float32)
loop = kernel.compiled(small.change, small.CHANGE)
loop(values)
print(values[1], sum(loop.stats.cache_hits.values()))
"""


def changed(path) -> tuple[float, bool]:
    """What the loop of a new process makes of 3, and whether its code was on disk."""
    folder = path.parent
    variables = {"PYTHONPATH": f"{ROOT}:{folder}", "XDG_CACHE_HOME": str(folder / "user")}
    command = [sys.executable, "-c", PROCESS, str(folder / "python")]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True)
    assert done.returncode == 0, done.stderr
    value, hits = done.stdout.split()
    return float(value), bool(int(hits))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(SOURCE.format(operation="+ 1"))
    return path


def files(folder):
    return sorted(folder.rglob("*.kernel"))


def test_code_is_found_again_until_its_source_changes(source, tmp_path):
    assert changed(source) == (4, False)
    assert changed(source) == (4, True)
    assert len(files(tmp_path / "python")) == 1
    source.write_text(SOURCE.format(operation="* 2"))
    assert changed(source) == (6, False)
    source.write_text(SOURCE.format(operation="+ 1"))
    assert changed(source) == (4, True)
    assert not files(tmp_path / "user")


@pytest.mark.parametrize("damage", [lambda old: b"", lambda old: old[:-9], lambda old: old[:99] + b"?" + old[100:]])
def test_a_damaged_file_is_compiled_anew(source, tmp_path, damage):
    changed(source)
    [path] = files(tmp_path / "python")
    sound = path.read_bytes()
    path.write_bytes(damage(sound))
    assert changed(source) == (4, False)
    assert changed(source) == (4, True)
    assert len(files(tmp_path)) == 1


def test_the_users_folder_serves_where_there_is_no_room_beside_the_source(source, tmp_path):
    (tmp_path / "python").write_text("no folder")
    assert changed(source) == (4, False)
    assert changed(source) == (4, True)
    assert len(files(tmp_path / "user")) == 1


def test_no_folder_at_all_is_no_fault(source, tmp_path):
    for name in ("python", "user"):
        (tmp_path / name).write_text("no folder")
    assert changed(source) == (4, False)
    assert changed(source) == (4, False)
