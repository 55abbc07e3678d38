"""Lung phantoms in place of named data sets: as deep, as many landmarks, cropped to the lungs, and still exact."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from datasets import geometry, phantom
from datasets.case import Pair, Truth, open_dataset
from datasets.grid import Grid
from datasets.phantoms.fields import mesh
from datasets.phantoms.lung import pair as lung_pair
from datasets.phantoms.lung import prepare as lung
from workflows.configuration.resolve import resolve
from workflows.planning.specs import PrepareSpec
from workflows.prepare import prepare
from workflows.running.options import build

pytestmark = pytest.mark.early

# The landmark distances and counts that the progressive networks' paper prints, row by row.
PRINTED = {
    "phantom-dirlab": ([3.89, 4.34, 6.94, 9.83, 7.48, 10.89, 11.03, 14.99, 7.92, 7.30], [300] * 10),
    "phantom-creatis": ([5.75, 13.98, 7.69, 7.34, 7.13, 6.67], [100, 100, 100, 100, 107, 113]),
    "phantom-popi": ([6.29], [41]),
}
SMALL = [20, 18, 16]
TINY = {"anatomy": "lung", "shape": [18, 17, 16], "training": 0, "test": 1}


@pytest.fixture(scope="module")
def catalogue():
    return resolve({}).config.datasets


@pytest.fixture(scope="module")
def cropped():
    """One deep pair, drawn finely enough for its voxels to say something."""
    grid = Grid((46, 40, 42), tuple(extent / n for extent, n in zip(lung.EXTENT_MM, (46, 40, 42), strict=True)))
    options = {"tre_mm": 12.0, "landmarks": 120, "crop": 1.0, "exact": True}
    return lung_pair.draw_pair(np.random.default_rng(5), grid, **options)


@pytest.fixture(scope="module", params=list(PRINTED))
def standin(request, catalogue, tmp_path_factory):
    """A data set of the catalogue, drawn small by the pipeline's own step."""
    folder, entry = tmp_path_factory.mktemp(request.param), catalogue[request.param]
    params = {**entry.params, "shape": SMALL}
    prepare(PrepareSpec(name=request.param, module=entry.module, params=params, folder=folder / "data"))
    return open_dataset(folder / "data"), Truth(folder / "data")


def test_landmarks_are_as_many_and_as_far_apart_as_printed(standin):
    data, truth = standin
    distances, counts = [], []
    for pair in data.test_pairs:
        fixed, moving = truth.landmarks(pair)
        gap = (fixed - moving) * data.image(pair.fixed).spacing
        distances.append(np.linalg.norm(gap, axis=1).mean())
        counts.append(len(fixed))
    wanted, numbers = PRINTED[data.name]
    np.testing.assert_allclose(distances, wanted, rtol=0.02)
    np.testing.assert_allclose(distances, list(data.description.severity.values()), atol=0.01)
    assert counts == numbers


def test_each_pair_has_its_own_anisotropic_spacing(standin):
    data, _ = standin
    spacings = [data.description.spacings[pair.name] for pair in data.test_pairs]
    assert data.description.spacing is None
    assert len(set(map(tuple, spacings))) > 0.6 * len(spacings)
    for pair, spacing in zip(data.test_pairs, spacings, strict=True):
        for case in (pair.fixed, pair.moving):
            np.testing.assert_allclose(data.image(case).spacing, spacing, rtol=1e-5)
        size = np.multiply(spacing, SMALL)
        # The crops of the paper measure 206 to 307, 148 to 236 and 195 to 315 mm (its spacings times its 128 voxels).
        assert np.all((size > [206, 148, 195]) & (size < [307, 236, 315]))
        assert min(spacing) > 0
        assert np.ptp(spacing) > 0.5
    assert any("cropped to the lungs" in step for step in data.description.preprocessing)


def test_landmarks_and_lungs_lie_inside_of_the_cropped_grid(standin):
    data, truth = standin
    for pair in data.test_pairs:
        for side in truth.landmarks(pair):
            assert side.min() >= 0
            assert np.all(side <= np.array(SMALL) - 1)
        assert all(set(lung.LUNGS) <= set(np.unique(truth.labels(case))) for case in (pair.fixed, pair.moving))
        assert data.mask(pair.fixed).mean() > 0.9  # crops lie within the bore, but for their corners


def test_catalogue_has_stand_ins_with_titles_and_subjects_of_their_own(catalogue):
    standins = [catalogue[name].params for name in ["phantom-lidc", *PRINTED]]
    assert len({params["title"] for params in standins}) == 4
    assert all(params["title"].startswith("Lung phantom, ") for params in standins)
    assert len({params["seed"] for params in (*standins, catalogue["phantom-lung"].params)}) == 5
    assert {catalogue[name].train_on for name in PRINTED} == {"phantom-lidc"}
    assert standins[0]["test"] == 0
    assert standins[0]["training"] > 0


