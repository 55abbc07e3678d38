"""What a folder may not hold, seen over all of it: pairs that nothing judges, and scans that splits share."""

import numpy as np
import pytest

from datasets.own.examine import examine
from datasets.own.options import Params
from tests.datasets.own.folders import image, labels, problems, save, scans, table


def test_a_pair_without_a_common_label_is_refused(tmp_path):
    folder = scans(tmp_path / "in", *"abcd")
    for number, name in enumerate("abcd"):
        save(folder / f"{name}_seg.nii.gz", labels(number))
    save(folder / "d_seg.nii.gz", np.where(labels(3) > 0, 77, 0).astype(np.uint8))
    rows = [f"{fixed}.nii.gz,{moving}.nii.gz,{fixed}_seg.nii.gz,{moving}_seg.nii.gz" for fixed, moving in ("ab", "cd")]
    table(folder, "fixed,moving,fixed_labels,moving_labels", *rows)
    [found] = problems(folder)
    assert found.startswith(f"{folder}/pairs.csv, line 3: no label is in both label maps: c has 1")
    assert found.endswith("d has 77; give a structure one number in both, or take their labels out")
    held = sorted(set(np.unique(labels(0))) - {0})
    assert [each.partition(":")[0] for each in problems(folder, evaluate=[int(held[0])])] == [
        f"{folder}/pairs.csv, line 3"
    ]


def test_a_scan_that_is_copied_into_another_split_is_refused(tmp_path):
    folder = scans(tmp_path / "in", *"abc")
    save(folder / "copy.nii.gz", image(0))
    table(folder, "fixed,moving,split", "a.nii.gz,b.nii.gz,test", "c.nii.gz,copy.nii.gz,training")
    [found] = problems(folder)
    assert found.startswith(
        f"{folder}/copy.nii.gz (pairs.csv, line 3): the same scan as a.nii.gz, voxel by voxel: one is for training, one"
    )


def test_a_pair_of_a_scan_and_its_copy_is_refused(tmp_path):
    folder = scans(tmp_path / "in", *"ab")
    save(folder / "copies" / "a.nii.gz", image(0))
    table(folder, "fixed,moving", "a.nii.gz,b.nii.gz", "a.nii.gz,copies/a.nii.gz")
    [found] = problems(folder)
    assert found == (
        f"{folder}/pairs.csv, line 3: a.nii.gz and copies/a.nii.gz are the same scan, voxel by voxel, which is "
        "registered with itself; take the pair out"
    )


def test_a_scan_that_two_subjects_of_a_split_have_is_noted(tmp_path):
    folder = scans(tmp_path / "in", *"abc")
    save(folder / "copy.nii.gz", image(0))
    table(folder, "fixed,moving", "a.nii.gz,b.nii.gz", "copy.nii.gz,c.nii.gz")
    found = examine(Params(folder=folder))
    assert found.problems == []
    same = "copy.nii.gz is the same scan as a.nii.gz, voxel by voxel, and they count as two subjects"
    assert found.listing.notes.count(same) == 1
    table(folder, "fixed,moving,subject", "a.nii.gz,b.nii.gz,ann", "copy.nii.gz,c.nii.gz,ann")
    assert same not in examine(Params(folder=folder)).listing.notes


def test_a_subject_is_one_in_capitals_too(tmp_path):
    folder = scans(tmp_path / "in", *"abcd")
    table(folder, "fixed,moving,split,subject", "a.nii.gz,b.nii.gz,test,bob", "c.nii.gz,d.nii.gz,training,Bob")
    [found] = problems(folder)
    assert found == "subject Bob and bob (pairs.csv, lines 2, 3): in both training and test; take it out of one of them"


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_the_subject_of_one_image_alone_is_refused(side, tmp_path):
    folder = scans(tmp_path / "in", *"ab")
    table(folder, f"fixed,moving,{side}_subject", "a.nii.gz,b.nii.gz,bob")
    assert problems(folder) == [
        f"{folder}/pairs.csv, line 2: {side}_subject alone; name that of both images, or their subject"
    ]


def test_lines_of_the_table_are_named(tmp_path):
    folder = scans(tmp_path / "in", *"abc")
    rows = ["a.nii.gz,b.nii.gz,test,ann", "a.nii.gz,b.nii.gz,test,ann", "c.nii.gz,,training,ann"]
    table(folder, "fixed,moving,split,subject", *rows)
    twice, shared = sorted(problems(folder), key=len, reverse=True)[::-1]
    assert twice == "test pair a__b (pairs.csv, lines 2, 3): is listed 2 times; keep one"
    assert shared.startswith("subject ann (pairs.csv, lines 2, 3, 4): in both training and test")


def test_a_label_map_of_two_images_is_noted(tmp_path):
    folder = scans(tmp_path / "in", *"abcd")
    for number, name in ((0, "a"), (1, "b"), (3, "d")):
        save(folder / f"{name}_seg.nii.gz", labels(number))
    rows = ["a.nii.gz,b.nii.gz,a_seg.nii.gz,b_seg.nii.gz", "c.nii.gz,d.nii.gz,b_seg.nii.gz,d_seg.nii.gz"]
    table(folder, "fixed,moving,fixed_labels,moving_labels", *rows)
    notes = examine(Params(folder=folder)).listing.notes
    told = f"{folder}/b_seg.nii.gz is named as the labels of b and c (pairs.csv, lines 2, 3): is it of each?"
    assert notes.count(told) == 1
