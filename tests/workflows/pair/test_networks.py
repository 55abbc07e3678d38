"""A network registers a user's pair at the scale, and along the axes, of the images that its weights learned from."""

import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name
from safetensors.numpy import save_file
from scipy import ndimage

from datasets.case import Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.own.scans import Scan
from methods import progressive, recursive, swift, voxelmorph
from methods.blocks.training.grid import training_grid
from tests.datasets.own.made import scene, write
from tests.methods import calls
from workflows.pair.__main__ import main
from workflows.pair.grids import working_grid
from workflows.pair.rule import Rule, Seen
from workflows.pair.weights import Recorded, recorded

SHAPE, SPACING = (16, 32, 24), (2.0, 4.0, 3.0)
AFFINE = np.array([[-2.0, 0, 0, 5], [0, 0, 3.0, 1], [0, -4.0, 0, 7], [0, 0, 0, 1]])  # axes to left, inferior, anterior
NETWORKS = {
    "recursive": (recursive, {"base": "ldr", "channels": 2, "shrink": 2}),
    "rcn": (recursive, {"base": "vtn", "channels": 2, "shrink": 1}),
    "swift": (swift, {"channels": 2, "shrink": 4}),
    "voxelmorph": (voxelmorph, {"channels": 2, "shrink": 2}),
    "progressive": (progressive, {"channels": 2, "levels": 2, "shrink": 2, "duration": 0, "transition": 0}),
}


def prepare(folder, **about):
    """Write three smooth scans with voxels of three sizes, along axes of their own."""
    writer, rng = Writer(folder), np.random.default_rng(0)
    for case in "abcd":
        image = ndimage.gaussian_filter(rng.random(SHAPE), 2)
        writer.image(case, (image - image.min()) / np.ptp(image), AFFINE)
    split = TrainingSplit(("a", "b"))
    writer.finish(Description(name="mine", training=split, test=(Pair("c", "d"),), **about))
    return open_dataset(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    about = {"shape": SHAPE, "spacing": SPACING, "orientation": ("L", "I", "A")}
    return prepare(tmp_path_factory.mktemp("learned") / "data", **about)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_every_network_record_what_they_learned_from(name, data, tmp_path):
    module, options = NETWORKS[name]
    path = calls.train(module, data, tmp_path, iterations=1, **options)
    found = recorded(path, module.__name__)
    levels = np.median([np.percentile(data.image(case).array, (0.5, 99.5)) for case in "ab"], axis=0)
    assert found.seen == Seen(SPACING, "LIA", options["shrink"], tuple(np.round(levels, 4)))
    assert found.shrink == options["shrink"]


def test_a_size_that_nobody_knows_is_not_recorded(tmp_path):
    assert training_grid(prepare(tmp_path / "unknown")) is None


def test_scans_that_are_dark_all_over_keep_their_size(tmp_path):
    writer = Writer(tmp_path)
    for case in "ab":
        image = np.zeros(SHAPE, np.float32)
        image[8, 16, 12] = 1
        writer.image(case, image, AFFINE)
    about = {"shape": SHAPE, "spacing": SPACING, "orientation": ("L", "I", "A")}
    writer.finish(Description(name="mine", training=TrainingSplit(("a", "b")), test=(), **about))
    found = training_grid(open_dataset(tmp_path))
    assert (found["spacing"], found["levels"]) == (list(SPACING), None)


def test_of_scans_with_sizes_of_their_own_the_median_is_recorded(tmp_path):
    sizes = {"a": (1.0, 2.0, 4.0), "b": (3.0, 2.0, 5.0)}
    found = training_grid(prepare(tmp_path / "own", spacings=sizes))
    levels = found.pop("levels")
    assert 0 <= levels[0] < levels[1] <= 1
    assert found == {"spacing": [2.0, 2.0, 4.5], "orientation": "", "phantom": False}
    of_pairs = {"c__d": (9.0, 9.0, 9.0)}  # then the images themselves say theirs
    assert training_grid(prepare(tmp_path / "pairs", spacings=of_pairs))["spacing"] == list(SPACING)


@pytest.mark.parametrize(
    "text",
    [
        '{"run": {"grid": {"spacing": [1, 2]}}}',
        '{"run": {"grid": {"spacing": [1, 2, 3], "orientation": "XYZ"}}}',
        '{"run": {"grid": {"spacing": [1, 2, 3], "orientation": "LRS"}}}',
        '{"run": {"grid": {"spacing": [1, 2, -3], "orientation": "LPS"}}}',
        '{"run": {"grid": {"spacing": [1, 2, 3], "orientation": "LPS", "levels": [0.5, 0.5]}}}',
        '{"run": {"grid": {"spacing": [1, 2, 3], "orientation": "LPS", "levels": [0.1, 1.5]}}}',
        '{"run": {"grid": null}}',
        "[]",
        "{}",
    ],
)
def test_weights_that_record_no_grid_are_of_none(text, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"bias": np.zeros(1)}, path, metadata={"about": text})
    assert recorded(path, "mine.py") == Recorded()


