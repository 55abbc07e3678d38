"""A slip in what is stated of a convention is seen by the images, and not made good by what is left open."""

import pytest

from tests.methods.given import made as making
from tests.methods.given.made import PAIRS, numbers, scored, write

TRUE = {"content": "displacement", "unit": "mm_lps", "order": "array", "sense": "pull"}
SLIPS = [("unit", "mm_ras"), ("order", "reversed"), ("sense", "push"), ("content", "deformation")]


def export(pairs, folder, *, reach=1.0):
    """Write the truth, or so much of it, in `TRUE`."""
    for pair in PAIRS:
        u = reach * pairs.pull[pair]
        stored = numbers(u, pairs.affine, content=TRUE["content"], unit=TRUE["unit"], order=TRUE["order"])
        write(folder / f"disp_{pair.fixed}_{pair.moving}.mha", stored, pairs.affine)


@pytest.mark.parametrize(("option", "slip"), SLIPS)
@pytest.mark.parametrize("direction", ["ras", "oblique"])
def test_a_slip_is_refused_with_the_option_to_correct(made, tmp_path, direction, option, slip):
    pairs = made(direction)
    export(pairs, tmp_path)
    found, refused = making.tried(pairs, tmp_path, **{option: slip})
    assert not found
    assert "the images contradict what is stated" in refused
    assert refused.partition("correct under params ")[2].startswith(f"{option} ({slip} or {TRUE[option]}), or, if")


@pytest.mark.parametrize("option", TRUE)
def test_what_is_right_is_taken(made, tmp_path, option):
    pairs = made("lps")
    export(pairs, tmp_path)
    assert making.error(pairs, scored(pairs, tmp_path, **{option: TRUE[option]}), margin=0) < 2e-3


@pytest.mark.parametrize("reach", [0.25, 0.5, 1.0, 1.5])
def test_a_method_that_moves_too_little_or_too_far_is_scored_where_all_is_stated(tmp_path, reach):
    """Half of the way in millimetres is all of it in voxels of 2 mm: images would take the one for the other."""
    pairs = making.make(tmp_path / "data", "lps", spacing=(2.0, 2.0, 2.0))
    export(pairs, tmp_path / "disp", reach=reach)
    found = scored(pairs, tmp_path / "disp", **TRUE | {"axes": "array"})
    for pair in PAIRS:
        assert abs(found[pair] - reach * pairs.pull[pair]).max() < 2e-3
    _, refused = making.tried(pairs, tmp_path / "disp", unit="mm_lps", sense="pull", order="array")
    assert not refused or "correct under params unit (mm_lps or voxels)" in refused
    assert bool(refused) == (reach < 1)


@pytest.mark.parametrize("slip", ["voxels", "mm_lps"])
def test_a_unit_that_differs_in_length_alone_is_a_slip_too(tmp_path, slip):
    pairs = making.make(tmp_path / "data", "lps", spacing=(4.0, 4.5, 5.0))
    unit = {"voxels": "mm_lps", "mm_lps": "voxels"}[slip]
    for pair in PAIRS:
        stored = numbers(pairs.pull[pair], pairs.affine, content="displacement", unit=unit, order="array")
        write(tmp_path / "disp" / f"disp_{pair.fixed}_{pair.moving}.npz", stored, pairs.affine)
    found, refused = making.tried(pairs, tmp_path / "disp", unit=slip)
    assert not found
    assert "the images contradict what is stated" in refused
    assert refused.partition("correct under params ")[2].startswith(f"unit ({slip} or ")


@pytest.mark.parametrize(("unit", "spacing"), [("voxels", (1.0, 1.0, 1.0)), ("normalised_corners", (2.0, 1.5, 2.6))])
def test_of_what_is_stated_the_slip_alone_is_named(tmp_path, unit, spacing):
    """In voxels of 1 mm units are equal, and both normalised ones are nearly: the right one is not to be corrected."""
    pairs = making.make(tmp_path / "data", "lps", spacing=spacing)
    for pair in PAIRS:
        stored = numbers(pairs.pull[pair], pairs.affine, content="displacement", unit=unit, order="array")
        write(tmp_path / "disp" / f"disp_{pair.fixed}_{pair.moving}.npz", stored, pairs.affine)
    _, refused = making.tried(pairs, tmp_path / "disp", unit=unit, sense="push", content="displacement")
    assert refused.partition("correct under params ")[2].startswith("sense (push or pull), or, if")


def test_deformations_that_fall_short_are_found_all_the_same(tmp_path):
    """Places in other units lie far apart, whatever the length of the way: nothing is ambiguous."""
    pairs = making.make(tmp_path / "data", "ras", spacing=(2.0, 2.0, 2.0))
    for pair in PAIRS:
        stored = numbers(0.7 * pairs.pull[pair], pairs.affine, content="deformation", unit="voxels", order="array")
        write(tmp_path / "disp" / f"disp_{pair.fixed}_{pair.moving}.npz", stored, pairs.affine)
    found = scored(pairs, tmp_path / "disp")
    for pair in PAIRS:
        assert abs(found[pair] - 0.7 * pairs.pull[pair]).max() < 2e-3


def test_a_slip_in_a_whole_statement_is_taken_and_doubted(made, tmp_path):
    from methods import fields

    pairs = made("ras")
    export(pairs, tmp_path)
    told = {
        unit: fields.load(
            fields.Params(folder=tmp_path, **TRUE | {"unit": unit, "axes": "array"}),
            device="cpu",
            seed=0,
            data=pairs.data,
        ).told
        for unit in ("mm_lps", "mm_ras")
    }
    assert "is it right?" not in told["mm_lps"]
    assert told["mm_ras"].endswith("is it right?")
    assert "unit: mm_lps" in told["mm_ras"]
