"""The smoke profile, every figure and table of it, comes out of its archive as it came out of the run."""

import pytest

from tests.faults.smoke_inputs import finish
from tests.reports.archive.archive_inputs import files_of, report_without_torch

pytestmark = pytest.mark.slow


def test_the_report_of_the_smoke_profile_is_rebuilt_byte_for_byte(tmp_path):
    finish(tmp_path)
    results = tmp_path / "results" / "smoke"
    report_without_torch(results / "archive.zip", tmp_path / "again")
    run, again = files_of(results / "report"), files_of(tmp_path / "again" / "report")
    assert {"ledger.csv", "claims.csv", "audit.csv", "index.html"} <= set(run)
    assert sorted(run) == sorted(again)
    assert [name for name in run if run[name] != again[name]] == []