def test_crop_covers_both_scans_lungs_with_its_margin_and_little_more(cropped):
    chest, breathing, grid = cropped.chest, cropped.breathing, cropped.grid
    axes = [np.arange(-extent / 2, extent / 2, 4.4) for extent in lung.EXTENT_MM]
    points = mesh(axes).reshape(3, -1)
    outside = np.any(np.abs(points.T - grid.centre) > np.multiply(grid.shape, grid.spacing) / 2, axis=1)
    for where in (points, breathing(points)):
        lungs = np.minimum(*chest.lungs(where)) < 0
        assert np.mean(outside[lungs]) < 0.003  # slivers of the recess beside the diaphragm
    both = [np.isin(labels, lung.LUNGS) for labels in (cropped.fixed_labels, cropped.moving_labels)]
    for axis, spacing in enumerate(grid.spacing):
        area = np.max([mask.sum(axis=tuple({0, 1, 2} - {axis})) for mask in both], axis=0)
        planes = np.flatnonzero(area * np.prod(grid.spacing) / spacing > lung_pair.SLIVER_MM2)
        for margin in (planes[0] * spacing, (grid.shape[axis] - 1 - planes[-1]) * spacing):
            assert abs(margin - lung_pair.MARGIN_MM) < spacing / 2 + 3  # half a voxel, and half a step of the search


def test_fixed_image_is_the_moving_one_at_displaced_points_of_a_cropped_grid(cropped):
    points = mesh(cropped.grid.axes).reshape(3, -1)
    there = points + cropped.displacement.reshape(3, -1) * np.asarray(cropped.grid.spacing)[:, None]
    np.testing.assert_allclose(there, cropped.breathing(points), atol=1e-3)
    _, labels = cropped.chest.paint(there, edge_mm=4.0)
    assert np.mean(labels == cropped.fixed_labels.ravel()) > 0.9995  # float32 displacement flips a few at borders


def test_truth_warps_exhale_onto_inhale_on_a_cropped_grid(cropped):
    warped = geometry.warp(cropped.moving_labels, cropped.displacement, order=0)
    for label in lung.LUNGS:
        fixed = cropped.fixed_labels == label
        after, before = (
            2 * np.sum((a == label) & fixed) / np.sum((a == label) * 1 + fixed) for a in (warped, cropped.moving_labels)
        )
        assert after > 0.95
        assert after > before + 0.05
    # Away from edges, where interpolation blurs; inside of the lungs density differs too, as mass conservation wants.
    smooth = ndimage.gaussian_gradient_magnitude(cropped.fixed, 1.0) < 40
    smooth &= lung.field_of_view(cropped.grid) & ~np.isin(cropped.fixed_labels, lung.LUNGS)
    assert smooth.mean() > 0.2
    gap = np.abs(geometry.warp(cropped.moving, cropped.displacement) - cropped.fixed)[smooth]
    unregistered = np.abs(cropped.moving - cropped.fixed)[smooth]
    assert gap.mean() < 0.4 * unregistered.mean()


def test_landmarks_of_a_cropped_grid_follow_the_truth(cropped):
    fixed, moving = cropped.fixed_landmarks, cropped.moving_landmarks
    assert fixed.shape == moving.shape == (120, 3)
    assert cropped.tre_before == pytest.approx(12.0, rel=0.0051)
    assert np.abs(geometry.move_points(cropped.displacement, fixed) - moving).max() < 0.1
    middle = (np.asarray(cropped.grid.shape) - 1) / 2
    inhale, exhale = (((p - middle) * cropped.grid.spacing + cropped.grid.centre).T for p in (fixed, moving))
    np.testing.assert_allclose(cropped.breathing(inhale), exhale, atol=0.01 * min(cropped.grid.spacing))
    for labels, p in ((cropped.fixed_labels, fixed), (cropped.moving_labels, moving)):
        assert np.mean(np.isin(geometry.sample(labels, p.T, order=0), lung.LUNGS)) > 0.97


def test_cropped_scans_keep_their_place_in_the_world(cropped):
    grid = cropped.grid
    world = grid.affine @ [*grid.to_voxels([[10.0, 20.0, -30.0]])[0], 1]
    np.testing.assert_allclose(world, [-10, -20, -30, 1])  # millimetres to the right, to anterior and to superior
    corner = [axis[0] for axis in grid.axes]
    np.testing.assert_allclose(grid.to_voxels(np.reshape(corner, (1, 3))), 0, atol=1e-12)
    assert np.abs(grid.centre).max() > 2


def test_a_training_set_without_test_pairs(tmp_path):
    params = {**TINY, "training": 1, "test": 0, "title": "Chests"}
    prepare(PrepareSpec(name="chests", module="phantom", params=params, folder=tmp_path / "data"))
    data = open_dataset(tmp_path / "data")
    data.check_files()
    assert (data.description.title, data.test_pairs, data.description.severity) == ("Chests", [], {})
    assert data.training_cases == ["train00_inhale", "train00_exhale"]
    np.testing.assert_allclose(
        data.image("train00_inhale").spacing, np.array(lung.EXTENT_MM) / TINY["shape"], rtol=1e-5
    )


