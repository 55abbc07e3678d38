"""Preparing thousands of large scans takes the memory of one: a slice at a time, and no volume kept."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from datasets import lidc
from datasets.case import open_dataset
from datasets.chest_ct.dicom import read_series
from datasets.originals import Originals, Search, Stamp, recording
from tests.datasets.dicom_inputs import put_series
from workflows.running import stale
from workflows.running.options import build

MB = 2**20


def peak_of(act: Callable[[], object]) -> float:
    """Return the most MB that arrays and objects of Python took at once while something was done."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("slices", [24, 96])
def test_a_series_is_resized_slice_by_slice(tmp_path, slices):
    """512 x 512 x 96 voxels are 96 MB as floats; two slices and the resized volume are a tenth of that."""
    rng = np.random.default_rng(0)
    values = np.repeat(rng.integers(-1000, 1000, (512, 512, 1)), slices, axis=2)
    series = put_series(tmp_path / "a", "1.2.9", values=values)
    assert peak_of(lambda: read_series(series, (64, 64, 64))) < 12


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Return a function that imports so many patients, each of a volume of 64 x 64 x 64 voxels, which is one MB."""
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)

    def run(patients: int) -> None:
        root = tmp_path / f"source-{patients}"
        for number in range(patients):
            put_series(root / f"{number:03d}", f"1.2.9.{number}", patient=f"P{number:03d}")
        params = build(lidc.Params, {"source": str(root), "subjects": patients, "shape": [64, 64, 64]})
        folder = tmp_path / f"prepared-{patients}"
        with recording(folder) as kept:
            lidc.prepare(folder, params, name="lidc")
        assert len(kept.files) == 5 * patients
        assert len(open_dataset(folder).training_cases) == patients

    return run


def test_no_volume_is_kept(imported):
    imported(2)  # what is imported once and stays
    few, many = (peak_of(lambda n=n: imported(n)) for n in (3, 15))
    assert many - few < 12 * 0.1


def test_the_list_of_what_was_read_is_written_piece_by_piece(tmp_path):
    """Beside itself: with a thousand scans of 300 slices it is 200 MB in memory, and half a gigabyte as one text."""
    names = [f"LIDC-IDRI-{n // 300:04d}/1-{n % 300:03d}.dcm" for n in range(6000)]
    files = {f"/mirror/lidc/{name}": Stamp(526_000, n, n, f"{n:064x}") for n, name in enumerate(names)}
    originals = Originals(files, [Search("/mirror/lidc", "DICOM", tuple(names))])
    folder = tmp_path / "lidc"
    assert peak_of(lambda: stale._write(folder, originals)) < 0.5
    assert stale._kept(folder) == originals
