"""What a pair's registration says in plain words: bad input by the user's file, worse numbers, labels, the time."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.own.scans import Scan
from tests.datasets.own.made import SHIFT, labelled, scene, smoothly, write
from workflows.pair import comparing, registering
from workflows.pair.__main__ import main
from workflows.pair.about import Number
from workflows.pair.grids import Rule, working_grid
from workflows.pair.judging import Truth, numbers
from workflows.pair.remarks import in_words, remarks


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A pair with labels; the moving image lies SHIFT away."""
    folder = tmp_path_factory.mktemp("inputs")
    for name, image in {"fixed": scene(), "moving": scene(shift=SHIFT, kind=np.float64)}.items():
        write(image, folder / f"{name}.nii.gz")
        write(labelled(image), folder / f"{name}-labels.nii.gz")
    return folder


def changed(inputs, name, change):
    """Write a file with other values beside an input; return its path."""
    image = sitk.ReadImage(str(inputs / name))
    made = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image)))
    made.CopyInformation(image)
    return write(made, inputs / f"changed-{name}")


def call(inputs, out, *options, moving="moving.nii.gz"):
    main([str(inputs / "fixed.nii.gz"), str(inputs / moving), *options, "--threads", "1", "--out", str(out)])


def labels(inputs, moving="moving-labels.nii.gz"):
    return "--labels", str(inputs / "fixed-labels.nii.gz"), str(inputs / moving)


def number(metric, value, before, protocol="", region="mean"):
    return Number(metric=metric, protocol=protocol, region=region, unit="", value=value, before=before)


def refused(call):
    with pytest.raises(SystemExit) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert ".work-" not in text
    return text


@pytest.mark.parametrize("below", ["out", "out/further/down"])
def test_a_window_without_an_intensity_names_the_file_and_leaves_no_folder(inputs, tmp_path, below):
    text = refused(lambda: call(inputs, tmp_path / below, "--method", "identity", "--window", "5000", "6000"))
    assert text.startswith(f"error: {inputs / 'fixed.nii.gz'}: has intensities from ")
    assert "none of them within the window 5000 to 6000" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("scale", "held"), [(1e297, "e+299"), (1e36, "e+38"), (1e-300, "e-298")])
def test_intensities_beyond_single_precision_name_the_file(inputs, tmp_path, scale, held):
    moving = changed(inputs, "moving.nii.gz", lambda array: (array * scale).astype(np.float64))
    text = refused(lambda: call(inputs, tmp_path / "out", "--method", "identity", moving=moving.name))
    assert text.startswith(f"error: {moving}: ")
    assert held in text
    assert "single precision" in text
    assert not (tmp_path / "out").exists()


def test_labels_that_share_no_number_are_named_before_any_work(inputs, tmp_path):
    other = changed(inputs, "moving-labels.nii.gz", lambda array: array * 7)
    text = refused(lambda: call(inputs, tmp_path / "out", "--method", "identity", *labels(inputs, other.name)))
    assert "no label is in both maps" in text
    assert "fixed-labels.nii.gz has 1," in text
    assert "moving-labels.nii.gz has 7;" in text
    assert not (tmp_path / "out").exists()


def test_an_empty_label_map_is_no_image_without_contrast(inputs, tmp_path):
    empty = changed(inputs, "moving-labels.nii.gz", lambda array: array * 0)
    text = refused(lambda: call(inputs, tmp_path / "out", "--method", "identity", *labels(inputs, empty.name)))
    assert text.startswith(f"error: {empty}: has no label, all its voxels are 0")


def test_a_map_of_one_label_alone_is_scored(inputs, tmp_path):
    whole = changed(inputs, "moving-labels.nii.gz", lambda array: np.ones_like(array))
    call(inputs, tmp_path / "out", "--method", "identity", *labels(inputs, whole.name))
    numbers = json.loads((tmp_path / "out" / "registration.json").read_text())["numbers"]
    counts = {each["value"] for each in numbers if (each["metric"], each["region"]) == ("dice", "count")}
    assert counts == {1}


def test_labels_of_one_image_alone_are_told(inputs, tmp_path, caplog):
    def two(array):
        array = array.copy()
        array[:3, :3, :3] = 9
        return array

    other = changed(inputs, "moving-labels.nii.gz", two)
    with caplog.at_level(logging.INFO):
        call(inputs, tmp_path / "out", "--method", "identity", *labels(inputs, other.name))
    told = "labels of one image alone are not scored: 9"
    assert told in caplog.text
    assert json.loads((tmp_path / "out" / "registration.json").read_text())["warnings"] == [told]


