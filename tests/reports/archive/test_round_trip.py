"""A report from an archive is the report of the run, byte for byte, and needs neither torch nor ITK."""

import zipfile
from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from datasets.files import Array
from reports import page
from reports.archive.load import load
from reports.archive.packed import read
from reports.archive.told import ToldTraining
from reports.drawing import compact, planes
from reports.reading.pictures import Request, Stored, decode, encode
from reports.reading.trainings import Training
from tests.reports.archive.archive_inputs import archived, files_of, report_without_torch, small_run


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The report of a run that takes its pictures from volumes, and the one of its archive, by other processes."""
    folder = tmp_path_factory.mktemp("archive")
    run, papers = small_run(folder)
    page.build(folder / "direct", run, papers)
    report_without_torch(archived(folder).path, folder / "again")
    return files_of(folder / "direct"), files_of(folder / "again" / "report")


def test_every_file_of_the_report_is_the_same_without_torch_and_itk(both):
    direct, again = both
    assert sorted(direct) == sorted(again)
    assert [name for name in direct if direct[name] != again[name]] == []


def test_the_report_has_pictures_sections_and_curves(both):
    names = set(both[1])
    assert {"figures/cases/shells/ldr-1-worst.png", "figures/ldr-aldk-fig6.png"} <= names
    assert "figures/training-ldr-1-shells.svg" in names
    assert {"ledger.csv", "claims.csv", "audit.csv", "index.html", "tables/overview.csv"} <= names


def test_equal_runs_give_equal_archives_and_read_back_the_same(tmp_path):
    first, second = (archived(tmp_path / name) for name in ("one", "two"))
    assert first.path.read_bytes() == second.path.read_bytes()
    again = load(first).run
    run, _ = small_run(tmp_path / "one")
    assert again.metrics.equals(run.metrics)
    labels = [(name, method.label, method.kind) for name, method in again.methods.items()]
    assert labels == [(name, method.label, method.kind) for name, method in run.methods.items()]
    assert again.datasets["shells"].test_pairs == run.datasets["shells"].test_pairs


def test_an_unpacked_archive_is_one_too(tmp_path):
    packed = archived(tmp_path)
    with zipfile.ZipFile(packed.path) as content:
        content.extractall(tmp_path / "unpacked")
    assert read(tmp_path / "unpacked").content == read(tmp_path).content == packed.content


def test_what_an_archive_lacks_is_left_out_of_the_report(tmp_path):
    run, papers = small_run(tmp_path)
    bare = type(run)(**{**vars_of(run), "pictures": Stored()})
    page.build(tmp_path / "report", bare, [type(papers[0])(papers[0].paper, bare, papers[0].cast)])
    assert not list((tmp_path / "report").rglob("*-worst.png"))
    assert "not in the archive" in (tmp_path / "report" / "index.html").read_text("utf-8")


def vars_of(run):
    return {name: getattr(run, name) for name in run.__dataclass_fields__}


@dataclass(frozen=True)
class Held:
    values: Array


NUMBERS = st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.float16, np.float32, np.float64, np.bool_])


@given(NUMBERS.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0))))
def test_arrays_come_back_as_they_were(array):
    found = decode(encode(Held(array)), Request("a", Held, None)).values
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_packed_planes_are_near_and_folded_voxels_stay_folded():
    rng, shape = np.random.default_rng(0), (9, 7)
    determinant = rng.normal(0.4, 0.5, shape)
    plane = planes.Plane(
        "axial", *rng.uniform(0, 1, (3, *shape)), rng.normal(0, 3, (2, *shape)), determinant,
        rng.integers(0, 300, shape), rng.integers(0, 3, shape), (1.0, 1.5),
    )  # fmt: skip
    found = compact.unpack(compact.pack_pair(plane), compact.pack_warped(plane))
    np.testing.assert_allclose(found.warped, plane.warped, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(found.displacement, plane.displacement, atol=1 / 32)
    np.testing.assert_array_equal(found.determinant <= 0, determinant <= 0)
    unfolded = (determinant > 0) & (determinant < 2)
    np.testing.assert_allclose(found.determinant[unfolded], determinant[unfolded], atol=0.5 / compact.FINE + 1e-3)
    np.testing.assert_array_equal(found.fixed_labels, plane.fixed_labels)


def test_all_that_reports_know_of_a_training_is_in_an_archive():
    kept = {each.name for each in fields(ToldTraining)}
    assert {each.name for each in fields(Training) if each.init} == {*kept, "folder"}
