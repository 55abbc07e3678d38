"""What a data set says of itself: names, pairs and splits, and dataset.json; what contradicts itself is refused."""

from dataclasses import replace

import numpy as np
import pytest

from datasets.case import Pair, Truth, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import DataError
from datasets.placement import Placement
from datasets.problem import UnfitError
from tests.datasets.small_set import ABOUT, AFFINE, IMAGE, LABELS, POINTS, SHAPE, prepare, problems


def test_what_is_described_may_be_lists(tmp_path):
    wrong, *_ = problems(tmp_path / "wrong", replace(ABOUT, shape=[*SHAPE[:2], 9]))
    assert wrong.startswith("shape: ")
    placed = Placement(SHAPE, AFFINE)
    about = replace(ABOUT, shape=list(SHAPE), orientation=list(placed.orientation), spacing=list(placed.spacing))
    assert prepare(tmp_path / "right", about).description.shape == SHAPE


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "/a", "a__b", "_a", "a_", ".a", "-a", " a", "a ", "a\nb", "a\0b", "a\ud800", "ä" * 51],
    ids=ascii,
)
def test_a_name_that_cannot_be_is_refused_at_once(tmp_path, name):
    writer = Writer(tmp_path / "data")
    for case in (name, "m"):
        writer.image(case, IMAGE, AFFINE)
    with pytest.raises(UnfitError, match=r"case .*name") as caught:
        writer.finish(replace(ABOUT, evaluated_labels=(), test=(Pair(name, "m"),)))
    assert len(caught.value.problems) == 1
    assert [path.name for path in tmp_path.rglob("*.nii.gz")] == ["m.nii.gz"]


@pytest.mark.parametrize(
    "name", ["Zoë", "患者 1", "100%", "a#b", "it's", 'say "x"', "a\\b", "{x}", "$HOME", "a_b-c.d", "ä" * 50]
)
def test_any_other_name_works(tmp_path, name):
    writer, pair = Writer(tmp_path), Pair(name, "m")
    for case in (name, "m"):
        writer.image(case, IMAGE, AFFINE)
        writer.labels(case, LABELS, AFFINE)
    writer.landmarks(pair, POINTS, POINTS)
    writer.finish(replace(ABOUT, test=(pair,)))
    data = open_dataset(tmp_path)
    assert data.test_pairs == [pair] == [Pair.from_name(pair.name)]
    assert len(Truth(tmp_path).landmarks(pair)[0]) == 5
    data.check_files()


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ((("a", "a"),), "registers an image with itself"),
        ((("a", "b"), ("a", "b")), "is listed 2 times"),
        ((("a", "B"), ("a", "b")), "cases 'B' and 'b': some disks do not tell"),
        ((("a", "\u00e9"), ("a", "e\u0301")), "some disks do not tell"),
        ((("a_b", "c"), ("a", "b_c")), "would share the file disp_a_b_c.nii.gz"),
    ],
)
def test_pairs_that_would_be_mixed_up_are_refused(tmp_path, pairs, words):
    pairs, writer = tuple(Pair(*pair) for pair in pairs), Writer(tmp_path)
    for case in {case for pair in pairs for case in (pair.fixed, pair.moving)}:
        writer.image(case, IMAGE, AFFINE)
    with pytest.raises(UnfitError) as caught:
        writer.finish(replace(ABOUT, evaluated_labels=(), test=pairs))
    assert words in str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"test": ()}, "neither test pairs nor training cases"),
        ({"test": (Pair("f", "x"),)}, "images/x.nii.gz: pairs name images that were not written"),
        ({"training": TrainingSplit(("f",))}, "subject f: in both training and test; take it out of one"),
        ({"training": TrainingSplit(("x",)), "subjects": {"x": "same", "m": "same"}}, "subject same: in both training"),
        ({"validation": (Pair("m", "x"),)}, "subject m: in both validation and test"),
        (
            {"training": TrainingSplit(("x",)), "validation": (Pair("y", "x"),)},
            "subject x: in both training and validation",
        ),
        ({"validation": (Pair("x", "x"),)}, "validation pair x__x: registers an image with itself"),
        ({"validation": (Pair("x", "y"),) * 2}, "validation pair x__y: is listed 2 times"),
        ({"training": TrainingSplit((), "listed", list=(Pair("x", "y"),))}, "not in training.cases"),
        ({"spacing": (1.5, 1.0, 2.0)}, "spacing: (1.5, 1.0, 2.0) is described, but f has (1.5, 1.0, 2.5)"),
        ({"orientation": ("R", "A", "S")}, "orientation: ('R', 'A', 'S') is described"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path, change, words):
    assert any(words in text for text in problems(tmp_path, replace(ABOUT, **change)))


