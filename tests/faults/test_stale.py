"""Data sets follow the files behind them: an edit prepares them anew, and what changes no content does not."""

import hashlib
import json
import os
import shutil
import time

import pytest

from datasets import originals
from datasets.case import open_dataset
from tests.faults.originals_inputs import look, pigs, put_pigs, rewrite
from workflows.planning.specs import PrepareSpec
from workflows.prepare import prepare
from workflows.running import stale


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """The pigs, prepared from a folder of the user; returns the specification and the file they came from."""
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    path = put_pigs(tmp_path / "mine")
    spec = pigs(tmp_path / "data" / "pigs", path.parent)
    prepare(spec)
    return spec, path


@pytest.mark.parametrize("sound", [True, False])
def test_a_link_in_the_place_of_prepared_data_gives_way_and_costs_nothing_elsewhere(prepared, tmp_path, sound):
    spec = prepared[0]
    shutil.rmtree(spec.folder)
    other = tmp_path / "other disk"
    if sound:
        other.mkdir()
        (other / "mine.txt").write_text("x")
    spec.folder.symlink_to(other)
    prepare(spec)
    assert not spec.folder.is_symlink()
    assert open_dataset(spec.folder).test_pairs
    assert [path.name for path in other.glob("*")] == ["mine.txt"] * sound


def test_nothing_has_changed(prepared):
    assert look(prepared[0]) == (0, "")


@pytest.mark.fault(23)
def test_new_times_and_one_content_rerun_nothing_and_are_read_once(prepared, monkeypatch):
    spec, path = prepared
    rewrite(path, path.read_bytes())
    os.utime(path, (1, 1))
    time.sleep(originals.COARSE_NS / 1e9 + 0.1)  # until then the times of the file are too fresh to be trusted
    assert look(spec) == (0, "")
    monkeypatch.setattr(hashlib, "file_digest", None)  # nobody may read the content any more
    assert look(spec) == (0, "")


@pytest.mark.fault(23)
@pytest.mark.parametrize("when", ["as before", "a day ahead", "long ago"])
def test_an_edit_is_seen_whatever_the_clock_says(prepared, when):
    spec, path = prepared
    before = path.stat()
    put_pigs(path.parent, seed=1)
    assert path.stat().st_size == before.st_size
    ns = {"as before": before.st_mtime_ns, "a day ahead": time.time_ns() + 86400 * 10**9, "long ago": 10**9}[when]
    os.utime(path, ns=(ns, ns))
    assert look(spec) == (1, f"data set pigs: {path} has changed since it was prepared, so it is prepared anew")
    assert stale.changes_before([spec.folder]) == {"pigs": 1}  # where a cluster runs a job
    prepare(spec)
    assert look(spec) == (1, "")
    put_pigs(path.parent, seed=2)
    assert look(spec)[0] == 2


def test_times_that_are_too_fresh_are_not_trusted(tmp_path):
    (tmp_path / "a").write_text("a")
    fresh = originals.stamp(tmp_path / "a")
    assert not fresh.fits(tmp_path / "a")
    later = time.time() + 100
    os.utime(tmp_path / "a", (later, later))  # a server's clock may be ahead
    assert not originals.stamp(tmp_path / "a").fits(tmp_path / "a")


def test_a_look_changes_nothing_and_tells(prepared):
    spec, path = prepared
    put_pigs(path.parent, seed=1)
    kept = stale.record_of(spec.folder).read_bytes()
    assert look(spec, writes=False)[0]
    assert stale.record_of(spec.folder).read_bytes() == kept


def test_what_is_due_stays_due_until_it_is_prepared(prepared):
    spec, path = prepared
    sound = path.read_bytes()
    path.write_bytes(sound[:100])
    assert look(spec)[0] == 1
    rewrite(path, sound)  # the run in between may have removed what was prepared
    line = "data set pigs: its files have changed and it was not yet prepared from them, so it is prepared anew"
    assert look(spec) == look(spec) == (1, line)
    prepare(spec)
    assert look(spec) == (1, "")


