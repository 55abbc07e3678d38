"""Pictures of cases: orientation, grids, outlines, choice and size."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks import ranking
from datasets import geometry
from datasets.files import Volume
from reports.drawing import pictures, planes, registration
from tests.reports.report_inputs import AFFINES, METHODS, extreme


@pytest.mark.parametrize("name", AFFINES)
@pytest.mark.parametrize(("world", "axis", "side"), [
    ((-1, 0.1, 0.1), 2, "right"), ((1, 0.1, 0.1), 2, "left"), ((0.1, 1, 0.1), 2, "top"), ((0.1, -1, 0.1), 2, "bottom"),
    ((-1, 0.1, 0.1), 1, "right"), ((0.1, 0.1, 1), 1, "top"), ((0.1, 0.1, -1), 1, "bottom"),
])  # fmt: skip
def test_patient_left_is_on_the_right_front_and_head_on_top(name, world, axis, side):
    affine, shape = AFFINES[name], (5, 7, 9)
    image = np.zeros(shape)
    image[extreme(affine, shape, world)] = 1
    shown = planes.oriented(image, affine).sum(axis=axis).T
    y, x = np.argwhere(shown)[0]
    expected = {"left": (x, 0), "right": (x, shown.shape[1] - 1), "top": (y, 0), "bottom": (y, shown.shape[0] - 1)}
    assert expected[side][0] == expected[side][1]


@pytest.mark.parametrize("name", AFFINES)
def test_planes_agree_with_the_whole_volume(name):
    rng, shape, affine = np.random.default_rng(1), (9, 11, 13), AFFINES[name]
    fixed, moving = (Volume(rng.uniform(0, 1, shape).astype(np.float32), affine) for _ in range(2))
    labels = tuple(rng.integers(0, 4, shape).astype(np.uint16) for _ in range(2))
    u = rng.normal(0, 1, (3, *shape)).astype(np.float32)
    spacing = planes.oriented_spacing(fixed)
    warped = planes.oriented(geometry.warp(moving.array, u), affine)
    warped_labels = planes.oriented(geometry.warp(labels[1], u, order=0), affine)
    determinant = planes.oriented(geometry.jacobian_determinant(u), affine)
    middle = [n // 2 for n in warped.shape]
    for plane, axis in zip(planes.planes(fixed, moving, u, labels), (2, 1), strict=True):
        sections = np.moveaxis(warped, axis, 0)
        found = [i for i, section in enumerate(sections) if np.allclose(section.T, plane.warped, atol=1e-4)]
        assert len(found) == 1
        assert abs(found[0] - middle[axis]) <= 1
        np.testing.assert_allclose(plane.determinant, np.take(determinant, found[0], axis).T, rtol=1e-3, atol=1e-3)
        assert np.array_equal(plane.warped_labels, np.take(warped_labels, found[0], axis).T)
        assert plane.voxel == (spacing[0], spacing[1 if axis == 2 else 2])


def test_a_shift_to_the_patients_left_moves_the_grid_to_the_viewers_right():
    affine, shape = AFFINES["RAS"], (6, 7, 8)
    u = np.zeros((3, *shape), np.float32)
    u[0], u[2] = -2, 1  # two voxels towards the left, one upwards
    volume = Volume(np.ones(shape, np.float32), affine)
    axial, coronal = planes.planes(volume, volume, u)
    assert np.all(axial.displacement[0] == 2)
    assert np.all(axial.displacement[1] == 0)
    assert np.all(coronal.displacement[1] == -1)
    lines = planes.grid_lines(axial.displacement, axial.voxel)
    assert min(line[:, 0].min() for line in lines) == 2
    assert max(line[:, 0].max() for line in lines) == 5 + 2


def test_the_drawn_picture_shows_left_on_the_right_and_folds_in_magenta():
    shape, affine = (24, 20, 16), np.diag([1.0, 1.0, 1.5, 1.0])
    image = np.full(shape, 0.2, np.float32)
    image[:4] = 1.0  # the patient's left
    u = np.zeros((3, *shape), np.float32)
    u[1, :, 8:14] = -3 * np.arange(6, dtype=np.float32)[None, :, None]  # folds along axis 1
    volume = Volume(image, affine)
    figure = registration.draw_registration(planes.planes(volume, volume, u), "title")
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    one, gap = registration.WIDTH * registration.DPI, registration.GAP * registration.DPI
    top, left = round(registration.TOP * registration.DPI), registration.LEFT * registration.DPI
    first = pixels[top + 25 : top + 60, round(left) + 4 : round(left + one) - 4].mean(axis=(0, 2))
    assert first[-8:].mean() > first[:8].mean() + 100
    last = pixels[top : top + 100, round(left + 6 * (one + gap)) :]
    magenta = np.all(np.abs(last - [255, 0, 200]) < 12, axis=-1)
    assert 0.02 < magenta.mean() < 0.6


def test_outline_runs_between_labels():
    labels = np.zeros((4, 5), int)
    labels[1, 2] = 7
    segments = {tuple(map(tuple, segment)) for segment in planes.outline(labels).tolist()}
    top, bottom, left, right = (1.5, 0.5), (2.5, 1.5), (1.5, 1.5), (2.5, 0.5)
    assert segments == {(top, right), (left, bottom), (top, left), (right, bottom)}


def test_pictures_are_small_and_complete(built):
    folder = built[0] / "figures" / "cases"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    expected = {f"shells/{m}-{r}.png" for m in METHODS for r in ranking.RANKS}
    expected |= {f"real/{m}-{r}.png" for m in ("identity", "syn", "net") for r in ranking.RANKS}
    assert names == expected
    assert max(path.stat().st_size for path in folder.rglob("*.png")) <= 150_000
    # one pair: the three ranks are the same picture
    assert len({(folder / "real" / f"syn-{rank}.png").read_bytes() for rank in ranking.RANKS}) == 1
    assert len({(folder / "shells" / f"syn-{rank}.png").read_bytes() for rank in ranking.RANKS}) == 3


def test_shrink_obeys_its_limit():
    noise = np.random.default_rng(0).integers(0, 256, (300, 800, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, format="PNG")
    small = pictures.shrink(stream.getvalue(), 60_000)
    assert len(small) <= 60_000 < stream.tell()
