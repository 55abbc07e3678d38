"""The progressive paper's printed numbers as if measured, judged."""

import pandas as pd
import pytest

from reports.paper.ledger import judge
from tests.reports.paper.paper_inputs import network, paper_size, varied
from tests.reports.paper.progressive_inputs import (
    OWN,
    all_rows,
    by_place,
    make_run,
    one_training,
    repeated,
)


@pytest.fixture(scope="session")
def own(tmp_path_factory):
    times = pd.concat(
        [
            paper_size("progressive-baseline", [0.5, 0.6]),
            paper_size("demons", [20.0, 22.0]),
        ]
    )
    networks = {name: network(name, "progressive-baseline") for name in ("progressive", "progressive-baseline")}
    return varied(make_run(tmp_path_factory.mktemp("own"), all_rows(OWN), times=times), networks=networks)


@pytest.fixture(scope="session")
def judged(own):
    return by_place(judge(own))


@pytest.fixture(scope="session")
def perfect(tmp_path_factory):
    """Five trainings that each give what the paper prints of its one."""
    return make_run(tmp_path_factory.mktemp("perfect"), repeated(one_training(OWN), 5))


@pytest.fixture(scope="session")
def agreeing(perfect):
    return by_place(judge(perfect))
