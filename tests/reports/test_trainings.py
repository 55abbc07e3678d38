"""The seed that pictures and figures are of is the run's main one, in whatever order trainings are listed."""

import pytest

from reports.reading.trainings import Training, find, first_seed


@pytest.mark.parametrize("seeds", [[3, 1], [1, 3]])
def test_a_method_is_shown_by_its_lowest_seed(seeds):
    trainings = [Training("net", "shells", seed, "ok", "", None) for seed in seeds]
    assert first_seed(seeds) == 1
    assert find(trainings, "net") == Training("net", "shells", 1, "ok", "", None)
    assert find(trainings, "net", 3) == Training("net", "shells", 3, "ok", "", None)


def test_no_other_seed_steps_in_for_the_main_run_that_failed():
    failed = Training("net", "shells", 1, "diverged", "loss is not a number", None)
    assert find([Training("net", "shells", 3, "ok", "", None), failed], "net") == failed
