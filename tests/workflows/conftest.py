"""A registered chunk, to be judged, and a finished run for the gate."""

import pytest

from tests.workflows.evaluate_inputs import DARK, registered_chunk
from tests.workflows.gate_inputs import write
from workflows.planning.specs import RegressionSpec


@pytest.fixture
def chunk(make_dataset, tmp_path):
    """A data set of ten pairs and the folder of a registered chunk with random displacements; one pair has failed."""
    return registered_chunk(make_dataset(dark=DARK, bright=1), tmp_path)


@pytest.fixture(name="spec")
def gate(tmp_path, monkeypatch):
    """A finished run of two methods, whose speed is not looked at."""
    monkeypatch.setattr("benchmarks.regression.places.ACCEPTED", tmp_path / "accepted")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "smoke"
    spec = RegressionSpec(profile="smoke", folder=folder, controls=["truth"], base="", configfiles=[], speed=False)
    write(spec, 0.8)
    return spec
