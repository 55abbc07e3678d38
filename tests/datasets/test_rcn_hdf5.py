"""The importer of the preprocessed HDF5 sets, on small files of the released layout, sound and damaged."""

import json
import typing

import h5py
import numpy as np
import pytest

from datasets import rcn_hdf5
from datasets.case import Pair, Truth, open_dataset
from datasets.files import DataError, sha256
from datasets.rcn import lists
from tests.datasets.hdf5_inputs import SHAPE, brain_training, liver_training, put
from workflows import prepare as step
from workflows.planning.specs import PrepareSpec
from workflows.register import register
from workflows.running.options import build


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """An empty mirror and an empty cache; returns the folder that the HDF5 files belong in."""
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "mirror" / "rcn_hdf5"
    folder.mkdir(parents=True)
    return folder


def imported(tmp_path, collection, **options):
    folder = tmp_path / "prepared" / collection
    params = build(rcn_hdf5.Params, {"collection": collection, **options})
    rcn_hdf5.prepare(folder, params, name=collection)
    return open_dataset(folder), Truth(folder)


def test_the_lists_are_the_published_ones():
    collections = lists.COLLECTIONS
    hints = typing.get_type_hints(rcn_hdf5.Params)
    assert set(typing.get_args(hints["collection"])) == set(collections)
    counts = {name: sum(part.count for part in collections[name].parts) for name in collections}
    assert counts == {
        "sliver": 20, "lits": 131, "lspig": 34, "lpba": 40, "liver-training": 1025, "brain-training": 2302 + 1
    }  # fmt: skip
    for part in (part for collection in collections.values() for part in collection.parts):
        assert part.file in lists.DRIVE
        assert len(set(part.scans)) in (0, part.count), part
    labels = [*range(21, 35), *range(41, 51), *range(61, 69), *range(81, 93), 101, 102, 121, 122, *range(161, 167)]
    assert sorted(lists.LPBA_LABELS) == [*labels, 181, 182]
    assert lists.LPBA_LABELS[165] == "left hippocampus"


def test_ordered_pairs_and_what_is_missing(tmp_path, mirror, caplog):
    put(mirror / "datasets" / "sliver_val.h5", *(str(n) for n in range(1, 21) if n != 14))  # as the archive unpacks
    data, truth = imported(tmp_path, "sliver")
    assert len(data.test_pairs) == 19 * 18
    assert data.test_pairs[0] == Pair("sliver-1", "sliver-2")
    assert data.description.missing == ("sliver/14",)
    notes = "\n".join(data.description.notes)
    assert "sliver/14: left out, no such group in sliver_val.h5" in notes
    assert "342 test pairs, the paper has 380" in notes
    assert set(data.description.notes) <= set(caplog.messages)
    assert set(data.description.notes) <= set(data.description.preprocessing)  # what the page can show
    data.check_files()
    assert data.training_pairs == []
    assert truth.landmarks(data.test_pairs[0]) is None


def test_values_axes_and_units(tmp_path, mirror):
    path = put(mirror / "lits_val.h5", "0", "7", seed=4)
    data, truth = imported(tmp_path, "lits")
    with h5py.File(path) as archive:
        volume, mask = archive["7/volume"][...], archive["7/segmentation"][...]
    np.testing.assert_allclose(data.image("lits-7").array, volume / 255, atol=1e-7)
    np.testing.assert_array_equal(truth.labels("lits-7"), (mask > 128).astype(int))
    assert data.image("lits-7").spacing == (1, 1, 1)
    assert data.image("lits-7").orientation == ("R", "P", "I")
    assert data.description.spacing is None
    assert any("units are voxels" in step for step in data.description.preprocessing)
    assert data.description.archives == {"lits_val.h5": sha256(path)}
    assert data.description.evaluated_labels == (1,)


def test_a_pig_is_paired_with_itself_both_ways(tmp_path, mirror):
    groups = [f"{pig}_{when}" for pig in ("2017_02", "2018_15") for when in ("aftergas", "pregas")]
    put(mirror / "lspig_val.h5", *groups, "2017_03_pregas")
    data, _ = imported(tmp_path, "lspig")
    after, before = "pigs-2017-02-aftergas", "pigs-2017-02-pregas"
    assert data.test_pairs[:2] == [Pair(after, before), Pair(before, after)]
    assert len(data.test_pairs) == 4
    assert data.description.subjects[after] == data.description.subjects[before] == "pigs-2017-02"
    assert "pigs-2017-03-pregas: in no pair" in "\n".join(data.description.notes)