def test_labels_are_scored_where_centres_are_laid_onto_each_other():
    """A moving image far away: its labels and landmarks come with it."""
    fixed, points, found = scene(), np.array([[10.0, -5, 20], [16, 1, 16]]), {}
    u = smoothly((40, 36, 30), seed=4)
    for name, away, align in (("near", (0, 0, 0), "header"), ("far", (400.0, -300.0, 250.0), "centre")):
        moving = scene(shift=SHIFT)
        moving.SetOrigin(np.add(moving.GetOrigin(), away).tolist())
        scans = Scan(Path("fixed"), fixed), Scan(Path("moving"), moving)
        truth = Truth((labelled(fixed), labelled(moving)), (points, points + SHIFT + away))
        grid = working_grid(*scans, Rule(align=align))
        field, still = (grid.back(each, scans[0]) for each in (u, 0 * u))
        for each in numbers(field, still, scans[0], truth, offset=grid.offset):
            found[name, each.metric, each.protocol, each.region] = each.value, each.before
    assert found["near", "dice", "nearest", "mean"][1] > 0.5
    for (name, *what), near in list(found.items()):
        if name == "near":
            assert found["far", *what] == pytest.approx(near, abs=1e-3), what


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            number("dice", 0.6, 0.7, "linear_thr128"),
            "labels overlap less than before registration (Dice 0.600, before:",
        ),
        (number("tre", 4.2, 3.1, "continuous"), "landmarks lie further apart than before registration (TRE 4.20 mm,"),
    ],
)
def test_a_registration_that_makes_things_worse_is_told(found, words):
    (line,) = remarks("demons", [found], None)
    assert line.startswith("demons has made this pair worse: its ")
    assert words in line


@pytest.mark.parametrize(
    "found",
    [
        number("dice", 0.7, 0.6, "linear_thr128"),
        number("dice", 0.6, 0.6, "linear_thr128"),
        number("tre", 3.1, 4.2, "continuous"),
        number("tre", 3.1000001, 3.1, "continuous"),
        number("tre", None, None, "continuous"),
        number("jacobian_std", 0.4, 0.0, "forward", "all"),
    ],
)
def test_what_is_not_worse_is_not_told(found):
    assert remarks("demons", [found], None) == []


def test_worse_numbers_are_kept_and_said_at_the_end(inputs, tmp_path, caplog):
    """A method that moves everything off by eight voxels."""
    (tmp_path / "off.py").write_text(
        "from dataclasses import dataclass\nimport numpy as np\n\n@dataclass(frozen=True)\nclass Params:\n"
        "    pass\n\ndef load(params, *, device, seed, checkpoint=None):\n"
        "    return lambda fixed, moving, spacing: np.full((3, *fixed.shape), 8, np.float32)\n"
    )
    with caplog.at_level(logging.INFO):
        call(inputs, tmp_path / "out", "--method", str(tmp_path / "off.py"), *labels(inputs))
    (line,) = json.loads((tmp_path / "out" / "registration.json").read_text())["warnings"]
    assert line.startswith("off has made this pair worse: its labels overlap less")
    assert f"warning: {line}" in caplog.text
    assert "Folded voxels: 0 (before: 0)" in caplog.text


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("folding_count", 1234.0, "1,234"),
        ("folding_percent", 0.25, "0.250%"),
        ("hd95", 2.5, "2.50 mm"),
        ("dice", 0.5, "0.500"),
        ("dice", None, "none"),
    ],
)
def test_numbers_have_a_unit_that_can_be_read(metric, value, words):
    assert in_words(metric, value) == words


