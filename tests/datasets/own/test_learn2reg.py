"""Learn2Reg's layouts in their genuine form: pairs, splits, files, names; and what is wrong with one, all at once."""

import json

import numpy as np
import pytest

from datasets.case import Pair, Truth, open_dataset
from datasets.files import DataError
from datasets.folder import prepare
from datasets.own.examine import examine
from datasets.own.options import Params
from datasets.problem import UnfitError
from tests.datasets.own.folders import POINTS, SPACING, image, labels, paired, points, save, shifted, unpaired


def problems(folder, **options) -> list[str]:
    return [str(problem) for problem in examine(Params(folder=folder, **options)).problems]


def prepared(tmp_path, source, **options):
    prepare(tmp_path / "prepared", Params(folder=source, **options), name="mine")
    return open_dataset(tmp_path / "prepared")


def test_scans_of_different_patients(tmp_path):
    data = prepared(tmp_path, unpaired(tmp_path / "in").write())
    about = data.description
    assert about.test == tuple(
        Pair(f"AbdomenCTCT_{f:04d}_0000", f"AbdomenCTCT_{m:04d}_0000") for f, m in ((1, 4), (1, 7), (4, 7))
    )
    # every scan is in the JSON's training list, those of the pairs to be judged too
    assert about.training.cases == tuple(f"AbdomenCTCT_{patient:04d}_0000" for patient in (2, 3, 5))
    assert len(about.training.every_pair) == 6
    assert about.subjects["AbdomenCTCT_0007_0000"] == "AbdomenCTCT_0007"
    assert about.labels == {1: "spleen", 2: "right kidney", 3: "left kidney"}
    assert about.evaluated_labels == (1, 2)
    assert about.licence == "a licence of two lines"
    assert (about.modality, about.title, about.spacing) == ("CT", "AbdomenCTCT", SPACING)
    assert "3 training scans left out" in about.notes[0]


def test_voxels_are_those_of_the_array_whatever_origins_the_headers_have(tmp_path):
    made = unpaired(tmp_path / "in")
    data = prepared(tmp_path, made.write(), window=(-500, 500))
    for patient in (1, 4, 7):
        case = made.name(patient, 0)
        assert data.image(case).array == pytest.approx(image(patient) / 1000 + 0.5, abs=1e-6)
        assert np.array_equal(Truth(data.folder).labels(case), labels(patient % 2))
    places = [data.placement(made.name(patient, 0)) for patient in (1, 4, 7)]
    assert not places[0].difference(places[1])
    assert not places[0].difference(places[2])


@pytest.mark.parametrize(("task", "kind"), [("NLST", "keypoints"), ("LungCT", "landmarks")])
def test_scans_of_one_patient_with_points_and_masks(tmp_path, task, kind):
    made = paired(tmp_path / "in", task, kind)
    data = prepared(tmp_path, made.write())
    about, pair = data.description, Pair(made.name(101, 0), made.name(101, 1))
    assert about.test[0] == pair
    assert about.training.pairs == "listed"
    assert about.training.list == tuple(Pair(made.name(patient, 0), made.name(patient, 1)) for patient in (1, 2))
    assert len(set(about.subjects.values())) == 4
    assert about.subjects[pair.fixed] == about.subjects[pair.moving]
    fixed, moving = Truth(data.folder).landmarks(pair)
    assert fixed == pytest.approx(POINTS)
    assert moving == pytest.approx(POINTS + 1)
    assert examine(Params(folder=made.folder)).before_mm == pytest.approx(np.linalg.norm(SPACING))
    assert np.array_equal(data.mask(pair.moving), labels(1) > 0)
    assert any("a program" in note for note in about.notes) == (kind == "keypoints")


def test_landmarks_by_hand_go_before_those_of_a_program(tmp_path):
    made = paired(tmp_path / "in", "LungCT", "landmarks")
    for patient in (101, 102):
        for scan in (0, 1):
            points(made.path(patient, scan, "keypoints", ending=".csv"), POINTS[:2] + 2 * scan)
    made.write()
    count = {
        kind: len(next(iter(examine(Params(folder=made.folder, landmarks=kind)).points.values()))[0])
        for kind in ("", "keypoints")
    }
    assert count == {"": 4, "keypoints": 2}


def test_the_pairs_of_the_test_make_those_of_the_validation_what_they_are_called(tmp_path):
    made = unpaired(tmp_path / "in")
    for patient in (31, 32):
        save(made.path(patient, 0, end="Ts"), image(patient))
    made.about["registration_test"] = made.pairs(((31, 0), (32, 0)), end="Ts")
    about = prepared(tmp_path, made.write(), pairs="registration_test").description
    assert about.test == (Pair("AbdomenCTCT_0031_0000", "AbdomenCTCT_0032_0000"),)
    assert len(about.validation) == 3
    assert about.training.cases == tuple(f"AbdomenCTCT_{patient:04d}_0000" for patient in (2, 3, 5))


