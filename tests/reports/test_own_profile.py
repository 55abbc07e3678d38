"""The page of a profile that names no paper and times nothing, such as one of a user's own data."""

import pytest

from reports.overview.costs import cost_table
from tests.reports.report_inputs import build, frame, make_run, rows_of, timing_frame, write_dataset

HOW = "write timing: {datasets: [shells], pairs: 1, rounds: 5} into the configuration"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Rows of a data set of one's own, and the set."""
    folder = tmp_path_factory.mktemp("own")
    rows = rows_of("shells", "identity", [0.5, 0.6]) + rows_of("shells", "syn", [0.7, 0.8])
    return folder, frame(rows), {"shells": write_dataset(folder, "shells", phantom=False, n_pairs=2)}


@pytest.fixture(scope="module")
def page(made):
    build(*made)
    return (made[0] / "report" / "index.html").read_text(encoding="utf-8")


def test_papers_are_not_spoken_of(page):
    for absent in ("claim of speed", "No printed result", "ledger.csv", "claims.csv", "What came of the papers"):
        assert absent not in page
    assert "This profile names no paper" in page


def test_the_way_to_seconds_is_said_where_there_are_none(page):
    assert page.count(HOW) == 2  # in the section on timing, and below the table of costs
    assert "at the paper&#39;s size" not in page


@pytest.mark.parametrize(("timed", "places"), [(False, {"on Real shells"}), (True, {"on Real shells"})])
def test_costs_have_columns_of_what_the_profile_has(made, timed, places):
    run = make_run(*made[1:], timing=timing_frame() if timed else None)
    table = cost_table(run)
    assert {head.detail for head in table.heads[1:]} == places
    assert any(HOW in note for note in table.notes) == (not timed)
