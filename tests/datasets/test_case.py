"""Prepared data: what is written comes back, and what cannot be used is refused with its name."""

import gzip
import json
import os

import nibabel as nib
import numpy as np
import pytest

from datasets.case import Pair, Truth, Writer, open_dataset
from datasets.description import Description, LungPair, TrainingSplit, Window, labels_file, write_description
from datasets.files import DataError, read_landmarks, read_volume, replacing, write_volume

AFFINE = np.array([[-1.5, 0, 0, 4], [0, -1.0, 0, 5], [0, 0, 2.5, -6], [0, 0, 0, 1]])


def image(shape=(5, 7, 9), **changes):
    array = np.random.default_rng(0).random(shape).astype(np.float32)
    return nib.Nifti1Image(array, changes.get("affine", AFFINE))


def test_a_volume_keeps_array_spacing_and_orientation(tmp_path):
    original = image()
    nib.save(original, tmp_path / "a.nii.gz")
    volume = read_volume(tmp_path / "a.nii.gz")
    assert np.array_equal(volume.array, original.get_fdata(dtype=np.float32))
    assert volume.spacing == pytest.approx((1.5, 1.0, 2.5))
    assert volume.orientation == ("L", "P", "S")


@pytest.mark.fault(15)
def test_scaled_big_endian_integers_are_read_as_their_values(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    scaled = nib.Nifti1Image(np.arange(5 * 7 * 9, dtype=">i2").reshape(5, 7, 9), AFFINE, header)
    scaled.header.set_slope_inter(0.5, -3)
    nib.save(scaled, tmp_path / "a.nii")
    stored = nib.load(tmp_path / "a.nii").get_fdata()
    assert np.allclose(read_volume(tmp_path / "a.nii").array, stored)


def write_nan(path):
    nib.save(nib.Nifti1Image(np.where(np.arange(9) == 3, np.nan, 1.0) * np.ones((5, 7, 9)), AFFINE), path)


def write_truncated(path):
    nib.save(image((20, 21, 22)), path)
    path.write_bytes(path.read_bytes()[:2000])


def write_cut_plain(path):
    nib.save(image(), path.with_suffix(""))
    content = path.with_suffix("").read_bytes()[:600]
    path.write_bytes(gzip.compress(content))


def patch(start, *numbers, kind=np.float32):
    """Return a function that writes an image and then numbers over its header."""

    def write(path):
        nib.save(image(), path)
        raw, written = bytearray(gzip.decompress(path.read_bytes())), np.array(numbers, kind).tobytes()
        raw[start : start + len(written)] = written
        path.write_bytes(gzip.compress(bytes(raw)))

    return write


def write_colours(path):
    colours = np.zeros((5, 7, 9), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colours, AFFINE), path)


def write_mgh(path):
    nib.save(nib.MGHImage(np.zeros((5, 7, 9), np.float32), AFFINE), path.with_suffix(".mgz"))
    path.with_suffix(".mgz").rename(path)


PIXDIM, SROW_X, DIM, DATATYPE, VOX_OFFSET = 76, 280, 40, 70, 108  # where they begin in a NIfTI-1 header