@pytest.mark.parametrize(("shrink", "sizes"), [(2, SPACING), (1, (4.0, 8.0, 6.0)), (4, (1.0, 2.0, 1.5))])
def test_whatever_it_is_told_to_average_a_network_sees_the_voxels_that_it_knows(shrink, sizes, tmp_path):
    seen = Seen(SPACING, "LIA", 2)
    fixed = scene(size=(90, 80, 100), spacing=(1.0, 1.2, 0.9), turn="PIR")
    one = Scan(tmp_path, fixed)
    grid = working_grid(one, one, Rule().seen_by(seen, shrink))
    assert grid.as_scan.spacing == pytest.approx(sizes, rel=0.03)
    directions = np.reshape(grid.image.GetDirection(), (3, 3))
    assert np.round(directions) == pytest.approx(np.array([[1, 0, 0], [0, 0, -1], [0, -1, 0]]))  # LPS of L, I, A
    extent = [n * size for n, size in zip(grid.shape, grid.as_scan.spacing, strict=True)]
    assert sorted(extent) == pytest.approx(sorted([90 * 1.0, 80 * 1.2, 100 * 0.9]))


def test_a_size_that_is_asked_for_goes_before_the_weights(tmp_path):
    rule = Rule(spacing=5.0).seen_by(Seen(SPACING, "LIA", 2), 2)
    assert (rule.known, rule.axes) == (None, "LIA")
    assert Rule().seen_by(None, 1) == Rule()


ONE_VOXEL = '''
"""Moves by one voxel of whatever grid it is given, along the first axis."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Params:
    """No options."""

    shrink: int = 1  # of so many voxels a side it makes one


@dataclass(frozen=True)
class Training:
    """No options."""


def load(params, *, device, seed, checkpoint=None):
    """Return the registration."""

    def register(fixed, moving, spacing):
        step = np.zeros((3, *fixed.shape), np.float32)
        step[0] = 1
        return step

    return register


def train(data, folder, params, training, *, device, seed):
    """Learn nothing."""
'''


@pytest.fixture(scope="module")
def one_voxel(tmp_path_factory):
    """A pair of anisotropic images, a method that moves by a voxel, and its weights, which know voxels of 4 mm."""
    folder = tmp_path_factory.mktemp("one-voxel")
    write(scene(size=(50, 60, 40), spacing=(1.0, 0.8, 1.3), turn="PIR"), folder / "fixed.nii.gz")
    write(scene(size=(44, 38, 40), spacing=(1.5, 1.6, 1.6), turn="RAS", shift=(3, -2, 2.5)), folder / "moving.nrrd")
    (folder / "one_voxel.py").write_text(ONE_VOXEL)
    run = {"params": {"shrink": 2}, "grid": {"spacing": [2.0, 4.0, 2.0], "orientation": "LIA"}}
    about = {"params": {}, "run": run, "method": "one_voxel"}
    save_file({"bias": np.zeros(1)}, folder / "weights.safetensors", metadata={"about": json.dumps(about)})
    return folder


def registered(folder, out, *more, weights=None):
    files = [str(folder / "fixed.nii.gz"), str(folder / "moving.nrrd")]
    network = ["--method", str(folder / "one_voxel.py"), "--weights", str(weights or folder / "weights.safetensors")]
    main([*files, *network, "--threads", "1", "--out", str(out), *more])
    return json.loads((out / "registration.json").read_text())


