"""The truth of a data set may refuse what displacements made elsewhere were taken to mean, and does nothing else."""

import numpy as np
import pytest

from benchmarks.records import Registrations, write
from benchmarks.rows import RunRow
from datasets.files import DataError, write_displacement
from tests.methods.given import made as making
from workflows import contradiction
from workflows.contradiction import check_convention
from workflows.planning.layout import ChunkFolder
from workflows.planning.specs import MethodSpec, RegisterSpec, RunSpec

USUAL = {"content": "displacement", "unit": "voxels", "order": "array", "sense": "pull", "axes": "array"}


@pytest.fixture
def checked(tmp_path):
    """Return a function that checks fields of which landmarks say something; what it is called with is the truth."""

    def check(landmarks, *, found=USUAL, times=1.0, **stated):
        made = making.make(tmp_path / "data", "lps", landmarks=landmarks)
        for pair, u in made.pull.items():
            write_displacement(tmp_path / "disp" / pair.displacement_file, times * u, made.affine)
        by = MethodSpec(
            method="mine", module="methods.fields", params={"folder": str(tmp_path / "disp"), **stated}, device="cpu",
            seed=0, libraries={},
        )  # fmt: skip
        run = RunSpec(by=by, dataset="made", data=made.data.folder, training=None, time_limit=60)
        spec = RegisterSpec(run=run, chunk=0, chunks=1, sources=[], folder=tmp_path / "chunk")
        done = [record(pair.name) for pair in making.PAIRS]
        write(ChunkFolder(spec.folder).registrations, Registrations(run=row(found), cost={}, pairs=done))
        check_convention(spec)

    return check


def record(pair):
    from benchmarks.records import PairRecord

    return PairRecord(run="r", pair=pair, finished_utc="", process=1, status="ok", reason="")


def row(found):
    from benchmarks.provenance import collect

    made: RunRow = collect(
        run="r", dataset="made", method="mine", seed=0, module="fields", params={"found": found}, device="cpu",
        threads=1, libraries=(),
    )  # fmt: skip
    return made


def right(u):
    return u


@pytest.mark.parametrize("stated", [{}, USUAL])
def test_landmarks_that_agree_refuse_nothing(checked, stated):
    checked(right, **stated)


@pytest.mark.parametrize(
    ("option", "wrong", "whole"),
    [
        ("sense", "push", True),
        ("sense", "push", False),
        ("order", "reversed", True),
        ("order", "reversed", False),
        ("unit", "mm", False),  # goes a part of the way: stated as a whole it would hold
    ],
)
def test_a_convention_that_landmarks_contradict_is_refused_with_both_figures(checked, option, wrong, whole):
    taken = {**USUAL, option: wrong}
    with pytest.raises(DataError) as error:
        checked(right, found=taken, **(taken if whole else {}))
    text = str(error.value)
    assert text.startswith("mine: the landmarks of 2 pairs contradict the convention: they lie ")
    assert f"{option}: {wrong}" in text
    assert "0.00 mm under [content: displacement, unit: voxels, order: array, sense: pull, axes: array]" in text
    assert f"state under params which one holds: {option} ({wrong} or {USUAL[option]})" in text
    assert "\n" not in text


def test_a_method_that_is_no_good_is_not_taken_for_a_convention(checked):
    """Displacements that have nothing to do with the landmarks are scored, whatever comes of it."""
    checked(lambda u: np.stack([3 + 0 * u[0], -4 * np.cos(u[1]), 5 * np.sin(3 * u[2])]))


def test_a_whole_statement_holds_where_things_become_better(checked):
    """Half of the way in millimetres, as stated; in voxels it would be nearly all of it."""
    stated = {**USUAL, "unit": "mm"}
    checked(right, found=stated, **stated)


def test_a_doubt_that_is_recorded_beside_the_convention_changes_nothing(checked):
    doubt = {"but": "the images speak for [content: displacement, unit: voxels]"}
    checked(right, found={**USUAL, **doubt})
    with pytest.raises(DataError, match="contradict the convention"):
        checked(right, found={**USUAL, "order": "reversed", **doubt})


def test_small_errors_contradict_nothing(checked):
    checked(lambda u: 1.05 * u, times=0.97)


def test_centres_of_labels_are_known_about():
    labels = np.zeros((12, 14, 10), np.uint16)
    for value, place in enumerate([(2, 3, 2), (6, 7, 5), (9, 3, 7)], start=1):
        labels[tuple(slice(n - 1, n + 2) for n in place)] = value

    class Given:
        description = type("About", (), {"evaluated_labels": (1, 2, 3)})

        def labels(self, case):
            return labels if case == "a" else np.roll(labels, 1, axis=1)

    known = contradiction._by_labels(Given(), Given(), making.PAIRS[0])
    np.testing.assert_allclose(known.fixed.T, [(2, 3, 2), (6, 7, 5), (9, 3, 7)])
    np.testing.assert_allclose(known.moving - known.fixed, np.tile([[0], [1], [0]], 3))
