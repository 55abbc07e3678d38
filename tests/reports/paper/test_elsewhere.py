"""GPU seconds that `make gpu` stored stand below a table whose run had no GPU, with the card's name."""

import json

import pytest

from reports.paper import tables
from reports.paper.ledger import judge
from reports.paper.tables import write_paper_tables
from reports.reading.elsewhere import gpu_seconds
from tests.reports.paper.paper_inputs import dice_rows, make_run, network

ROW = {"what": "registration", "network": "syn", "device": "cuda", "precision": "float32", "shape": [128] * 3}


def archive(path, *timings, **machine):
    lines = [{"machine": {"device": "cuda", "gpu": "Old card", "cores": 2, **machine}}]
    lines += [{"timing": {**ROW, "tuned": False, "calls": 10, **timing}} for timing in timings]
    lines.append({"difference": {"network": "syn", "relative": 1e-6}})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_one_scope_size_and_precision_count_and_the_last_row_of_them(tmp_path):
    archive(tmp_path / "gpu-old-1.jsonl", {"median_ms": 70.0}, {"median_ms": 31.0, "network": "net"})
    others = ({"what": "network"}, {"precision": "mixed"}, {"shape": [64] * 3}, {"tuned": True}, {"device": "cpu"})
    failed = {"median_ms": None, "status": "failed"}
    archive(tmp_path / "gpu-old-2.jsonl", {"median_ms": 30.0}, *({"median_ms": 1.0, **each} for each in others), failed)
    assert gpu_seconds(tmp_path) == {"Old card": {"syn": 0.03, "net": 0.031}}


def test_archives_of_different_machines_are_never_one(tmp_path):
    archive(tmp_path / "gpu-1.jsonl", {"median_ms": 70.0}, torch="2.8", commit="a")
    archive(tmp_path / "gpu-2.jsonl", {"median_ms": 30.0, "network": "net"}, torch="2.9", commit="b")
    archive(tmp_path / "gpu-3.jsonl", {"median_ms": 40.0, "network": "net"}, torch="2.8", commit="c")
    seconds = gpu_seconds(tmp_path)
    old, new = (f"Old card (driver unknown, torch {each}, 2 cores of unknown)" for each in ("2.8", "2.9"))
    assert seconds == {old: {"syn": 0.07, "net": 0.04}, new: {"net": 0.03}}


def test_the_stored_archives_can_be_read():
    seconds = gpu_seconds()["NVIDIA H200"]
    assert seconds["rcn-3"] == pytest.approx(0.0259, abs=1e-4)  # of the newest; 0.0295 in the one before
    assert seconds["ldr-1-text"] < seconds["rcn-1"] < seconds["ldr-1"] < seconds["ldr-3"] < 0.1


@pytest.mark.parametrize("known", [True, False])
def test_they_are_a_note_with_the_card_and_no_cell(tmp_path, monkeypatch, known):
    archive(tmp_path / "gpu-old.jsonl", {"median_ms": 30.0, "network": "syn" if known else "else"})
    monkeypatch.setattr(tables, "gpu_seconds", lambda: gpu_seconds(tmp_path))
    networks = [network("net", "syn"), network("syn")]
    paper_run = make_run(tmp_path, dice_rows("one", "syn", [0.7, 0.7]), plays={"one": "one"}, networks=networks)
    judged = judge(paper_run)
    table = write_paper_tables(tmp_path / "t", paper_run, judged)[0]
    notes = [note for note in table.notes if "elsewhere" in note]
    size = "128 x 128 x 128 voxels, full width, single precision"
    listed = "Plain, None 0.030; Taught, Net_work 0.030"
    assert notes == [f"GPU seconds measured elsewhere, on one Old card ({size}; docs/gpu.md): {listed}."] * known
    assert {each.verdict for each in judged if each.cell.device == "cuda"} <= {"not measured", "not printed"}