BAD = {
    "nan": (write_nan, "NaN or infinite"),
    "truncated": (write_truncated, "truncated"),
    "cut": (write_cut_plain, "truncated"),
    "four_dimensions": (lambda path: nib.save(image((5, 7, 9, 2)), path), "expected a 3-D volume"),
    "web_page": (lambda path: path.write_bytes(b"<html>quota exceeded</html>"), "not a readable NIfTI"),
    "empty_file": (lambda path: path.write_bytes(b""), "not a readable NIfTI"),
    "zero_spacing": (patch(PIXDIM + 12, 0), r"voxel size \[1.5, 1.0, 0.0\]"),
    "negative_spacing": (patch(PIXDIM + 8, -1), r"voxel size \[1.5, -1.0, 2.5\]"),
    "spacing_of_nan": (patch(PIXDIM + 4, np.nan), "voxel size|pixdim"),
    "zero_affine": (patch(SROW_X, *[0] * 12), "degenerate"),
    "singular_affine": (patch(SROW_X, 1.5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2.5, 0), "point the same way"),
    "affine_of_nan": (patch(SROW_X, np.nan), "finite numbers"),
    "no_axis": (patch(DIM + 2, 0, kind=np.int16), "empty volume|not a readable"),
    "axis_too_long": (patch(DIM + 2, 32767, kind=np.int16), "truncated"),
    "no_such_type": (patch(DATATYPE, 77, kind=np.int16), "not a readable NIfTI"),
    "data_elsewhere": (patch(VOX_OFFSET, 1e6), "truncated"),
    "colours": (write_colours, "colours or complex"),
    "complex": (lambda path: nib.save(nib.Nifti1Image(np.full((5, 7, 9), 1j, np.complex64), AFFINE), path), "complex"),
    "another_format": (write_mgh, "not a readable NIfTI"),
    "garbage_after_gzip": (lambda path: (nib.save(image(), path), path.open("ab").write(b"x" * 30)), "not a readable"),
    "missing": (lambda path: None, "no such file"),
}


@pytest.mark.fault(15)
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_volume_is_refused_by_name(tmp_path, fault):
    spoil, message = BAD[fault]
    path = tmp_path / "case 7.nii.gz"
    spoil(path)
    with pytest.raises(DataError, match=message) as caught:
        read_volume(path)
    assert "case 7.nii.gz" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.fault(15)
def test_nifti_2_and_files_without_any_place_are_read(tmp_path):
    nib.save(nib.Nifti2Image(image().get_fdata(), AFFINE), tmp_path / "2.nii.gz")
    assert np.allclose(read_volume(tmp_path / "2.nii.gz").affine, AFFINE)
    bare = image()
    bare.set_sform(None, code=0)
    bare.set_qform(None, code=0)
    nib.save(bare, tmp_path / "bare.nii")
    assert read_volume(tmp_path / "bare.nii").spacing == pytest.approx((1.5, 1.0, 2.5))


@pytest.fixture
def prepared(tmp_path):
    rng = np.random.default_rng(1)
    writer, pair = Writer(tmp_path / "a set"), Pair("one", "two")
    truth = {"u": rng.normal(size=(3, 5, 7, 9)).astype(np.float32), "points": rng.random((4, 3)) * 3}
    for case in ("one", "two", "three", "four"):
        writer.image(case, rng.random((5, 7, 9)), AFFINE)
        writer.labels(case, rng.integers(0, 300, (5, 7, 9)), AFFINE)
    writer.displacement(pair, truth["u"], AFFINE)
    writer.landmarks(pair, truth["points"], truth["points"] + 1)
    writer.finish(Description(name="a-set", training=TrainingSplit(("three", "four")), test=(pair,)))
    return tmp_path / "a set", pair, truth


def test_the_truth_comes_back_and_is_not_part_of_the_data_set(prepared):
    folder, pair, truth = prepared
    kept = Truth(folder)
    assert np.array_equal(kept.displacement(pair), truth["u"])
    fixed, moving = kept.landmarks(pair)
    assert np.allclose(moving - fixed, 1, atol=1e-5)
    assert kept.labels("one").max() > 255
    assert not [name for name in dir(open_dataset(folder)) if "label" in name or "landmark" in name]


def test_the_displacement_has_learn2regs_form(prepared):
    folder, pair, truth = prepared
    stored = nib.load(Truth(folder).displacement_path(pair))
    assert stored.shape == (5, 7, 9, 3)
    assert stored.get_data_dtype() == np.float32
    assert np.array_equal(np.asarray(stored.dataobj)[1, 2, 3], truth["u"][:, 1, 2, 3])


def test_training_pairs_follow_the_rule(prepared):
    data = open_dataset(prepared[0])
    assert data.training_pairs == [Pair("three", "four"), Pair("four", "three")]


