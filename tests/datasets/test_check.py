"""Whatever a data set holds is checked before it counts as prepared, and all that is wrong is named at once."""

import re
from dataclasses import replace

import numpy as np
import pytest

from datasets.case import Pair, Truth, Writer
from datasets.description import Description, TrainingSplit
from datasets.problem import UnfitError
from tests.datasets.small_set import (
    ABOUT,
    AFFINE,
    IMAGE,
    LABELS,
    PAIR,
    POINTS,
    SHAPE,
    at,
    flipped,
    moved,
    prepare,
    problems,
    sheared,
    tilted,
)


def test_a_sound_data_set_passes(tmp_path):
    data = prepare(tmp_path)
    assert data.description.notes == ()
    assert np.array_equal(Truth(tmp_path).labels("f"), LABELS)
    data.check_files()


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    ("affine", "words"),
    [
        (flipped(0), "orientations differ, LPS and RPS"),
        (flipped(2), "orientations differ, LPS and LPI"),
        (AFFINE[:, [1, 0, 2, 3]], "orientations differ, LPS and PLS"),
        (tilted(5), r"orientations differ, LPS \[\[-1"),
        (moved(0, 0.02, 0), "origins differ, 4, 5, -6 and 4, 5.02, -6 mm"),
        (moved(0, 0, 40), "origins differ"),
        (AFFINE @ np.diag([1, 1, 1.004, 1]), "voxel sizes differ, 1.5, 1, 2.5 and 1.5, 1, 2.51 mm"),
    ],
    ids=["flip 0", "flip 2", "swapped axes", "tilt", "small shift", "large shift", "spacing"],
)
def test_a_pair_that_does_not_lie_alike_is_refused(tmp_path, affine, words):
    found = problems(tmp_path, m=(IMAGE, affine), m_labels=(LABELS, affine), m_mask=(LABELS > 0, affine))
    assert len(found) == 1
    assert found[0].startswith("test pair f__m: grids differ: ")
    assert re.search(words, found[0])
    assert "resample" in found[0]


@pytest.mark.fault(16)
def test_another_shape_is_refused(tmp_path):
    found = problems(tmp_path, m=(IMAGE[:-1], AFFINE), m_labels=(LABELS[:-1], AFFINE), m_mask=(LABELS[:-1] > 0, AFFINE))
    assert found[0].startswith("test pair f__m: grids differ: shapes differ, 6 x 7 x 8 and 5 x 7 x 8 voxels")


@pytest.mark.parametrize("part", ["labels", "mask"])
@pytest.mark.parametrize("affine", [moved(5, 0, 0), flipped(1), tilted(2), AFFINE @ np.diag([1, 1.1, 1, 1])])
def test_labels_and_masks_lie_as_their_image(tmp_path, part, affine):
    found = problems(tmp_path, **{f"f_{part}": (LABELS > 0, affine)}, about=replace(ABOUT, evaluated_labels=(1,)))
    file = "truth/labels/f.nii.gz" if part == "labels" else "masks/f.nii.gz"
    assert [text.split(":")[0] for text in found] == [file]
    assert "does not lie as its image" in found[0]


def test_rounding_of_headers_is_no_difference(tmp_path):
    affine = AFFINE @ np.diag([1 + 1e-5, 1, 1, 1]) + 1e-5 * (np.arange(16).reshape(4, 4) < 12)
    prepare(tmp_path, m=(IMAGE, affine), m_labels=(LABELS, affine.astype(np.float32)))


@pytest.mark.parametrize("pairs", ["listed", "atlas", "ordered"])
def test_training_pairs_lie_alike_too(tmp_path, pairs):
    writer = Writer(tmp_path)
    for case, affine in (("a", AFFINE), ("b", flipped(0))):
        writer.image(case, IMAGE, affine)
    training = TrainingSplit(("a", "b"), pairs, atlas="a", list=(Pair("a", "b"),))
    with pytest.raises(UnfitError, match="training pair a__b: grids differ: orientations differ, LPS and RPS"):
        writer.finish(Description(name="mine", training=training, test=()))


def test_scans_of_different_people_may_have_voxels_of_different_size_to_train_on(tmp_path):
    writer = Writer(tmp_path)
    for case, affine in (("a", AFFINE), ("b", AFFINE * 1.1)):
        affine[3, 3] = 1
        writer.image(case, IMAGE, affine)
    writer.finish(Description(name="mine", training=TrainingSplit(("a", "b")), test=()))


@pytest.mark.fault(19)
@pytest.mark.parametrize("off", [1e-6, -1e-6, 9e-4])
def test_labels_next_to_whole_numbers_are_rounded_with_a_note(tmp_path, off):
    data = prepare(tmp_path, f_labels=(LABELS + off, AFFINE))
    assert np.array_equal(Truth(tmp_path).labels("f"), LABELS)
    assert "rounded to whole numbers: labels/f.nii.gz" in data.description.notes[0]


