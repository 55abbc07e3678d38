"""A pair of images with a known shift between them, in any format, direction, spacing, size and type of voxel."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name
from scipy import ndimage

from datasets.own.scans import own_locale

SHIFT = np.array([3.0, -2.0, 2.5])  # mm, LPS: moving(p + SHIFT) = fixed(p)
TURNS = {
    "LPS": np.eye(3),
    "RAS": np.diag([-1.0, -1.0, 1.0]),
    "PIR": np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]),
    "oblique": np.linalg.qr(np.array([[1.0, 0.3, 0.1], [-0.3, 1, 0.2], [0, -0.2, 1]]))[0],
}
TURNS["oblique"] = TURNS["oblique"] @ np.diag(np.sign(np.diag(TURNS["oblique"])))


def blobs(points):
    """A smooth scene of a few blobs, as a function of places ``(..., 3)`` in mm, LPS, around (10, -5, 20)."""
    at = points - np.array([10.0, -5, 20])
    value = np.zeros(points.shape[:-1])
    for centre, width, height in (
        ((0, 0, 0), 14, 600),
        ((12, 6, -4), 5, 400),
        ((-10, 8, 6), 6, 300),
        ((4, -14, 8), 5, 350),
        ((-6, -6, -12), 6, 450),
    ):
        value += height * np.exp(-np.sum((at - np.array(centre)) ** 2, axis=-1) / (2 * width**2))
    return value


def scene(size=(40, 36, 30), spacing=(1.5, 1.6, 2.0), turn="LPS", shift=(0, 0, 0), kind=np.int16):
    """Return the scene, moved by ``shift`` mm, as an ITK image whose grid is centred on it."""
    directions = TURNS[turn]
    image = sitk.Image(list(map(int, size)), sitk.sitkFloat64)
    image.SetSpacing(spacing)
    image.SetDirection(directions.ravel().tolist())
    middle = directions @ (np.array(spacing) * (np.array(size) - 1) / 2)
    image.SetOrigin((np.array([10.0, -5, 20]) - middle).tolist())
    return filled(image, shift, kind)


def filled(image, shift, kind):
    """Return the scene on the grid of an image."""
    voxels = np.stack(np.meshgrid(*(np.arange(n) for n in image.GetSize()), indexing="ij"), axis=-1)
    directions = np.reshape(image.GetDirection(), (3, 3))
    places = voxels * np.array(image.GetSpacing()) @ directions.T + image.GetOrigin()
    values = blobs(places - np.array(shift)) + 20
    array = np.round(values) if np.issubdtype(kind, np.integer) else values
    made = sitk.GetImageFromArray(array.astype(kind).transpose(2, 1, 0))
    made.CopyInformation(image)
    return made


def labelled(image, level=300):
    """Return the bright part of a scene as a label map."""
    labels = sitk.GetImageFromArray((sitk.GetArrayFromImage(image) > level).astype(np.uint8))
    labels.CopyInformation(image)
    return labels


def write(image, path: Path) -> Path:
    """Write an image in the format of the path's ending; without one as a folder of DICOM slices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        sitk.WriteImage(image, str(path))
        return path
    path.mkdir()
    with own_locale():
        _write_slices(image, path)
    return path


def _write_slices(image, path):
    series, directions = "1.2.826.0.1.3680043.2.1125.1", np.reshape(image.GetDirection(), (3, 3))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k in range(image.GetSize()[2]):
        plane = image[:, :, k]
        place = image.TransformIndexToPhysicalPoint((0, 0, k))
        tags = {
            "0008|0060": "CT",
            "0020|000d": f"{series}.1",
            "0020|000e": f"{series}.2",
            "0008|0018": f"{series}.3.{k + 1}",
            "0020|0013": str(k + 1),
            "0020|0032": "\\".join(f"{value:.6f}" for value in place),
            "0020|0037": "\\".join(f"{value:.8f}" for value in (*directions[:, 0], *directions[:, 1])),
            "0018|0050": f"{image.GetSpacing()[2]:.6f}",
        }
        for tag, value in tags.items():
            plane.SetMetaData(tag, value)
        writer.SetFileName(str(path / f"slice{k:03d}.dcm"))
        writer.Execute(plane)


def interior(array, margin=5):
    """Return the middle of an array."""
    return array[tuple(slice(margin, -margin) for _ in array.shape)]


def smoothly(shape, seed=0, size=2.0):
    """Return a smooth displacement ``(3, *shape)`` in voxels."""
    rng = np.random.default_rng(seed)
    noise = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), 6) for _ in range(3)])
    return (size * noise / np.abs(noise).max()).astype(np.float32)