def test_a_method_that_takes_long_says_that_it_is_at_work(inputs, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(registering, "PAUSES", (0.2,))
    with caplog.at_level(logging.INFO):
        call(inputs, tmp_path / "out", "--method", "identity")
    assert "identity: at work for " in caplog.text


def test_the_picture_says_that_there_was_a_refinement(inputs, tmp_path, monkeypatch):
    titles, draw = [], comparing.draw_registration
    monkeypatch.setattr(comparing, "draw_registration", lambda rows, title: titles.append(title) or draw(rows, title))
    call(inputs, tmp_path / "plain", "--method", "identity")
    call(inputs, tmp_path / "refined", "--method", "identity", "--refine", "2")
    assert titles == ["identity: moving on fixed", "identity, then 2 steps of refinement: moving on fixed"]


def test_a_label_that_is_gone_after_warping_is_named():
    """Its distance was there before: the mean has none, and the line says for which labels."""
    found = [
        number("hd95", None, 7.74, "nearest"),
        number("hd95", 3.0, 4.0, "nearest", region="label_1"),
        number("hd95", None, 11.5, "nearest", region="label_2"),
        number("hd95", None, None, "nearest", region="label_3"),
        number("dice", 0.4, 0.3, "linear_thr128"),
    ]
    assert remarks("demons", found, None) == ["HD95: none, for label vanished when demons warped the moving image: 2"]


def warned(folder):
    return json.loads((folder / "registration.json").read_text())["warnings"]


def test_two_images_that_are_the_same_are_told(inputs, tmp_path):
    call(inputs, tmp_path / "out", "--method", "identity", moving="fixed.nii.gz")
    assert warned(tmp_path / "out") == [comparing.SAME]


def test_a_wild_voxel_size_is_told(inputs, tmp_path):
    image = sitk.ReadImage(str(inputs / "moving.nii.gz"))
    image.SetSpacing(np.multiply(image.GetSpacing(), 2.4).tolist())
    write(image, inputs / "wide.nii.gz")
    call(inputs, tmp_path / "out", "--method", "identity", moving="wide.nii.gz")
    told = "the fixed image is 60 x 57.6 x 60 mm large, the moving one 144 x 138 x 144 mm: are the voxel sizes in both"
    assert told in warned(tmp_path / "out")[0]
    image.SetOrigin((-9000, -9000, -9000))
    write(image, inputs / "wide.nii.gz")
    text = refused(lambda: call(inputs, tmp_path / "no", "--method", "identity", moving="wide.nii.gz"))
    assert f"covers only 0% of the field of view of {inputs / 'fixed.nii.gz'}" in text
    assert told in text


def test_labels_that_count_are_named(inputs, tmp_path):
    """Label 1 in three slabs, whose mean over two is not that over all."""
    slabs = [changed(inputs, f"{side}-labels.nii.gz", in_slabs) for side in ("fixed", "moving")]
    maps = ["--labels", *map(str, slabs)]
    call(inputs, tmp_path / "all", "--method", "identity", *maps)
    call(inputs, tmp_path / "two", "--method", "identity", *maps, "--count-labels", "1,3")
    every, two = dice_of(tmp_path / "all"), dice_of(tmp_path / "two")
    assert set(every) == {"mean", "count", "label_1", "label_2", "label_3"}
    labels_of_two = {key: value for key, value in two.items() if key.startswith("label")}
    assert labels_of_two == {key: every[key] for key in ("label_1", "label_3")}
    assert two["mean"] == pytest.approx(np.mean(list(labels_of_two.values())))
    assert two["mean"] != pytest.approx(every["mean"], rel=1e-3)


def in_slabs(values):
    return (values * (1 + 3 * np.arange(len(values)) // len(values)).reshape(-1, 1, 1)).astype(np.uint8)


def dice_of(folder):
    found = json.loads((folder / "registration.json").read_text())["numbers"]
    return {
        each["region"]: each["value"] for each in found if each["protocol"] == "nearest" and each["metric"] == "dice"
    }


@pytest.mark.parametrize(("text", "fault"), [("1,999", "has no label 999; it has"), ("0", ""), ("3-1", ""), ("a", "")])
def test_labels_that_count_are_in_both_maps(inputs, tmp_path, text, fault, capsys):
    words = ["--method", "identity", *labels(inputs), "--count-labels", text]
    with pytest.raises(SystemExit) as caught:
        call(inputs, tmp_path / "out", *words)
    told = str(caught.value) if fault else capsys.readouterr().err
    assert (fault or "such as 2,3,10-13") in told
    assert not (tmp_path / "out").exists()


def test_results_of_an_earlier_call_are_told(inputs, tmp_path, caplog):
    call(inputs, tmp_path, "--methods", "identity,demons", "--set", "demons.iterations=[1]")
    assert "earlier call" not in caplog.text
    call(inputs, tmp_path, "--method", "identity")
    old = f"of an earlier call, and not in methods.csv: {tmp_path / 'demons'}, {tmp_path / 'identity'}"
    assert f"warning: {old}" in caplog.text


def test_a_file_where_a_folder_is_to_be_is_named(inputs, tmp_path):
    (tmp_path / "file").touch()
    text = refused(lambda: call(inputs, tmp_path / "file" / "below", "--method", "identity"))
    assert text == f"error: --out: {tmp_path / 'file'} is a file; name a folder"
