"""The plot of claims keeps a width for each interval: what goes much further than the others is cut, with an arrow."""

import math

import pytest

from reports.answer.content import Effect
from reports.answer.forest import FURTHEST, SPARED, forest_plot, is_cut, limit_of
from reports.answer.pictures import _effects


def effect(value, half, unit="points"):
    low, high = (value - half, value + half) if half is not None else (math.nan, math.nan)
    return Effect("A claim", "A claim.", unit, value, low, high, 0, math.inf, "inconclusive")


NEAR = [effect(0.2 * number, 1.0) for number in range(-2, 3)]
REACH = 1.3  # of the middle of these and one that goes far


def markers(figure):
    """Return the markers of each row of the first panel, by their place."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() in ("<", ">", "D")]
    return {(int(line.get_ydata()[0]), line.get_marker()): float(line.get_xdata()[0]) for line in lines}


@pytest.mark.parametrize("far", [effect(5.0, 200.0), effect(-40.0, 3.0), effect(500.0, None)])
def test_what_goes_far_is_cut_with_an_arrow_and_the_others_keep_their_width(far):
    limit = limit_of([*NEAR, far])
    assert limit == pytest.approx(FURTHEST * REACH)
    assert is_cut([*NEAR, far])
    figure = forest_plot([*NEAR, far])
    assert max(map(abs, figure.axes[0].get_xlim())) < 1.3 * limit
    found = markers(figure)
    last = len(NEAR)
    ends = {
        "<": far.value - 1e-9 if math.isnan(far.low) else far.low,
        ">": far.value if math.isnan(far.high) else far.high,
    }
    assert ((last, "<") in found) == (ends["<"] < -limit)
    assert ((last, ">") in found) == (ends[">"] > limit)
    assert ((last, "D") in found) == (abs(far.value) <= limit)
    assert all((row, "D") in found and (row, "<") not in found for row in range(last))
    assert "arrows: goes on" in _effects([*NEAR, far]).caption


def test_nothing_is_cut_that_fits_or_nearly_does():
    little = effect(0.0, 0.9 * SPARED * FURTHEST * REACH)
    for effects in (
        NEAR,
        [*NEAR, little],
        [effect(0.0, 0.0)],
        [effect(3.0, None)],
        [effect(0.0, None), effect(9.0, 1.0)],
    ):
        assert limit_of(effects) == math.inf
        assert not is_cut(effects)
        assert "arrows" not in _effects(effects).caption


def test_each_unit_has_its_own_end():
    other = [effect(1000.0, 10.0, unit="mm")]
    assert not is_cut([*NEAR, *other])