def test_training_scans_of_a_cropped_data_set_are_whole_chests(tmp_path):
    options = {"training": 1, "crop": "lungs", "landmarks": [25], "difficulty": 0.5}
    phantom.prepare(tmp_path, build(phantom.Params, {**TINY, **options}), name="both")
    data = open_dataset(tmp_path)
    (test,), train = data.test_pairs, Pair("train00_inhale", "train00_exhale")
    np.testing.assert_allclose(data.description.spacings[train.name], np.array(lung.EXTENT_MM) / TINY["shape"])
    assert np.all(np.less(data.description.spacings[test.name], data.description.spacings[train.name]))
    assert len(Truth(tmp_path).landmarks(test)[0]) == 25
    assert data.description.severity[test.name] == pytest.approx(0.5 * lung.SEVERITY_MM[0], rel=0.006)
    said = " ".join(data.description.preprocessing)
    assert "training scans: whole chests, voxels of 18.33" in said
    assert data.description.parameters["landmarks"] == [25]


def test_varied_fields_of_view_lie_between_the_lungs_and_the_whole_chest(tmp_path):
    whole = np.array(lung.EXTENT_MM)
    sizes = {}
    for crop in ("lungs", "varied"):
        folder = tmp_path / crop
        options = {"training": 2, "test": 2, "crop": crop, "landmarks": 20}
        phantom.prepare(folder, build(phantom.Params, {**TINY, **options}), name=crop)
        data = open_dataset(folder)
        sizes[crop] = {name: np.array(spacing) * TINY["shape"] for name, spacing in data.description.spacings.items()}
    for pair in data.test_pairs:
        share = (whole - sizes["varied"][pair.name]) / (whole - sizes["lungs"][pair.name])
        assert 0 < share[0] < 1
        np.testing.assert_allclose(share, share[0])  # the same on every axis
    trained = [sizes["varied"][f"train{n:02d}_inhale__train{n:02d}_exhale"] for n in range(2)]
    assert np.all(trained[0] < whole)
    assert not np.allclose(*trained)
    assert "between the lungs and the whole chest" in " ".join(data.description.preprocessing)


def test_pairs_without_these_options_are_what_they_were_before_there_were_any(tmp_path):
    phantom.prepare(tmp_path, build(phantom.Params, {**TINY, "training": 1, "seed": 4}), name="plain")
    data, truth = open_dataset(tmp_path), Truth(tmp_path)
    pair = data.test_pairs[0]
    fixed, _ = truth.landmarks(pair)
    seen = [len(fixed), *fixed[0], data.description.severity[pair.name], np.abs(truth.displacement(pair)).max()]
    seen += [data.image(case).array.mean() for case in (pair.fixed, pair.moving, "train00_exhale")]
    pinned = [300, 3.922265, 9.063557, 8.58254, 6.964, 0.8678986, 0.3235125, 0.3251228, 0.3213023]
    np.testing.assert_allclose(seen, pinned, rtol=1e-4)
    assert not {"severity", "landmarks", "crop"} & set(data.description.parameters)
    np.testing.assert_allclose(data.description.spacing, np.array(lung.EXTENT_MM) / TINY["shape"])
    assert not data.description.spacings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"severity": [3.0, 4.0]}, "severity must give one distance a test pair, 1 in all, got 2"),
        ({"severity": [0.0]}, r"severity must be positive distances in mm, got \[0.0\]"),
        ({"severity": [float("nan")]}, "severity must be positive"),
        ({"landmarks": [3, 4]}, "landmarks must be one number, or one a test pair, 1 in all, got 2"),
        ({"landmarks": 0}, "landmarks must be at least 1, got 0"),
        ({"landmarks": 4000}, "4000 landmarks wanted, grid .* has [0-9]+; take fewer or a finer grid"),
        ({"crop": "heart"}, "option crop: .*'heart'"),
        ({"crop": "lungs", "spacing": [9.0, 9.0, 9.0]}, r"its own spacing; leave out spacing \[9.0, 9.0, 9.0\]"),
        ({"severity": [70.0]}, "tre_mm 70 would squeeze lung tissue"),
        ({"test": 0}, "needs training >= 0 and test >= 1, got 0 and 0"),
        (
            {"anatomy": "liver", "test": 2, "crop": "lungs", "landmarks": 5},
            "only the lung has the options landmarks, crop; .*liver",
        ),
        ({"anatomy": "brain", "design": "atlas", "severity": [5.0]}, "only the lung has the options severity"),
        ({"anatomy": "brain", "design": "atlas", "test": 0, "training": 2}, "test >= 1, got 2 and 0"),
    ],
)
def test_wrong_options_are_refused_in_one_line(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message) as error:
        phantom.prepare(tmp_path, build(phantom.Params, {**TINY, **wrong}), name="wrong")
    assert "\n" not in str(error.value)
