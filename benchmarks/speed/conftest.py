"""What the tests of speed share."""

from __future__ import annotations

import pytest

from benchmarks.speed import threads


@pytest.fixture(params=threads.counts(), ids=lambda count: f"threads={count}")
def count(request: pytest.FixtureRequest) -> int:
    """Return each number of threads that is measured: one, and all."""
    return int(request.param)
