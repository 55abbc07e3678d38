"""The formulas behind the audit, against samples, SciPy and the networks that this project runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from methods import recursive
from reports.audit.networks import networks
from reports.audit.overlap import highest_lowest, jaccard_of, least_deviation
from reports.audit.ranks import normal_p
from reports.audit.totals import mean_and_deviation
from workflows.configuration.resolve import CATALOGUE, read_yaml, resolve

OVERLAPS = st.lists(st.floats(0, 1), min_size=1, max_size=30)
GROUPS = st.lists(st.lists(st.floats(-50, 50), min_size=1, max_size=8), min_size=1, max_size=6)


@given(OVERLAPS)
def test_means_of_one_set_of_masks_are_within_the_bounds(dices):
    dices = np.array(dices)
    dice, jaccard = dices.mean(), jaccard_of(dices).mean()
    assert jaccard_of(dice) - 1e-12 <= jaccard <= dice + 1e-12
    assert dices.std() >= least_deviation(dice, jaccard) - 1e-6
    if jaccard < 1 - 1e-6:
        assert dices.min() <= highest_lowest(dice, jaccard) + 1e-6


@given(st.floats(0, 0.9), st.integers(1, 9))
def test_the_bound_on_the_lowest_dice_is_met(lowest, share):
    """By a set of which some are perfect and the others all alike."""
    dices = np.array([lowest] * share + [1.0] * (10 - share))
    assert highest_lowest(dices.mean(), jaccard_of(dices).mean()) == pytest.approx(lowest, abs=1e-9)


def test_overlap_by_hand():
    assert jaccard_of(0.8) == pytest.approx(2 / 3)
    assert highest_lowest(0.9, 0.9) == 0  # as far above the bound as can be: nothing or all
    assert least_deviation(0.5, 1 / 3) == 0


@given(GROUPS)
def test_groups_give_mean_and_deviation_of_all(groups):
    means, deviations = np.array([[np.mean(g), np.std(g)] for g in groups]).T
    found = mean_and_deviation(means, deviations, np.array(list(map(len, groups)), dtype=float))
    everything = np.concatenate(groups)
    assert found == pytest.approx((everything.mean(), everything.std()), abs=1e-6)


def test_the_normal_approximation_is_scipys():
    rng = np.random.default_rng(0)
    for n in (6, 17, 40):
        differences = rng.normal(0.4, 1, n)
        expected = stats.wilcoxon(differences, method="asymptotic", correction=False).pvalue
        assert normal_p(differences) == pytest.approx(expected, rel=1e-9)


SETTINGS = resolve(read_yaml(CATALOGUE.parent / "paper.yaml"))


@pytest.mark.parametrize("method", networks())
def test_layers_add_up_to_the_networks_that_are_run(method):
    for dataset, brain in (("sliver", False), ("lpba", True)):
        if (method, dataset) not in SETTINGS.runs:
            continue
        params = recursive.Params(**SETTINGS.params(method, dataset))
        expected = recursive.cost((128, 128, 128), params)
        network = networks(brain=brain)[method]
        assert (network.parameters, network.macs) == (expected["parameters"], expected["macs"])


def test_networks_of_brains_are_others():
    assert networks()["ldr-1"].parameters == 561_318
    assert networks(brain=True)["ldr-1"].parameters == 613_539
    assert networks(brain=True)["rcn-3"] == networks()["rcn-3"]
