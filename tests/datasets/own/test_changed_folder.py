"""A folder of a user's own that changes is prepared anew; what is none of its data changes nothing."""

import numpy as np
import pytest

from datasets.folder import prepare
from datasets.found import note_unseen
from datasets.originals import recording
from datasets.own.options import Params
from tests.datasets.own.folders import POINTS, image, labels, paired, plain, points, save
from tests.datasets.own.made import SHIFT, scene, write
from workflows.running import stale


def look(folder):
    return stale.looks([folder], writes=False)["mine"]


@pytest.fixture
def prepared(tmp_path):
    """Return a function that prepares a folder as a run does, and says what that was made from."""

    def make(source, **options):
        folder = tmp_path / "data" / "mine"
        params = Params(folder=source, **options)
        with recording(folder) as originals:
            prepare(folder, params, name="mine")
            note_unseen(params)
        stale.keep(originals, folder)
        assert not look(folder).due
        return folder

    return make


def test_an_image_labels_and_the_table_count_and_nothing_else(tmp_path, prepared):
    source = plain(tmp_path / "in")
    folder = prepared(source)
    (source / "notes.txt").write_text("no data")
    (source / "results").mkdir()
    save(source / "results" / "warped.nii.gz", image(9))
    assert not look(folder).due
    save(source / "ann" / "in-seg.nii.gz", labels(2))
    assert "ann/in-seg.nii.gz has changed" in look(folder).line
    folder = prepared(source)
    (source / "pairs.csv").write_text((source / "pairs.csv").read_text().replace(",test,bob", ",train,bob"))
    assert "pairs.csv has changed" in look(folder).line


def test_landmarks_that_are_added_to_a_layout_count(tmp_path, prepared):
    made = paired(tmp_path / "in", "LungCT", "keypoints")
    folder = prepared(made.write())
    for scan in (0, 1):
        points(made.path(101, scan, "landmarks", ending=".csv"), POINTS)
    assert "was added since it was prepared" in look(folder).line


def test_files_that_no_python_code_opens_count(tmp_path, prepared):
    source = tmp_path / "in"
    write(scene(size=(14, 12, 10)), source / "a.mha")
    write(scene(size=(14, 12, 10), shift=SHIFT), source / "b")
    (source / "pairs.csv").write_text("fixed,moving\na.mha,b\n")
    folder = prepared(source)
    slices = sorted((source / "b").iterdir())
    (source / "b" / "more.dcm").write_bytes(slices[0].read_bytes())
    assert "more.dcm was added" in look(folder).line
    (source / "b" / "more.dcm").unlink()
    content = np.fromfile(source / "a.mha", np.uint8)
    content[-1] ^= 1
    content.tofile(source / "a.mha")
    assert "a.mha has changed" in look(folder).line
