"""The unit of landmarks: found where the numbers tell, refused where they do not, never taken wrongly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.own.points import PairPoints, UnitError, check_unit, find_unit, fit, to_voxels
from datasets.own.words import UNITS
from datasets.placement import Placement

SHAPE = (60, 50, 40)
FAR = np.array([[-1.5, 0, 0, 400], [0, -2.0, 0, 300], [0, 0, 2.5, -900], [0, 0, 0, 1]])  # no voxel number is a place
AROUND = np.array([[-1.5, 0, 0, 45], [0, -2.0, 0, 50], [0, 0, 2.5, -50], [0, 0, 0, 1]])  # centred: mirrored is inside
RNG = np.random.default_rng(1)
VOXELS = RNG.uniform(5, 34, (20, 3))
STEP = np.array([2, -1, 1])  # voxels, from fixed to moving


def as_unit(voxels, unit, affine):
    """Return voxel numbers as a file of a unit has them, by another way than the code's."""
    if unit.startswith("voxels"):
        return voxels + (unit == "voxels-from-1")
    ras = np.array([affine[:3, :3] @ voxel + affine[:3, 3] for voxel in voxels])
    return ras * (-1, -1, 1) if unit == "lps" else ras


def pair(unit, affine=FAR, voxels=VOXELS, moving_affine=None):
    other = affine if moving_affine is None else moving_affine
    files = as_unit(voxels, unit, affine), as_unit(voxels + STEP, unit, other)
    return PairPoints(*files, Placement(SHAPE, affine), Placement(SHAPE, other))


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_leads_to_the_voxels(unit):
    assert to_voxels(as_unit(VOXELS, unit, FAR), unit, Placement(SHAPE, FAR)) == pytest.approx(VOXELS)


@pytest.mark.parametrize("unit", ["lps", "ras"])
def test_millimetres_are_found_where_no_other_unit_is_inside(unit):
    assert find_unit([pair(unit)]) == unit
    assert fit(unit, [pair(unit)]).distance == pytest.approx(np.linalg.norm(STEP * (1.5, 2, 2.5)))


@pytest.mark.fault(18)
def test_counting_from_0_or_1_cannot_be_told_but_at_an_end():
    with pytest.raises(UnitError, match=r"voxels 100.0% .*, as voxels-from-1 100.0% .*: voxels or voxels-from-1"):
        find_unit([pair("voxels")])
    first, last = (np.vstack([VOXELS, end]) for end in ([3, 30, 0], [57, 30, 38]))
    assert find_unit([pair("voxels", voxels=first)]) == "voxels"
    assert find_unit([pair("voxels-from-1", voxels=last)]) == "voxels-from-1"


def test_one_pair_at_an_end_tells_the_unit_of_all():
    end = np.vstack([VOXELS, [30, 30, 38]])  # the moving one is the last voxel, 39
    assert find_unit([pair("voxels-from-1"), pair("voxels-from-1", voxels=end)]) == "voxels-from-1"


@pytest.mark.fault(18)
def test_a_mirrored_world_is_refused_where_both_are_inside():
    with pytest.raises(UnitError, match=r"cannot be told.*as lps.*as ras"):
        find_unit([pair("lps", AROUND)])


def test_points_that_are_further_apart_than_spread_are_no_pairs():
    here, there = pair("lps", voxels=RNG.uniform(2, 6, (20, 3))), pair("lps", voxels=RNG.uniform(28, 34, (20, 3)))
    apart = PairPoints(here.fixed, there.moving, here.fixed_place, there.moving_place)
    with pytest.raises(UnitError, match="further than they are spread"):
        find_unit([apart])


def test_headers_that_differ_speak_against_a_unit_by_the_identity_distance():
    """As voxels all lie inside, but so far apart as the two headers are; in mm they are near each other."""
    voxels = RNG.uniform((2, 2, 2), (15, 20, 14), (20, 3))
    fixed = as_unit(voxels, "ras", np.diag([1.5, 2.0, 2.5, 1.0]))
    places = Placement(SHAPE, np.diag([1.5, 2.0, 2.5, 1.0])), Placement(SHAPE, _with_origin((-60, 0, 0)))
    points = PairPoints(fixed, fixed + 1, *places)
    with pytest.raises(UnitError, match=r"in another unit than voxels they are clearly nearer: .* as ras 100.0%"):
        find_unit([points], "voxels")


def _with_origin(origin):
    affine = np.diag([1.5, 2.0, 2.5, 1.0])
    affine[:3, 3] = origin
    return affine


@pytest.mark.parametrize("unit", ["voxels-from-1", "lps", "ras"])
def test_a_form_that_prescribes_a_unit_is_refuted_by_landmarks_outside(unit):
    last = np.vstack([VOXELS, [57, 48, 38]])
    with pytest.raises(UnitError, match=f"not all landmarks lie inside as voxels .*landmark_unit: .*{unit}"):
        find_unit([pair(unit, voxels=last)], "voxels")


def test_a_form_that_prescribes_a_unit_is_believed_where_another_does_as_well():
    assert find_unit([pair("voxels")], "voxels") == "voxels"


def test_a_stated_unit_is_held_against_the_images():
    check_unit([pair("lps")], "lps")
    with pytest.raises(UnitError, match=r"as voxels 0\.0% lie inside.*say which by `landmark_unit: lps`"):
        check_unit([pair("lps")], "voxels")


def test_landmarks_in_no_unit():
    points = PairPoints(VOXELS + 5000, VOXELS + 5000, Placement(SHAPE, FAR), Placement(SHAPE, FAR))
    with pytest.raises(UnitError, match="in no unit do all landmarks lie inside"):
        find_unit([points])


@given(
    unit=st.sampled_from(list(UNITS)),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
    seed=st.integers(0, 10**6),
)
def test_no_unit_is_ever_taken_wrongly(unit, origin, seed):
    """Whatever the places: what is found is the unit, or there is a refusal."""
    affine = AROUND.copy()
    affine[:3, 3] = origin
    rng = np.random.default_rng(seed)
    voxels = rng.uniform((1, 2, 0), (56, 48, 38), (40, 3))
    try:
        found = find_unit([pair(unit, affine, voxels)])
    except UnitError:
        return
    assert found == unit