def test_a_folder_that_the_archive_unpacks_to_is_found(tmp_path):
    unpaired(tmp_path / "in" / "AbdomenCTCT").write()
    assert len(examine(Params(folder=tmp_path / "in")).listing.of("test")) == 3
    assert len(examine(Params(folder=tmp_path / "in" / "AbdomenCTCT" / "AbdomenCTCT_dataset.json")).seen) == 6


def test_names_of_labels_in_every_form(tmp_path):
    for form in ({"1": "liver"}, {"0": {"1": "liver"}}, {"liver": 1, "background": 0}):
        made = unpaired(tmp_path / "in")
        made.about["labels"] = form
        assert examine(Params(folder=made.write())).labels == {1: "liver"}


@pytest.mark.parametrize("form", [["liver", "spleen"], "liver", 3])
def test_labels_without_values_are_refused(tmp_path, form):
    made = unpaired(tmp_path / "in")
    made.about["labels"] = form
    with pytest.raises(DataError, match=r"_dataset.json: labels are no names by value"):
        examine(Params(folder=made.write()))


def broken(folder):
    """A layout with one of each fault; return what has to be said of each."""
    made = unpaired(folder)
    made.path(4, 0).unlink()  # its labels stay
    made.path(2, 0, "labels").unlink()
    save(made.path(7, 0, "labels"), labels(0) * 0.5, shifted(7))
    save(made.path(3, 0), image(3, (14, 12, 12)))
    save(made.path(3, 0, "labels"), labels(0, (14, 12, 12)))
    made.path(5, 0).write_bytes(made.path(5, 0).read_bytes()[:200])
    made.write()
    return {
        "imagesTr/AbdomenCTCT_0004_0000.nii.gz": "missing, and registration_val 1 names it",
        "labelsTr/AbdomenCTCT_0004_0000.nii.gz": "imagesTr has no image of this name",
        "labelsTr/AbdomenCTCT_0002_0000.nii.gz": "missing, and the training list names it as label",
        "labelsTr/AbdomenCTCT_0007_0000.nii.gz": "no whole numbers",
        "imagesTr/AbdomenCTCT_0003_0000.nii.gz": "shapes differ, 14 x 12 x 10 and 14 x 12 x 12",
        "imagesTr/AbdomenCTCT_0005_0000.nii.gz": "not a readable NIfTI image",
    }


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_written(tmp_path):
    expected = broken(tmp_path / "in")
    with pytest.raises(UnfitError) as caught:
        prepare(tmp_path / "prepared", Params(folder=tmp_path / "in"), name="mine")
    lines = [str(problem) for problem in caught.value.problems]
    for file, fault in expected.items():
        assert [line for line in lines if file in line and fault in line], (file, lines)
    assert not any("\n" in line for line in lines)
    assert not (tmp_path / "prepared").exists()


def test_landmarks_that_do_not_lie_inside_as_voxels_are_refused_with_the_unit_that_fits(tmp_path):
    made = paired(tmp_path / "in")
    spacing, origin = np.array(SPACING), np.array([-7.0, -9, -300])  # LPS
    for patient in (101, 102):
        for scan in (0, 1):
            points(made.path(patient, scan, "keypoints", ending=".csv"), (POINTS + scan) * spacing + origin)
    (line,) = problems(made.write())
    assert "not all landmarks lie inside as voxels" in line
    assert "landmark_unit: lps" in line
    assert problems(made.folder, landmark_unit="lps") == []


def test_landmarks_counted_from_1_are_seen_where_one_leaves_the_image(tmp_path):
    made = paired(tmp_path / "in")
    at_the_end = np.vstack([POINTS, [13, 11, 9]])  # the last voxel
    for patient in (101, 102):
        for scan in (0, 1):
            points(made.path(patient, scan, "keypoints", ending=".csv"), at_the_end + 1)
    (line,) = problems(made.write())
    assert "landmark_unit: voxels-from-1" in line
    found = examine(Params(folder=made.folder, landmark_unit="voxels-from-1"))
    assert next(iter(found.points.values()))[0] == pytest.approx(at_the_end)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"registration_val": []}, "nothing to test on: registration_val names no pair"),
        ({"registration_val": [{"fixed": "../out.nii.gz", "moving": "/x.nii.gz"}]}, "expected the path of an image"),
    ],
)
def test_a_json_that_names_nothing_to_test(tmp_path, change, fault):
    made = unpaired(tmp_path / "in")
    made.about |= change
    assert any(fault in line for line in problems(made.write()))


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"registration_val": 3}), json.dumps({"training": [1]})])
def test_a_json_of_another_form_is_one_line(tmp_path, content):
    made = unpaired(tmp_path / "in")
    made.write()
    (made.folder / "AbdomenCTCT_dataset.json").write_text(content)
    with pytest.raises(DataError, match=r"_dataset\.json of Learn2Reg") as caught:
        examine(Params(folder=made.folder))
    assert "\n" not in str(caught.value)


def test_a_training_set_without_pairs_to_test_has_to_be_asked_for(tmp_path):
    made = unpaired(tmp_path / "in", val=())
    assert problems(made.write())
    about = prepared(tmp_path, made.folder, training_only=True).description
    assert about.test == ()
    assert len(about.training.cases) == 3
