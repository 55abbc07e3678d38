"""Snapshots judged while a network trains: the right numbers, once each, and no way back to the training."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.measures.landmarks import tre
from datasets.case import Pair, Truth, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import DataError
from workflows.running.watcher import Watcher

SHAPE, SPACING = (6, 8, 10), (1.5, 1.0, 2.0)
AFFINE = np.diag([*SPACING, 1.0])


@pytest.fixture
def data(tmp_path):
    writer, rng = Writer(tmp_path / "data"), np.random.default_rng(0)
    for case in ("f", "m", "lone"):
        writer.image(case, rng.random(SHAPE), AFFINE)
    writer.landmarks(Pair("f", "m"), rng.random((5, 3)) * 4, rng.random((5, 3)) * 4)
    pairs = [Pair("f", "m"), Pair("f", "lone")]
    writer.finish(Description(name="tiny", training=TrainingSplit(()), test=tuple(pairs)))
    return open_dataset(tmp_path / "data")


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def still(fixed, moving, spacing):
    assert fixed.shape == SHAPE
    assert spacing == SPACING
    return np.zeros((3, *SHAPE), np.float32)


def test_a_row_for_each_pair_with_landmarks(data, tmp_path):
    watcher = Watcher([data.folder], tmp_path / "snapshots.jsonl")
    assert watcher(50, still) is None
    watcher(100, lambda *images: still(*images) + 1)
    rows = lines(tmp_path / "snapshots.jsonl")
    assert [(row["iteration"], row["dataset"], row["pair"]) for row in rows] == [
        (50, "tiny", "f__m"),
        (100, "tiny", "f__m"),
    ]
    errors = tre(np.zeros((3, *SHAPE), np.float32), *Truth(data.folder).landmarks(Pair("f", "m")), SPACING)
    assert (rows[0]["count"], rows[0]["mean"], rows[0]["sd"]) == pytest.approx((5, errors.mean(), errors.std()))
    assert rows[1]["mean"] != rows[0]["mean"]


def test_a_resumed_training_repeats_no_row_and_drops_a_torn_one(data, tmp_path):
    path = tmp_path / "snapshots.jsonl"
    first = Watcher([data.folder], path)
    for iteration in (50, 100, 150):
        first(iteration, still)
    path.write_text(path.read_text(encoding="utf-8")[:-20])
    resumed = Watcher([data.folder], path)
    for iteration in (100, 150, 200):
        resumed(iteration, still)
    assert [row["iteration"] for row in lines(path)] == [50, 100, 150, 200]


def test_images_that_changed_and_data_without_landmarks_are_refused(data, tmp_path):
    image = data.image_path("f")
    Path(image).write_bytes(Path(image).read_bytes() + b"x")
    with pytest.raises(DataError, match="changed since it was prepared"):
        Watcher([data.folder], tmp_path / "snapshots.jsonl")(50, still)
    writer = Writer(tmp_path / "bare")
    for case in ("f", "m"):
        writer.image(case, np.random.default_rng(0).random(SHAPE), AFFINE)
    writer.finish(Description(name="bare", training=TrainingSplit(()), test=(Pair("f", "m"),)))
    with pytest.raises(DataError, match="no test pair has landmarks; take 'bare' out of watch"):
        Watcher([tmp_path / "bare"], tmp_path / "snapshots.jsonl")(50, still)


def test_a_network_that_has_left_the_numbers_gives_a_row_without_an_error(data, tmp_path):
    watcher = Watcher([data.folder], tmp_path / "snapshots.jsonl")
    watcher(50, lambda *images: still(*images) + np.inf)
    assert lines(tmp_path / "snapshots.jsonl")[0]["mean"] is None