@pytest.mark.fault(19)
@pytest.mark.parametrize("value", [0.5, 1.002, -1, -1e-2, 65536, 65539, 2**32 + 1, np.nan, np.inf, -np.inf])
def test_labels_that_a_label_map_cannot_hold_are_refused_with_value_and_place(tmp_path, value):
    (found,) = problems(tmp_path, f_labels=(at(LABELS, value), AFFINE))
    what = "outside of" if float(value).is_integer() else "no whole numbers from"
    assert found.startswith(f"truth/labels/f.nii.gz: 1 of 336 voxels are {what} 0 to 65535, such as ")
    assert f"such as {value:.7g} at (1, 2, 3)" in found


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint32, bool, np.float32, np.float64])
def test_labels_of_any_type_are_kept(tmp_path, dtype):
    prepare(tmp_path, f_labels=((LABELS > 0).astype(dtype), AFFINE))
    assert np.array_equal(Truth(tmp_path).labels("f"), LABELS > 0)


@pytest.mark.parametrize("value", [0.7, 2, 255, 256, -1, np.nan])
def test_a_mask_is_zeros_and_ones(tmp_path, value):
    (found,) = problems(tmp_path, f_mask=(at(LABELS > 0, value), AFFINE))
    what = "outside of" if float(value).is_integer() else "no whole numbers from"
    assert found.startswith(f"masks/f.nii.gz: 1 of 336 voxels are {what} 0 to 1, such as ")


def test_an_empty_mask_is_refused(tmp_path):
    assert problems(tmp_path, f_mask=(np.zeros(SHAPE), AFFINE))[0].startswith("masks/f.nii.gz: the mask is empty")


@pytest.mark.fault(18)
@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        (np.empty((0, 3)), "no landmarks"),
        (POINTS[:, :2], "expected three numbers"),
        (at(POINTS, np.nan, (2, 1)), "line 3: expected three numbers"),
        (at(POINTS, np.inf, (4, 0)), "line 5: expected three numbers"),
        (POINTS[:-1], "4 landmarks of the fixed, 5 of the moving image"),
        (at(POINTS, 6, (1, 0)), "1 of 5 landmarks are outside of the image (6, 7, 8)"),
        (at(POINTS, -0.6, (1, 2)), "in row 2; are they zero-based"),
    ],
    ids=["empty", "two columns", "nan", "infinite", "counts", "beyond", "before"],
)
def test_landmarks_that_cannot_be_are_refused(tmp_path, fixed, words):
    found = problems(tmp_path, landmarks=(fixed, POINTS))
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.fault(18)
def test_landmarks_counted_from_one_or_with_swapped_axes_leave_the_volume(tmp_path):
    corners = np.array([[0, 0, 0], [5, 6, 7]], float)
    prepare(tmp_path / "right", landmarks=(corners, corners))
    prepare(tmp_path / "edge", landmarks=(corners + 0.5, corners - 0.5))
    for name, wrong in (("from one", corners + 1), ("swapped", corners[:, ::-1])):
        found = problems(tmp_path / name, landmarks=(wrong, wrong))
        assert [text.split(":")[0] for text in found] == [
            f"truth/landmarks/f__m_{side}.csv" for side in ("fixed", "moving")
        ]


@pytest.mark.parametrize("u", [np.zeros((3, 6, 7, 7)), np.zeros((3, *SHAPE), int), at(np.zeros((3, *SHAPE)), np.nan)])
def test_a_true_displacement_is_finite_and_on_the_grid(tmp_path, u):
    (found,) = problems(tmp_path, truth=(u, AFFINE))
    assert found.startswith("truth/displacements/disp_f_m.nii.gz: ")