def test_a_folder_that_has_the_name_of_a_choice_is_no_original(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put_pigs(tmp_path / "lspig")
    path = put_pigs(tmp_path / "mine")
    spec = pigs(tmp_path / "data" / "pigs", path.parent)
    prepare(spec)
    assert set(json.loads(stale.record_of(spec.folder).read_bytes())["files"]) == {str(path)}
    put_pigs(tmp_path / "lspig", seed=1)
    assert look(spec) == (0, "")


def test_a_file_is_hashed_once(tmp_path, monkeypatch):
    path, met, hashed = put_pigs(tmp_path / "mine"), [], hashlib.file_digest
    spec = pigs(tmp_path / "data" / "pigs", path.parent)
    spec.params["checksums"] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}

    def watched(stream, kind):
        met.append(stream.name)
        return hashed(stream, kind)

    monkeypatch.setattr(hashlib, "file_digest", watched)
    prepare(spec)
    assert [name for name in map(str, met) if name == str(path)] == [str(path)]
    assert open_dataset(spec.folder).description.archives == spec.params["checksums"]


@pytest.mark.fault(23)
def test_a_linked_folder_is_followed(prepared, tmp_path):
    spec, path = prepared
    elsewhere, other = tmp_path / "elsewhere", tmp_path / "other"
    shutil.move(path.parent, elsewhere)
    path.parent.symlink_to(elsewhere)
    assert look(spec) == (0, "")
    shutil.copytree(elsewhere, other)
    path.parent.unlink()
    path.parent.symlink_to(other)
    assert look(spec) == (0, "")
    put_pigs(other, seed=1)
    assert look(spec)[0]


def test_a_file_that_comes_is_a_change_and_a_leftover_is_none(prepared):
    spec, path = prepared
    for name in ("._lspig_val.h5", ".DS_Store", "notes.txt", "lspig_val.h5~"):
        (path.parent / name).write_text("x")
    assert look(spec) == (0, "")
    put_pigs(path.parent / "more")
    assert look(spec)[0]


def test_files_that_are_gone_leave_what_was_prepared(prepared):
    spec, path = prepared
    shutil.rmtree(path.parent)
    assert look(spec) == (
        0, f"data set pigs: {path} can no longer be read; what was prepared from it is kept"
    )  # fmt: skip
    open_dataset(spec.folder).check_files()


def test_a_mirror_may_move_but_not_change(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    put_pigs(tmp_path / "mirror" / "rcn_hdf5")
    spec = pigs(tmp_path / "data" / "pigs", None)
    prepare(spec)
    shutil.copytree(tmp_path / "mirror", tmp_path / "copy")
    shutil.rmtree(tmp_path / "mirror")
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "copy"))
    assert look(spec) == (0, "")
    put_pigs(tmp_path / "third" / "rcn_hdf5", seed=1)
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "third"))
    assert look(spec)[0]


def test_a_mirror_that_comes_later_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    put_pigs(tmp_path / "cache" / "rcn_hdf5")
    spec = pigs(tmp_path / "data" / "pigs", None)
    prepare(spec)
    put_pigs(tmp_path / "mirror" / "rcn_hdf5", seed=1)
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    assert look(spec)[0]


def test_a_record_that_is_cut_short_prepares_anew(prepared):
    spec, _ = prepared
    record = stale.record_of(spec.folder)
    record.write_bytes(record.read_bytes()[:-9])
    changes, line = look(spec)
    assert changes > 0
    assert "not yet prepared" in line
    prepare(spec)
    assert look(spec) == (changes, "")


def test_a_phantom_has_no_originals(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("liver", "inter_subject", "My livers"):  # folders that options happen to name
        put_pigs(tmp_path / name)
    params = {"anatomy": "liver", "shape": [16, 18, 20], "training": 0, "test": 2, "title": "My livers"}
    spec = PrepareSpec(name="drawn", module="phantom", params=params, folder=tmp_path / "drawn")
    prepare(spec)
    assert not stale.record_of(spec.folder).exists()
