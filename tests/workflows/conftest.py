"""A registered chunk, to be judged."""

import pytest

from tests.workflows.evaluate_inputs import DARK, registered_chunk


@pytest.fixture
def chunk(make_dataset, tmp_path):
    """A data set of ten pairs and the folder of a registered chunk with random displacements; one pair has failed."""
    return registered_chunk(make_dataset(dark=DARK, bright=1), tmp_path)
