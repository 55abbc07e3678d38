"""A folder that a table describes: every column, names of cases, splits; and what is wrong with one, all at once."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.case import Pair, Truth, open_dataset
from datasets.files import DataError
from datasets.folder import prepare
from datasets.own.examine import examine
from datasets.own.options import Params
from tests.datasets.own.folders import AFFINE, POINTS, SHAPE, image, labels, plain, points, problems, save, scans, table
from tests.datasets.own.made import labelled, scene, write


def prepared(tmp_path, source, **options):
    prepare(tmp_path / "prepared", Params(folder=source, **options), name="mine")
    return open_dataset(tmp_path / "prepared")


def test_pairs_splits_and_subjects(tmp_path):
    data = prepared(tmp_path, plain(tmp_path / "in"))
    about = data.description
    assert about.test == (Pair("ann-out", "ann-in"), Pair("bob-out", "bob-in"))
    assert about.training.list == (Pair("eve-out", "eve-in"), Pair("dan-out", "dan-in"))
    assert about.subjects_of(about.test) == ["ann", "bob"]
    assert np.array_equal(Truth(data.folder).labels("ann-in"), labels(0))
    assert data.image("ann-out").affine == pytest.approx(AFFINE)


def test_every_column_and_separator(tmp_path):
    folder = scans(tmp_path / "in", "a", "b", "c")
    save(folder / "mask.nii", np.ones(SHAPE, np.uint8))
    points(folder / "a.txt", POINTS)
    points(folder / "b.txt", POINTS + 0.5)
    table(
        folder,
        "Fixed;moving;fixed_landmarks;moving_landmarks;fixed_mask;split;fixed_subject;moving_subject",
        "a.nii.gz;b.nii.gz;a.txt;b.txt;mask.nii;Test;one;two",
        "",
        "c.nii.gz; ;;;;train;three;",
    )
    data = prepared(tmp_path, folder / "pairs.csv", landmark_unit="voxels")
    assert data.description.test == (Pair("a", "b"),)
    assert data.description.training.cases == ("c",)
    assert data.description.subjects == {"a": "one", "b": "two", "c": "three"}
    assert data.mask("a").all()
    assert Truth(data.folder).landmarks(Pair("a", "b"))[1] == pytest.approx(POINTS + 0.5)


def test_validation_pairs(tmp_path):
    folder = scans(tmp_path / "in", *"abcdef")
    table(folder, "fixed,moving,split", "a.nii.gz,b.nii.gz,", "c.nii.gz,d.nii.gz,val", "e.nii.gz,f.nii.gz,training")
    about = prepared(tmp_path, folder).description
    assert (about.test, about.validation) == ((Pair("a", "b"),), (Pair("c", "d"),))


def test_one_fixed_image_of_all_is_an_atlas(tmp_path):
    folder = scans(tmp_path / "in", "atlas", "a", "b", "c")
    rows = [f"atlas.nii.gz,{name}.nii.gz,{split}" for name, split in (("a", "test"), ("b", "train"), ("c", "train"))]
    table(folder, "fixed,moving,split", *rows)
    about = prepared(tmp_path, folder).description
    assert about.training.pairs == "atlas"
    assert about.training.every_pair == (Pair("atlas", "b"), Pair("atlas", "c"))


@pytest.mark.parametrize("ending", [".nii", ".mha", ".nrrd", ""])
def test_any_format_and_direction_comes_to_the_grid_of_the_fixed_image(tmp_path, ending):
    folder = tmp_path / "in"
    fixed = scene(size=(30, 26, 24), spacing=(1.5, 2, 2.5), turn="LPS")
    moving = scene(size=(28, 30, 34), spacing=(2, 1.75, 1.5), turn="PIR")
    write(fixed, folder / f"fixed{ending}")
    write(moving, folder / f"moving{ending}")
    write(labelled(fixed), folder / "f.nii.gz")
    write(labelled(moving), folder / "m.nii.gz")
    inside = np.array([[10.0, 8, 12], [14, 15, 10], [18, 13, 13.5]])
    there = [fixed.TransformContinuousIndexToPhysicalPoint(at.tolist()) for at in inside]
    points(folder / "f.csv", there)
    points(folder / "m.csv", there)
    table(
        folder,
        "fixed,moving,fixed_labels,moving_labels,fixed_landmarks,moving_landmarks",
        f"fixed{ending},moving{ending},f.nii.gz,m.nii.gz,f.csv,m.csv",
    )
    data = prepared(tmp_path, folder, landmark_unit="lps", window=(0, 1000))
    assert data.description.shape == (30, 26, 24)
    one, other = (data.image(case).array for case in ("fixed", "moving"))
    # the moving image shows the same scene, so that on one grid both are alike but for interpolation
    middle = (slice(6, -6),) * 3
    assert np.abs(one[middle] - other[middle]).max() < 0.03
    truth = Truth(data.folder)
    overlap = truth.labels("fixed") & truth.labels("moving")
    assert overlap.sum() > 0.95 * truth.labels("fixed").sum()
    for side in truth.landmarks(Pair("fixed", "moving")):
        assert side == pytest.approx(inside, abs=1e-2)


def test_scans_on_several_grids_become_several_cases(tmp_path):
    folder = tmp_path / "in"
    for name, size in (("a", (30, 26, 24)), ("b", (34, 28, 20))):
        write(scene(size=size, spacing=(1.5, 2, 2.5)), folder / f"{name}.nii.gz")
    table(folder, "fixed,moving", "a.nii.gz,b.nii.gz", "b.nii.gz,a.nii.gz")
    data = prepared(tmp_path, folder)
    assert data.test_pairs == [Pair("a", "b-on-a"), Pair("b", "a-on-b")]
    assert data.description.subjects["a"] == data.description.subjects["a-on-b"] == "a"
    assert data.image("b-on-a").array.shape == (30, 26, 24)


def test_a_shape_and_a_spacing_keep_the_field_of_view(tmp_path):
    source = plain(tmp_path / "in")
    data = prepared(tmp_path, source, shape=(16, 16, 16))
    assert data.description.shape == (16, 16, 16)
    extent = np.multiply(data.image("ann-in").spacing, 16)
    assert extent == pytest.approx(np.multiply(SHAPE, (1.5, 2.0, 2.5)))
    found = examine(Params(folder=source, spacing=1.0))
    assert found.places.grids["ann-in"].shape == (21, 24, 25)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"spacing": -1.0}, "spacing: expected mm above 0"),
        ({"shape": (16, 16, 0)}, "shape: expected 8 voxels or more"),
        ({"shape": (16, 16, 16), "spacing": 1.0}, "spacing: shape is given too"),
        ({"window": (5.0, 5.0)}, "window: [5.0, 5.0]: the second number has to be the larger one"),
    ],
)
def test_an_option_that_cannot_be_is_one_line(tmp_path, options, fault):
    (line,) = problems(plain(tmp_path / "in"), **options)
    assert line.startswith(fault)


def test_files_of_one_name_in_several_folders_are_told_apart(tmp_path):
    folder = scans(tmp_path / "in", "one/t1", "two/t1", "t2")
    table(folder, "fixed,moving", "one/t1.nii.gz,two/t1.nii.gz", "one/t1.nii.gz,./t2.nii.gz", "two/t1.nii.gz,t2.nii.gz")
    assert examine(Params(folder=folder)).listing.items.keys() == {"one-t1", "two-t1", "t2"}


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    folder = scans(tmp_path / "in", *"abcdefgh")
    save(folder / "fractions.nii.gz", labels() * 0.5)
    save(folder / "smaller.nii.gz", labels(0, (14, 12, 9)))
    save(folder / "labels.nii.gz", labels())
    sitk.WriteImage(sitk.JoinSeries(scene(), scene()), str(folder / "four.mha"))
    (folder / "text.nii.gz").write_text("no image")
    table(
        folder,
        "fixed,moving,fixed_labels,moving_labels,split,fixed_subject,moving_subject",
        "a.nii.gz,absent.nii.gz,,,test,,",
        "a.nii.gz,b.nii.gz,labels.nii.gz,,test,,",
        "c.nii.gz,d.nii.gz,fractions.nii.gz,smaller.nii.gz,test,,",
        "e.nii.gz,four.mha,,,test,,",
        "e.nii.gz,text.nii.gz,,,test,,",
        "e.nii.gz,,,,test,,",
        ",f.nii.gz,labels.nii.gz,,test,,",
        "f.nii.gz,g.nii.gz,,,tset,,",
        "g.nii.gz,h.nii.gz,,,test,kim,kim",
        "f.nii.gz,,,,train,kim,",
        "a.nii.gz,b.nii.gz,,,test",
    )
    found = problems(folder)
    for line, fault in (
        (2, "absent.nii.gz: no such file or folder"),
        (3, "b has no labels, and the other image has"),
        (7, "names no moving image, and a test row is a pair"),
        (8, "names no fixed image"),
        (9, "split 'tset' is none of training, validation and test"),
        (12, "5 cells for 7 columns"),
    ):
        assert [each for each in found if f"line {line}: " in each and fault in each], (line, found)
    for file, fault in (
        ("fractions.nii.gz (pairs.csv, line 4)", "no whole numbers"),
        ("smaller.nii.gz", "does not lie on the grid of"),
        ("four.mha", "4 dimensions"),
        ("text.nii.gz", "not a readable NIfTI image"),
        ("subject kim", "training and test"),
    ):
        assert [each for each in found if file in each and fault in each], (file, found)
    assert not any("\n" in each for each in found)


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ("fixed", "no column 'moving'"),
        ("fixed,moving,fixed_label", "did you mean 'fixed_labels'"),
        ("fixed,moving,moving", "the column 'moving' appears twice"),
        ("fixed,moving,age", "unknown column 'age'; known: .*; #age is not read"),
    ],
)
def test_a_table_with_other_columns_is_refused(tmp_path, head, fault):
    folder = scans(tmp_path / "in", "a")
    table(folder, head, "a.nii.gz" + "," * head.count(","))
    with pytest.raises(DataError, match=fault):
        examine(Params(folder=folder / "pairs.csv"))


def test_columns_of_the_users_own_are_left_alone(tmp_path):
    folder = scans(tmp_path / "in", "a", "b", "c", "d")
    rows = ["#Age,fixed,moving,#", "61,a.nii.gz,b.nii.gz,", "n/a,c.nii.gz,d.nii.gz,late"]
    table(folder, *rows)
    assert len(examine(Params(folder=folder / "pairs.csv")).listing.of("test")) == 2


def test_an_empty_table_an_empty_split_and_a_folder_without_either(tmp_path):
    folder = scans(tmp_path / "in", "a", "b")
    with pytest.raises(DataError, match="neither a"):
        examine(Params(folder=folder))
    table(folder, "fixed,moving,split")
    assert any("names no pair" in each for each in problems(folder))
    table(folder, "fixed,moving,split", "a.nii.gz,b.nii.gz,train")
    assert any("nothing to test on: no row is of the split test" in each for each in problems(folder))
    table(folder, "fixed,moving,split", "a.nii.gz,b.nii.gz,test")
    (folder / "other.csv").write_text("fixed,moving\n")
    with pytest.raises(DataError, match=r"other\.csv, pairs\.csv all name pairs"):
        examine(Params(folder=folder))
    with pytest.raises(DataError, match="no such folder"):
        examine(Params(folder=tmp_path / "nowhere"))
    with pytest.raises(DataError, match="no folder is named"):
        examine(Params())


def test_images_that_do_not_meet_and_windows_without_them(tmp_path):
    folder = scans(tmp_path / "in", "a")
    away = AFFINE.copy()
    away[:3, 3] += 500
    save(folder / "b.nii.gz", image(1), away)
    table(folder, "fixed,moving", "a.nii.gz,b.nii.gz")
    (line,) = problems(folder)
    assert "b covers only 0% of the field of view of a" in line
    assert problems(folder, grid="array") == []
    assert (
        sum("none of them within the window" in each for each in problems(folder, grid="array", window=(5e3, 6e3))) == 2
    )


def test_training_scans_of_several_shapes_are_refused_with_the_way_out(tmp_path):
    folder = scans(tmp_path / "in", "a", "b", "c")
    save(folder / "d.nii.gz", image(4, (14, 12, 11)))
    table(folder, "fixed,moving,split", "a.nii.gz,b.nii.gz,test", "c.nii.gz,,train", "d.nii.gz,,train")
    (line,) = problems(folder)
    assert "shapes differ" in line
    assert problems(folder, shape=(12, 12, 12)) == []


def test_labels_that_count(tmp_path):
    folder = plain(tmp_path / "in")
    names = {"lung": 1, "tumour": 2, "heart": 3}
    assert examine(Params(folder=folder, labels=names)).evaluated == (1, 2)
    assert examine(Params(folder=folder, labels=names, evaluate=("tumour", 1))).evaluated == (2, 1)
    wrong = problems(folder, labels=names, evaluate=("tumor", "heart"))
    assert [each for each in wrong if "did you mean 'tumour'" in each]
    assert [each for each in wrong if "no label map of a test pair holds 'heart'" in each]


def test_a_subject_in_two_splits_is_refused(tmp_path):
    folder = scans(tmp_path / "in", *"abcd")
    table(folder, "fixed,moving,split,subject", "a.nii.gz,b.nii.gz,test,x", "c.nii.gz,d.nii.gz,train,x")
    assert [each for each in problems(folder) if "subject x" in each and "training and test" in each]


def test_what_follows_from_a_problem_is_no_problem_of_its_own(tmp_path):
    folder = scans(tmp_path / "in", "a", "b")
    (folder / "b.nii.gz").write_bytes(b"torn")
    for name in "ab":
        save(folder / f"{name}-labels.nii.gz", labels())
    table(folder, "fixed,moving,fixed_labels,moving_labels", "a.nii.gz,b.nii.gz,a-labels.nii.gz,b-labels.nii.gz")
    (only,) = problems(folder, evaluate=(2,))
    assert only.startswith(f"{folder / 'b.nii.gz'} (pairs.csv, line 2): ")


def test_a_label_map_that_is_not_there_is_one_problem(tmp_path):
    folder = scans(tmp_path / "in", "a", "b")
    save(folder / "a-labels.nii.gz", labels())
    table(folder, "fixed,moving,fixed_labels,moving_labels", "a.nii.gz,b.nii.gz,a-labels.nii.gz,lost.nii.gz")
    (only,) = problems(folder)
    assert "lost.nii.gz: no such file" in only


def test_a_row_that_cannot_be_used_is_the_only_problem(tmp_path):
    folder = scans(tmp_path / "in", "a", "b")
    table(folder, "fixed,moving,split", "a.nii.gz,b.nii.gz,tset")
    (only,) = problems(folder)
    assert "split 'tset' is none of" in only