def test_a_number_that_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match="description cannot be stored"):
        prepare(tmp_path, replace(ABOUT, severity={"f__m": float("nan")}))
    assert not (tmp_path / "dataset.json").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": "mine"', b"\xff\xfe\0", b'{"name": "a", "test": 1}'])
def test_a_broken_description_says_what_to_do(tmp_path, content):
    prepare(tmp_path)
    (tmp_path / "dataset.json").write_bytes(content)
    with pytest.raises(DataError, match=r"dataset\.json: not a prepared data set .*run again with --forcerun"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"moving": "m"', '"moving": "f"', "test pair f__f: registers an image with itself"),
        ('"moving": "m"', '"moving": "../../m"', "a name cannot hold slashes"),
        ('"evaluated_labels": [', '"evaluated_labels": [ 0,', "evaluated label 0: labels are numbers from 1"),
        (
            '"evaluated_labels": [',
            '"label_sets": {"few": [[1], [2, 1]]}, "evaluated_labels": [',
            "label set 'few', label 1: its labels are numbers from 1 to 65535, each once",
        ),
    ],
)
def test_an_edited_description_that_contradicts_itself_says_what_to_do(tmp_path, old, new, words):
    prepare(tmp_path)
    path = tmp_path / "dataset.json"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=f"{words}.*; run again with --forcerun"):
        open_dataset(tmp_path)


def test_a_key_that_nobody_knows_is_refused(tmp_path):
    prepare(tmp_path)
    path = tmp_path / "dataset.json"
    path.write_text(path.read_text().replace('"evaluated_labels"', '"evaluated_label"'))
    with pytest.raises(DataError, match="unknown keys evaluated_label"):
        open_dataset(tmp_path)


def test_lists_and_numpy_numbers_of_a_description_are_as_good_as_tuples(tmp_path):
    writer = Writer(tmp_path)
    for case in ("a", "b"):
        writer.image(case, np.random.default_rng(0).random((4, 5, 6)), np.eye(4))
        writer.labels(case, np.ones((4, 5, 6)), np.eye(4))
    labels = list(np.array([1]))
    about = Description(name="mine", training=TrainingSplit([]), test=[Pair("a", "b")], evaluated_labels=labels)
    writer.finish(replace(about, source=tmp_path, shape=[4, 5, 6]))
    read = open_dataset(tmp_path).description
    assert (read.test, read.evaluated_labels, read.shape, read.source) == (
        (Pair("a", "b"),),
        (1,),
        (4, 5, 6),
        str(tmp_path),
    )


@pytest.mark.parametrize(
    ("key", "value"), [("test", (("a", "b"),)), ("training", []), ("test", (Pair(1, 2),)), ("phantom", "no")]
)
def test_a_value_of_another_type_names_its_key(tmp_path, key, value):
    about = Description(name="mine", training=TrainingSplit(()), test=())
    with pytest.raises(DataError, match=rf"the description does not fit \(.*{key}.*\); correct the module"):
        Writer(tmp_path).finish(replace(about, **{key: value}))


def test_the_rule_atlas_needs_one(tmp_path):
    about = Description(name="mine", training=TrainingSplit(("a",), "atlas"), test=())
    with pytest.raises(DataError, match="the rule atlas needs a case"):
        Writer(tmp_path).finish(about)


def test_the_digest_of_what_methods_see_knows_no_title_and_no_truth():
    files = {"images/a.nii.gz": "1", "masks/a.nii.gz": "2", "truth/labels/a.nii.gz": "3"}
    about = Description(name="mine", training=TrainingSplit(()), test=(), files=files)
    seen = about.digest("images", "masks")
    assert replace(about, title="new", files={**files, "truth/labels/a.nii.gz": "4"}).digest("images", "masks") == seen
    assert replace(about, files={**files, "masks/a.nii.gz": "4"}).digest("images", "masks") != seen