@pytest.mark.fault(15)
@pytest.mark.parametrize(
    ("image", "words"),
    [
        (at(IMAGE, np.nan), "finite"),
        (at(IMAGE, 1.01), "in [0, 1]"),
        (np.full(SHAPE, 0.3), "all voxels are 0.3"),
        (IMAGE[:1], "at least 2 voxels along each axis"),
        (IMAGE[..., None], "3-D"),
        (np.zeros((0, 7, 8)), "3-D"),
        (IMAGE + 1j, "complex128"),
        (np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")]), "expected numbers"),
    ],
    ids=["nan", "range", "constant", "flat axis", "4-D", "empty", "complex", "colours"],
)
def test_an_image_that_cannot_be_registered_is_refused(tmp_path, image, words):
    (found,) = problems(tmp_path, f=(image, AFFINE))
    assert found.startswith("images/f.nii.gz: ")
    assert words in found


@pytest.mark.parametrize(
    ("affine", "words"),
    [
        (np.zeros((4, 4)), "degenerate"),
        (at(AFFINE, np.nan, (0, 0)), "finite"),
        (AFFINE[:3], "4 x 4"),
        (sheared(0.3), "sheared (its axes meet at cosines up to 0.287)"),
        (AFFINE[:, [0, 0, 2, 3]], "point the same way"),
    ],
    ids=["zero", "nan", "3 x 4", "sheared", "singular"],
)
def test_an_affine_that_places_nothing_is_refused(tmp_path, affine, words):
    (found,) = problems(tmp_path, f=(IMAGE, affine))
    assert words in found


def test_everything_is_named_at_once(tmp_path):
    about = replace(ABOUT, evaluated_labels=(1, 2, 7), shape=(9, 9, 9))
    found = problems(
        tmp_path,
        about,
        f_labels=(at(LABELS, -3), AFFINE),
        m_labels=(at(LABELS, 0.4), AFFINE),
        m_mask=(at(LABELS > 0, 3), AFFINE),
        landmarks=(POINTS + 20, POINTS),
    )
    heads = {text.split(":")[0] for text in found}
    files = {"truth/labels/f.nii.gz", "truth/labels/m.nii.gz", "masks/m.nii.gz", "truth/landmarks/f__m_fixed.csv"}
    assert heads == {*files, "shape"}


@pytest.mark.parametrize("part", ["", "_labels", "_mask"])
def test_of_a_file_that_is_refused_nothing_is_said_twice_and_nothing_that_follows(tmp_path, part):
    file = {"": "images", "_labels": "truth/labels", "_mask": "masks"}[part] + "/m.nii.gz"
    found = problems(tmp_path, **{f"m{part}": (at(IMAGE if not part else LABELS > 0, -3), AFFINE)})
    assert [text.split(":")[0] for text in found] == [file]


def test_a_file_that_is_written_twice_is_looked_at_all_the_same(tmp_path):
    writer = Writer(tmp_path)
    for case, affine in (("f", AFFINE), ("m", flipped(0)), ("m", AFFINE)):
        writer.image(case, IMAGE, affine)
    with pytest.raises(UnfitError) as caught:
        writer.finish(replace(ABOUT, evaluated_labels=()))
    assert [problem.where for problem in caught.value.problems] == ["images/m.nii.gz", "test pair f__m"]


@pytest.mark.parametrize("value", [1, 7])  # a mask that is left out, and one that is refused
def test_all_training_cases_have_a_mask_or_none(tmp_path, value):
    writer = Writer(tmp_path)
    for case in "abc":
        writer.image(case, IMAGE, AFFINE)
    writer.mask("a", LABELS > 0, AFFINE)
    writer.mask("c", np.full(SHAPE, value), AFFINE)
    with pytest.raises(UnfitError) as caught:
        writer.finish(Description(name="mine", training=TrainingSplit(tuple("abc")), test=()))
    refused = ["masks/c.nii.gz"] * (value > 1)
    assert {problem.where for problem in caught.value.problems} == {"masks/b.nii.gz", *refused}


@pytest.mark.fault(19)
def test_a_label_that_no_case_holds_and_a_missing_map_are_refused(tmp_path):
    found = problems(tmp_path / "label", replace(ABOUT, evaluated_labels=(1, 9)))
    assert found == ["evaluated label 9: no label map of a test pair holds it; take it out"]
    found = problems(tmp_path / "background", replace(ABOUT, evaluated_labels=(0, 1)))
    assert found[0].startswith("evaluated label 0: labels are numbers from 1 (0 is background)")
    writer = Writer(tmp_path / "half")
    for case in ("f", "m"):
        writer.image(case, IMAGE, AFFINE)
    writer.labels("f", LABELS, AFFINE)
    with pytest.raises(UnfitError, match=r"truth/labels/m\.nii\.gz: missing, and the other image of the pair has"):
        writer.finish(ABOUT)


@pytest.mark.fault(19)
def test_a_label_that_one_image_lacks_is_legal_and_left_out_of_the_mean(tmp_path):
    from workflows.evaluate import judge

    lacking = np.where(LABELS == 2, 250, LABELS)  # 250 is a label that nobody named
    data = prepare(tmp_path, m_labels=(lacking, AFFINE))
    rows = judge(np.zeros((3, *SHAPE), np.float32), PAIR, data, Truth(tmp_path))
    dice = {row["region"]: row["value"] for row in rows if (row["metric"], row["protocol"]) == ("dice", "nearest")}
    assert dice == {"mean": 1.0, "count": 1.0, "label_1": 1.0, "label_2": pytest.approx(np.nan, nan_ok=True)}