def test_the_atlas_is_fixed_and_labels_are_kept(tmp_path, mirror):
    values = [0, 21, 34, 102, 181, 182]
    put(mirror / "lpba_val.h5", *(f"S{n:02d}" for n in range(1, 41)), values=values)
    data, truth = imported(tmp_path, "lpba")
    assert data.test_pairs == [Pair("lpba-S01", f"lpba-S{n:02d}") for n in range(2, 41)]
    assert len(data.description.labels) == 56
    assert data.description.evaluated_labels == (21, 34, 102, 181, 182)
    assert "no scan holds the labels 22, " in data.description.notes[-1]
    sets = data.description.label_sets
    assert {name: len(regions) for name, regions in sets.items()} == {"lpba-56": 56, "lpba-54": 54, "lpba-7": 7}
    assert {label for region in sets["lpba-7"] for label in region}.isdisjoint({101, 102, 161, 162, 181, 182})
    assert sum(map(len, sets["lpba-7"])) == 14 + 10 + 8 + 12 + 2 + 2 + 2
    assert set(np.unique(truth.labels("lpba-S33"))) == set(values)
    assert data.description.missing == ()


def test_label_values_stored_as_float_are_rounded(tmp_path, mirror):
    stored = np.full(SHAPE, 20.7, np.float32)
    put(mirror / "lpba_val.h5", "S01", "S02", segmentation=stored)
    _, truth = imported(tmp_path, "lpba")
    assert np.unique(truth.labels("lpba-S02")) == 21


def test_liver_training_has_pairs_and_no_test(tmp_path, mirror):
    liver_training(mirror)
    data, truth = imported(tmp_path, "liver-training")
    cases = ["liver-132", "liver-133", "hepaticvessel-1", "pancreas-421", "youyi-00139427-225", "youyi-13472546-180-1"]
    assert data.training_cases == cases
    assert len(data.training_pairs) == 6 * 5
    assert data.test_pairs == []
    assert truth.labels(cases[0]) is None
    assert "youyi_liver.h5: 2 scans, the published list has 92" in data.description.notes
    assert "liver/134" in data.description.missing
    assert any(
        note.startswith("liver/134, liver/135, ") and " and 63 more: left out" in note
        for note in data.description.notes
    )


def test_brain_training_has_the_atlas_fixed(tmp_path, mirror):
    brain_training(mirror)
    data, _ = imported(tmp_path, "brain-training")
    moving = ["adni-7", "abide-GU-1-28741", "abidef-CMU-50642", "adhd-NYU-10"]
    assert data.training_pairs == [Pair("lpba-S01", case) for case in moving]
    assert data.test_pairs == []


@pytest.mark.parametrize("make", [liver_training, brain_training])
def test_the_step_accepts_a_set_without_test_pairs(tmp_path, mirror, make):
    make(mirror)
    collection = make.__name__.replace("_", "-")
    folder = tmp_path / "data" / collection
    step.prepare(PrepareSpec(name=collection, module="rcn_hdf5", params={"collection": collection}, folder=folder))
    assert open_dataset(folder).training_pairs
    assert all((folder / part).is_dir() for part in ("images", "masks", "truth"))  # the outputs of the rule


def test_registering_a_training_set_is_refused(tmp_path, mirror, registration):
    liver_training(mirror)
    data, _ = imported(tmp_path, "liver-training")
    with pytest.raises(DataError, match="no test pairs, it is for training alone"):
        register(registration(data), 1)


def test_a_missing_file_says_what_to_get_and_where_to_put_it(tmp_path, mirror):
    put(mirror / "lpba_val.h5", "S01")
    with pytest.raises(DataError) as caught:
        imported(tmp_path, "brain-training")
    text = str(caught.value)
    assert "\n" not in text
    for file in ("abide.h5", "abidef.h5", "adhd.h5", "adni.h5"):
        assert file in text
    assert 'adni.h5 from "ADNI, ABIDE, and ADHD", https://drive.google.com/open?id=1rJtP9M1' in text
    assert "lpba_val.h5" not in text
    assert str(tmp_path / "cache" / "rcn_hdf5") in text
    assert "WARPBENCH_MIRROR" in text


def test_a_folder_of_ones_own_comes_first(tmp_path, mirror):
    put(mirror / "lits_val.h5", "0", "1", "2")
    own = put(tmp_path / "own" / "lits_val.h5", "0", "1", seed=1)
    assert rcn_hdf5.find_files(["lits_val.h5"], str(tmp_path / "own")) == {"lits_val.h5": own}
    data, _ = imported(tmp_path, "lits", source=str(tmp_path / "own"))
    assert len(data.test_pairs) == 2
    with pytest.raises(DataError, match="option `source`"):
        rcn_hdf5.find_files(["lits_val.h5"], str(tmp_path / "nowhere"))


def test_two_files_of_one_name_are_not_guessed_between(mirror):
    put(mirror / "lits_val.h5", "0")
    put(mirror / "old" / "lits_val.h5", "0")
    with pytest.raises(DataError, match=r"lits_val\.h5 is there 2 times"):
        rcn_hdf5.find_files(["lits_val.h5"])


def test_a_mirror_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "gone"))
    with pytest.raises(DataError, match=r"WARPBENCH_MIRROR=.*no such folder"):
        rcn_hdf5.find_files(["lits_val.h5"])