def test_a_pair_is_registered_at_the_scale_of_the_weights_and_files_and_screen_say_so(one_voxel, tmp_path, caplog):
    caplog.set_level("INFO")
    about = registered(one_voxel, tmp_path / "out")
    assert about["grid_spacing"] == pytest.approx([2.0, 4.0, 2.0], rel=0.05)
    assert about["seen_spacing"] == pytest.approx([4.0, 8.0, 4.0], rel=0.05)
    assert json.loads(about["run"]["params"])["shrink"] == 2
    assert "voxels of the size that the weights learned from, axes to LIA" in about["grid_from"]
    assert f"{about['grid_from']}; 1 thread\n" in caplog.text
    assert about["warnings"] == []
    transform = sitk.ReadTransform(str(tmp_path / "out" / "transform.h5"))
    place = np.array([10.0, -5, 20])
    moved = np.array(transform.TransformPoint(place.tolist())) - place
    assert moved == pytest.approx([about["grid_spacing"][0], 0, 0], abs=1e-4)  # a voxel of that grid, to the left
    fixed, moving = (sitk.ReadImage(str(one_voxel / name)) for name in ("fixed.nii.gz", "moving.nrrd"))
    outside = float(sitk.GetArrayViewFromImage(moving).min())
    again = sitk.Resample(sitk.Cast(moving, sitk.sitkFloat64), fixed, transform, sitk.sitkLinear, outside)
    warped = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / "warped.nii.gz")))
    assert np.abs(warped - np.round(sitk.GetArrayFromImage(again))).max() <= 1


@pytest.mark.parametrize(
    ("more", "words", "levels"),
    [
        ([], "percentiles 0.5 and 99.5 of each image became 0.1 and 0.4, as the weights know them", (0.1, 0.4)),
        (["--window", "-50", "950"], "-50 and 950 became 0 and 1, as --window says", None),
    ],
)
def test_a_network_gets_the_intensities_that_it_knows_or_those_of_a_window(more, words, levels, one_voxel, tmp_path):
    run = {"grid": {"spacing": [2.0, 4.0, 2.0], "orientation": "LIA", "levels": [0.1, 0.4]}}
    weights, about = tmp_path / "dim.safetensors", json.dumps({"run": run, "method": "one_voxel"})
    save_file({"bias": np.zeros(1)}, weights, metadata={"about": about})
    found = registered(one_voxel, tmp_path / "out", *more, weights=weights)
    plain = registered(one_voxel, tmp_path / "plain")
    assert found["intensities"] == words
    for image in ("fixed", "moving"):
        dark, bright = plain[image]["zero"], plain[image]["one"]
        zero, one = found[image]["zero"], found[image]["one"]
        if levels:
            seen = ((dark - zero) / (one - zero), (bright - zero) / (one - zero))
            assert seen == pytest.approx(levels)
        else:
            assert (zero, one) == (-50, 950)


def test_another_scale_is_warned_of(one_voxel, tmp_path):
    (line,) = registered(one_voxel, tmp_path / "out", "--spacing", "1.5")["warnings"]
    assert line == (
        "the weights of one-voxel learned from voxels of 2 x 4 x 2 mm, and --spacing gives it 1.5 mm: things look "
        "another size to it than those it knows; leave --spacing out"
    )


def test_weights_that_do_not_say_what_they_know_are_warned_of(one_voxel, tmp_path):
    bare = tmp_path / "bare.safetensors"
    save_file({"bias": np.zeros(1)}, bare)
    about = registered(one_voxel, tmp_path / "out", weights=bare)
    assert "the fixed image's own grid" in about["grid_from"]
    (line,) = about["warnings"]
    assert line.startswith("the weights of one-voxel do not record the size of the voxels that they learned from")


def test_methods_of_a_comparison_have_each_their_own_grid(one_voxel, tmp_path):
    folder, out = one_voxel, tmp_path / "out"
    weights = f"one-voxel={folder / 'weights.safetensors'}"
    methods = ["--method", str(folder / "one_voxel.py"), "--method", "identity", "--weights", weights]
    main([str(folder / "fixed.nii.gz"), str(folder / "moving.nrrd"), *methods, "--threads", "1", "--out", str(out)])
    grids = {name: json.loads((out / name / "registration.json").read_text()) for name in ("one-voxel", "identity")}
    assert grids["identity"]["grid_spacing"] == pytest.approx([1.3, 1.0, 0.8])
    assert grids["identity"]["seen_spacing"] is None
    assert grids["one-voxel"]["grid_spacing"] == pytest.approx([2.0, 4.0, 2.0], rel=0.05)
