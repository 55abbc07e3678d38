"""Fingerprints, the machine's description, and the stopwatch."""

import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import provenance
from benchmarks.clock import stopwatch


@pytest.fixture
def tree(tmp_path):
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def fingerprint(tree, values=None, names=("one.py", "two.py")):
    return provenance.fingerprint([tree / name for name in names], values or {"seed": 1, "rate": 0.1}, root=tree)


def test_fingerprint_is_twelve_hex_digits_and_repeatable(tree):
    first = fingerprint(tree)
    assert len(first) == 12
    assert int(first, 16) >= 0
    assert first == fingerprint(tree, {"rate": 0.1, "seed": 1}, names=("two.py", "one.py"))


def test_fingerprint_ignores_times_and_the_place_of_the_tree(tree, tmp_path_factory):
    first = fingerprint(tree)
    os.utime(tree / "one.py", (0, 0))
    assert fingerprint(tree) == first
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("one.py", "two.py"):
        (elsewhere / name).write_bytes((tree / name).read_bytes())
    assert fingerprint(elsewhere) == first


def test_fingerprint_changes_with_contents_names_and_values(tree):
    seen = {fingerprint(tree), fingerprint(tree, names=("one.py",)), fingerprint(tree, {"seed": 2, "rate": 0.1})}
    (tree / "one.py").write_text("# one.py!\n")
    seen.add(fingerprint(tree))
    text = [(tree / name).read_bytes() for name in ("one.py", "two.py")]
    (tree / "one.py").write_bytes(text[1])
    (tree / "two.py").write_bytes(text[0])
    seen.add(fingerprint(tree))
    assert len(seen) == 5


@pytest.mark.parametrize("value", [float("nan"), {1, 2}])
def test_fingerprint_refuses_what_is_not_json(tree, value):
    with pytest.raises((TypeError, ValueError)):
        fingerprint(tree, {"value": value})


def test_git_state(tmp_path):
    assert provenance.git_state(tmp_path) == ("unknown", None)
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    commit, dirty = provenance.git_state(tmp_path)
    assert len(commit) == 40
    assert dirty is False
    (tmp_path / "new.py").write_text("")
    assert provenance.git_state(tmp_path) == (commit, True)


def commit_in(folder):
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", *author, "commit", "-q", "--allow-empty", "-m", folder.name], cwd=folder, check=True)


def test_a_repository_around_the_project_is_not_its_own(tmp_path):
    copy = tmp_path / "copied into it"
    copy.mkdir()
    (copy / "tracked.py").write_text("")
    commit_in(tmp_path)
    assert provenance.git_state(copy) == ("unknown", None)
    (tmp_path / "link").symlink_to(copy)
    assert provenance.git_state(tmp_path / "link") == ("unknown", None)
    commit_in(copy)
    assert provenance.git_state(copy)[0] != provenance.git_state(tmp_path)[0]


def test_variables_of_git_do_not_mislead(tmp_path, monkeypatch):
    for name in ("ours", "theirs", "archive"):
        (tmp_path / name).mkdir()
    commit_in(tmp_path / "ours")
    ours = provenance.git_state(tmp_path / "ours")
    (tmp_path / "theirs" / "file").write_text("")
    commit_in(tmp_path / "theirs")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "theirs" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "theirs"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path / "ours"))
    assert provenance.git_state(tmp_path / "ours") == ours == (ours[0], False)
    assert provenance.git_state(tmp_path / "archive") == ("unknown", None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a checkout to another user")
def test_a_checkout_of_another_user_is_unknown_and_says_why(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HOME", str(tmp_path))  # whose git trusts no folder
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "ours").mkdir()
    commit_in(tmp_path / "ours")
    for path in [tmp_path / "ours", *(tmp_path / "ours").rglob("*")]:
        os.chown(path, 12345, 12345)
    assert provenance.git_state(tmp_path / "ours") == ("unknown", None)
    assert "git does not read another user's checkout" in caplog.text


def test_no_git_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_state(tmp_path) == ("unknown", None)


def test_machine(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nmodel name\t: Other\n")
    assert provenance.cpu_model(tmp_path / "cpuinfo") == "Some CPU @ 3 GHz"
    assert provenance.cpu_model(tmp_path / "absent")
    card = tmp_path / "gpus" / "0000:01:00.0"
    card.mkdir(parents=True)
    (card / "information").write_text("Model: \t\t Some GPU\nIRQ: 1\n")
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        assert provenance.gpu_model(tmp_path) == "Some GPU"
        assert provenance.gpu_model(tmp_path / "absent") == "none"


def test_collecting_imports_nothing():
    code = (
        "import sys; from benchmarks.provenance import *; before = set(sys.modules); "
        "collect(run='r', dataset='d', method='m', seed=0, module='m', params={}, device='cpu', threads=1, "
        "libraries=['torch', 'monai']); "
        "assert not {'torch', 'monai'} & (set(sys.modules) - before)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=provenance.ROOT)


def test_interleaving_goes_round_the_tasks():
    turns = stopwatch.interleave("ABC", {"A": 2, "B": 3, "C": 0}.__getitem__)
    assert list(turns) == [(1, "A"), (1, "B"), (2, "A"), (2, "B"), (3, "B")]


def test_measure_sees_a_big_array_and_forgets_it_afterwards():
    if not stopwatch.reset_peak_memory():
        pytest.skip("this kernel has no resettable high-water mark")
    with stopwatch.measure() as big:
        assert np.isnan(big.seconds)
        array = np.ones(25 * 2**20)  # 200 MiB
        array = array[:1].copy()
    with stopwatch.measure() as small:
        array += 1
    assert 150 < big.peak_memory - small.peak_memory < 260


def test_measure_is_filled_by_an_error_too():
    with pytest.raises(KeyError), stopwatch.measure() as cost:
        raise KeyError
    assert cost.seconds > 0
    assert cost.peak_memory > 0


def test_without_proc_the_peak_of_the_whole_process_is_reported(monkeypatch, tmp_path):
    honest = stopwatch.peak_memory()
    monkeypatch.setattr(stopwatch, "_STATUS", tmp_path / "absent")
    monkeypatch.setattr(stopwatch, "_CLEAR_REFS", tmp_path / "absent" / "clear_refs")
    assert not stopwatch.reset_peak_memory()
    assert stopwatch.peak_memory() >= honest * 0.99