def test_a_known_checksum_is_enforced(tmp_path, mirror):
    path = put(mirror / "lits_val.h5", "0", "1")
    imported(tmp_path, "lits", checksums={"lits_val.h5": sha256(path)})
    with pytest.raises(DataError, match="wrong checksum"):
        imported(tmp_path, "lits", checksums={"lits_val.h5": "0" * 64})


@pytest.mark.fault(17)
@pytest.mark.parametrize("size", [0, 60, 1500])
def test_a_truncated_file(tmp_path, mirror, size):
    path = put(mirror / "lits_val.h5", "0", "1")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=rf"lits_val\.h5: not a readable HDF5 file \({size} bytes"):
        imported(tmp_path, "lits")


@pytest.mark.fault(17)
def test_a_web_page_in_place_of_the_file(tmp_path, mirror):
    (mirror / "lits_val.h5").write_text("<html>Quota exceeded</html>")
    with pytest.raises(DataError, match="a web page lies under this name: a daily quota"):
        imported(tmp_path, "lits")


@pytest.mark.fault(17)
def test_damaged_content_is_named(tmp_path, mirror):
    path = put(mirror / "lits_val.h5", "0", "1")
    with h5py.File(path) as archive:
        chunk = archive["1/volume"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\xff" * chunk.size
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"lits_val\.h5: /1/volume: cannot be read"):
        imported(tmp_path, "lits")


BAD = {
    "segmentation: 1 of 315 values are NaN or infinite": {
        "segmentation": np.r_[np.full(314, 255.0), np.nan].reshape(SHAPE)
    },
    "expected numbers, got dtype complex": {"volume": np.full(SHAPE, 1j)},
    "no dataset 'segmentation', found": {"segmentation": None, "point": np.zeros(3), "segmentation/inner": np.ones(3)},
    "expected numbers, got dtype": {"volume": np.full(SHAPE, b"x")},
    "no dataset 'volume', found point, segmentation": {"volume": None},
    "three axes": {"volume": np.ones((4, 4), np.uint8)},
    "from 0 to 255, got -3 to 400": {"volume": np.linspace(-3, 400, np.prod(SHAPE)).reshape(SHAPE)},
    "from 0 to 255, got nan": {"volume": np.full(SHAPE, np.nan)},
    "from 0 to 255, got 9 to 9": {"volume": np.full(SHAPE, 9)},
    r"shape \(6, 7, 9\), the scans before it \(5, 7, 9\)": {"volume": np.arange(6 * 63).reshape(6, 7, 9) % 255},
    r"segmentation \(5, 7, 8\) on a volume \(5, 7, 9\)": {"segmentation": np.full((5, 7, 8), 255)},
    r"no voxel above 128 \(largest value 1\)": {"segmentation": np.ones(SHAPE, np.uint8)},
}


@pytest.mark.fault(17)
@pytest.mark.parametrize(("message", "members"), BAD.items(), ids=BAD)
def test_a_scan_of_another_form_is_refused_by_name(tmp_path, mirror, message, members):
    path = put(mirror / "lits_val.h5", "0")
    put(path, "5", **members)
    with pytest.raises(DataError, match=message) as caught:
        imported(tmp_path, "lits")
    assert f"{path}: /5" in str(caught.value)


def test_a_volume_in_the_unit_interval_is_not_divided(tmp_path, mirror):
    volume = np.random.default_rng(0).random(SHAPE, np.float32)
    put(mirror / "lits_val.h5", "0", "1", volume=volume)
    data, _ = imported(tmp_path, "lits")
    np.testing.assert_allclose(data.image("lits-1").array, volume, atol=1e-7)


def test_a_scan_that_cannot_be_scored_is_left_out_and_said(tmp_path, mirror):
    path = put(mirror / "lits_val.h5", "0", "1")
    put(path, "2", segmentation=None)
    data, _ = imported(tmp_path, "lits")
    assert "lits/2" in data.description.missing
    assert data.test_pairs == [Pair("lits-0", "lits-1"), Pair("lits-1", "lits-0")]


@pytest.mark.fault(17)
def test_a_wrong_file_and_an_unlisted_group(tmp_path, mirror):
    path = put(mirror / "lits_val.h5", "volume-0")
    with pytest.raises(DataError, match="none of the scans of 'lits' is there, found volume-0"):
        imported(tmp_path, "lits")
    put(path, "0", "1")
    data, _ = imported(tmp_path, "lits")
    assert "1 groups that no list names are not read: volume-0" in "\n".join(data.description.notes)


def test_no_atlas_no_pairs(tmp_path, mirror):
    put(mirror / "lpba_val.h5", "S02", "S03", values=[21])
    with pytest.raises(DataError, match="the atlas lpba-S01 is not among the scans"):
        imported(tmp_path, "lpba")


def test_the_description_is_plain_json(tmp_path, mirror):
    put(mirror / "lits_val.h5", "0", "1")
    data, _ = imported(tmp_path, "lits")
    about = json.loads((data.folder / "dataset.json").read_text(encoding="utf-8"))
    assert {"licence", "source", "title", "modality", "anatomy"} <= about.keys()
