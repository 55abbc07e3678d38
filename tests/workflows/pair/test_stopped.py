"""A pair's registration that is stopped from outside, results that lie there, and names longer than a file's."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datasets.files import replacing
from datasets.learn2reg_names import displacement_names
from datasets.locks import hold
from datasets.own.scans import Scan
from tests.datasets.own.made import SHIFT, scene, write
from tests.processes import family_of, is_alive, wait_until, words_of
from workflows.configuration.sources import ROOT
from workflows.pair.__main__ import main
from workflows.pair.outputs import working

SLEEPER = """
import time
from dataclasses import dataclass

@dataclass(frozen=True)
class Params:
    pass

def load(params, *, device, seed, checkpoint=None):
    return lambda fixed, moving, spacing: time.sleep(600)
"""


def images(folder, moving="moving"):
    write(scene(), folder / "fixed.nii.gz")
    write(scene(shift=SHIFT, kind=np.float64), folder / f"{moving}.nii.gz")
    return [str(folder / "fixed.nii.gz"), str(folder / f"{moving}.nii.gz"), "--threads", "1"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"])
def test_what_it_has_started_ends_with_it(name, tmp_path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    words = [*images(tmp_path), "--method", str(tmp_path / "sleeper.py"), "--out", str(tmp_path / "out")]
    handlers = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); sys.argv[0] = ''"
    handlers += "; signal.signal(signal.SIGHUP, signal.SIG_DFL)"  # the tests may run under nohup
    start = f"{handlers}; import runpy; runpy.run_module('workflows.pair', run_name='__main__')"
    process = subprocess.Popen([sys.executable, "-c", start, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any("workflows.running.worker" in words_of(each) for each in family_of(process.pid)), 60)
    family = family_of(process.pid)
    process.send_signal(getattr(signal, name))
    told = process.communicate(timeout=60)[1].splitlines()
    wait_until(lambda: not any(map(is_alive, family)))
    if name != "SIGKILL":
        assert told[-1] == "error: stopped before its end"
        assert not (tmp_path / "out").exists()
        return
    assert list((tmp_path / "out").glob(".work-*"))
    main([*images(tmp_path), "--method", "identity", "--out", str(tmp_path / "out")])
    assert not list((tmp_path / "out").glob(".work-*"))


def test_two_calls_at_once_do_not_write_into_one_folder(tmp_path):
    (tmp_path / "out").mkdir()
    words = [*images(tmp_path), "--method", "identity", "--out", str(tmp_path / "out")]
    with working(tmp_path / "out") as other, pytest.raises(SystemExit) as stop:
        main(words)
    assert "another call is writing into it" in str(stop.value)
    assert list((tmp_path / "out").iterdir()) == []
    assert not other.exists()
    later = tmp_path / "out" / ".work-99999999999999999999-later"  # of a call that began after this one
    with hold(later / "lock"):
        main(words)
    assert (tmp_path / "out" / "registration.json").exists()
    assert later.exists()


@pytest.mark.parametrize("letter", ["a", "å", "脑"])
def test_names_that_together_are_too_long_lose_their_first_letters(letter, tmp_path):
    longest = letter * (240 // len(letter.encode())) + "7"
    main([*images(tmp_path, longest), "--method", "identity", "--out", str(tmp_path / "out")])
    [made] = (tmp_path / "out").glob("disp_*.nii.gz")
    assert made.name.startswith("disp_fixed_")
    assert made.name.endswith(f"{letter}7.nii.gz")
    assert 250 < len(made.name.encode()) <= 255


def test_results_of_another_method_in_the_folder_are_replaced_with_a_warning(tmp_path, caplog):
    words = [*images(tmp_path), "--out", str(tmp_path / "out")]
    main([*words, "--method", "identity"])
    main([*words, "--method", "identity"])
    assert "they are replaced" not in caplog.text
    main([*words, "--method", "demons"])
    assert f"{tmp_path / 'out'} had the results of identity, of an earlier call; they are replaced" in caplog.text


def test_both_names_are_cut_where_both_are_long():
    [name] = displacement_names("a" * 200, "b" * 200)
    assert name == f"disp_{'a' * 121}_{'b' * 121}.nii.gz"
    assert displacement_names("scan", "subject") == ["disp_scan_subject.nii.gz"]


@pytest.mark.parametrize("letter", ["a", "å", "脑"])
def test_a_file_of_the_longest_name_is_replaced_whole(letter, tmp_path):
    path = tmp_path / f"{letter * (250 // len(letter.encode()))}.csv"
    with replacing(path) as temporary:
        temporary.write_text("content")
        assert temporary.suffix == ".csv"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("日本 1.nii.gz", "日本_1"),
        ("a b/u\u0308.nii.gz", "\u00fc"),  # an accent of its own
        ("हिन्दी.mha", "हिन्दी"),
        ("a__b.nrrd", "a_b"),
        (";.nii.gz", "image"),
    ],
)
def test_letters_of_any_script_stay_in_names(file, name):
    assert Scan(Path(file), None).name == name
