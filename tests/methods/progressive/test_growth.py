"""The growth of the progressive paper: its rows, its table, and Eq. 2 to the letter."""

import numpy as np
import pytest

from methods.blocks.progressive.growth import Growth, final, input_weights

# The rows of Table IV, its column "Effect" shortened. "no transitions" diverges, says the paper, as level 1 comes in.
TABLE_IV = {
    "baseline": Growth(0, 0),
    "no transitions": Growth(0, 4000),
    "short": Growth(1000, 3000),
    "only transitions": Growth(2000, 4000),
    "proposed": Growth(2000, 6000),
    "long": Growth(4000, 12000),
}
PROPOSED = TABLE_IV["proposed"]


def equation_2(t, delta, duration, levels=5):
    """The five branches of the paper's Eq. 2, literally."""
    alpha = []
    for level in range(levels):
        tau, last = -duration / 2 + (duration - delta) * level, level == levels - 1
        if t <= tau:
            alpha.append(0)
        elif t <= tau + delta:
            alpha.append((t - tau) / delta)
        elif last or t <= tau + duration - delta:
            alpha.append(1)
        elif t <= tau + duration:
            alpha.append((tau + duration - t) / delta)
        else:
            alpha.append(0)
    return alpha


@pytest.mark.parametrize(
    ("iterations", "alpha", "beta"),
    [
        ((0, 500, 1000), (1, 0, 0, 0, 0), (1, 1, 1, 1)),
        ((2000,), (0.5, 0.5, 0, 0, 0), (0.5, 1, 1, 1)),
        ((2500,), (0.25, 0.75, 0, 0, 0), (0.25, 1, 1, 1)),
        ((3000, 5000), (0, 1, 0, 0, 0), (0, 1, 1, 1)),
        ((6000,), (0, 0.5, 0.5, 0, 0), (0, 0.5, 1, 1)),
        ((7000, 9000), (0, 0, 1, 0, 0), (0, 0, 1, 1)),
        ((11000, 13000), (0, 0, 0, 1, 0), (0, 0, 0, 1)),
        ((14000,), (0, 0, 0, 0.5, 0.5), (0, 0, 0, 0.5)),
        ((15000, 40000), (0, 0, 0, 0, 1), (0, 0, 0, 0)),
    ],
)
def test_proposed_growth_is_the_papers(iterations, alpha, beta):
    for iteration in iterations:
        assert PROPOSED.alpha(iteration) == alpha
        assert input_weights(PROPOSED.alpha(iteration)) == (beta, tuple(1 - weight for weight in beta))


@pytest.mark.parametrize(
    ("name", "starts", "full"),
    [
        ("baseline", (0, 0, 0, 0, 0), 0),
        ("no transitions", (-2000, 2000, 6000, 10000, 14000), 14000),
        ("short", (-1500, 500, 2500, 4500, 6500), 7500),
        ("only transitions", (-2000, 0, 2000, 4000, 6000), 8000),
        ("proposed", (-3000, 1000, 5000, 9000, 13000), 15000),
        ("long", (-6000, 2000, 10000, 18000, 26000), 30000),
    ],
)
def test_starts_and_end_of_the_rows_of_table_iv(name, starts, full):
    growth = TABLE_IV[name]
    assert growth.starts == starts
    assert growth.full == full
    assert growth.alpha(full) == final(5) == (0, 0, 0, 0, 1)
    assert full == 0 or growth.alpha(full - 1) != final(5)


@pytest.mark.parametrize("levels", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("growth", [*TABLE_IV.values(), Growth(7, 21), Growth(3, 10)])
def test_weights_are_those_of_equation_2_for_any_number_of_levels(growth, levels):
    growth = Growth(growth.transition, growth.duration, levels)
    assert growth.full == max(0, (levels - 1.5) * growth.duration - (levels - 2) * growth.transition) * (levels > 1)
    for t in np.linspace(0.25, growth.full + 1000, 500):
        alpha = growth.alpha(t)
        np.testing.assert_allclose(alpha, equation_2(t, growth.transition, growth.duration, levels), rtol=0, atol=1e-12)
        assert sum(alpha) == pytest.approx(1, abs=1e-12)
        active = [level for level, weight in enumerate(alpha) if weight]
        assert active in ([active[0]], [active[0], active[0] + 1])
        beta, gamma = input_weights(alpha)
        np.testing.assert_allclose(beta, np.cumsum(alpha)[:-1], rtol=0, atol=1e-12)
        assert [weight == 0 for weight in beta] == [level < active[0] for level in range(levels - 1)]
        assert [weight == 0 for weight in gamma] == [level >= active[-1] for level in range(levels - 1)]


def test_without_transitions_a_level_begins_at_its_start():
    growth = TABLE_IV["no transitions"]
    assert [growth.alpha(t).index(1) for t in (0, 1999, 2000, 5999, 6000, 13999, 14000)] == [0, 0, 1, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "word"),
    [((-1, 5), "transition"), ((3, 5), "duration"), ((0, float("nan")), "duration"), ((1, 3, 0), "levels")],
)
def test_growth_that_cannot_be_is_refused(options, word):
    with pytest.raises(ValueError, match=f"Growth: {word}"):
        Growth(*options)
    with pytest.raises(ValueError, match="iteration must be 0 or more, got -1"):
        PROPOSED.alpha(-1)
