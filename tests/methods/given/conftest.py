"""Pairs with a known displacement, one data set for each way in which images can lie."""

import pytest

from tests.methods.given import made as making


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Return a function that gives the pairs whose images lie in a direction; each is made once."""
    known = {}

    def get(direction: str):
        if direction not in known:
            known[direction] = making.make(tmp_path_factory.mktemp(direction), direction)
        return known[direction]

    return get