@pytest.mark.fault(4)
def test_a_flipped_bit_is_found_and_named(prepared):
    folder, *_ = prepared
    data = open_dataset(folder)
    data.check_files()
    path = data.image_path("two")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"two\.nii\.gz: changed since"):
        data.check_files()


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan])
def test_images_outside_the_unit_interval_are_refused(tmp_path, value):
    writer, values = Writer(tmp_path), np.random.default_rng(0).random((2, 3, 4))
    values[1, 2, 3] = value
    writer.image("a", values, AFFINE)
    with pytest.raises(DataError, match=r"images/a\.nii\.gz: image values must be finite and in \[0, 1\]"):
        writer.finish(Description(name="a", training=TrainingSplit(("a",)), test=()))


@pytest.mark.fault(18)
@pytest.mark.parametrize("text", ["", "1,2\n", "1,2,x\n", "1,2,nan\n", "1;2;3\n", "1 2 3\n"])
def test_bad_landmarks_name_file_and_line(tmp_path, text):
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"points\.csv"):
        read_landmarks(path)


def test_an_unprepared_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="not a prepared data set"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("missing", ["name", "training", "test"])
def test_a_description_that_lacks_a_key_is_refused_with_key_file_and_remedy(prepared, missing):
    path = prepared[0] / "dataset.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({key: value for key, value in content.items() if key != missing}), encoding="utf-8")
    with pytest.raises(DataError, match=rf"dataset\.json: .*`{missing}`.*; run again with --forcerun .*a set"):
        open_dataset(prepared[0])


def test_a_description_is_read_as_it_was_written(tmp_path):
    facts = LungPair(3.89, 300, (1.0, 1.5, 2.0), ((0.0, 0.0, 0.0), (9.0, 9.0, 9.0)), (1.0, 0.97), 3.89, rows=(300, 300))
    description = Description(
        name="lungs",
        intensity=Window("HU", -1024.0, 1000.0),
        labels={1: "left", 2: "right"},
        training=TrainingSplit(("a", "b"), "listed", list=(Pair("a", "b"),)),
        test=(Pair("c", "d"),),
        pairs={"c__d": facts},
    )
    write_description(tmp_path, description)
    assert open_dataset(tmp_path).description == description
    assert open_dataset(tmp_path).training_pairs == [Pair("a", "b")]
    stored = json.loads((tmp_path / "dataset.json").read_text(encoding="utf-8"))
    assert set(stored) == {"name", "intensity", "labels", "training", "test", "pairs"}  # nothing that is not known


@pytest.mark.parametrize(("title", "phantom", "shown"), [
    ("", False, "set"), ("", True, "set (phantom)"), ("CT", True, "CT (phantom)"), ("A Phantom", True, "A Phantom"),
])  # fmt: skip
def test_a_phantom_says_so_in_its_title(title, phantom, shown):
    about = Description(name="set", title=title, phantom=phantom, training=TrainingSplit(()), test=())
    assert about.display_title == shown


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "below" / "volume.nii.gz"
    with replacing(path) as temporary:
        temporary.write_text("first")
        assert not path.exists()
        assert temporary.name.endswith("volume.nii.gz")
    with pytest.raises(TypeError), replacing(path) as temporary:
        temporary.write_bytes("half")
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_labels_are_read_once_and_again_when_they_change(make_dataset):
    data = make_dataset()
    truth = Truth(data.folder)
    first = truth.labels("fixed")
    assert truth.labels("fixed") is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0
    path = data.folder / labels_file("fixed")
    write_volume(path, np.full(first.shape, 2, np.uint16), np.eye(4))
    os.utime(path, ns=(1, 1))
    assert (truth.labels("fixed") == 2).all()


def test_a_placement_is_that_of_the_image(make_dataset):
    data = make_dataset()
    found, image = data.placement("fixed"), data.image("fixed")
    assert (found.shape, found.spacing) == (image.array.shape, image.spacing)
