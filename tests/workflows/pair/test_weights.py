"""Weights that a run has left say what the network is, at which resolution it works, and what it has learned from."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmarks.records import Learned, TrainingOutcome, write
from datasets.files import DataError, sha256
from workflows.configuration.resolve import catalogue, resolve
from workflows.pair.ordering import Asked, configuration, orders
from workflows.pair.weights import learned_by, warning_of


@pytest.fixture
def weights(tmp_path):
    """Weights where a run leaves them, below the outcome of their training."""
    path = tmp_path / "models" / "state" / "0123" / "weights.safetensors"
    path.parent.mkdir(parents=True)
    about = {"method": "recursive", "params": {"base": "ldr", "channels": 4}}
    save_file({"bias": np.zeros(1)}, path, metadata={"about": json.dumps(about)})
    learned = Learned(module="phantom", collection="", phantom=True, cases=12, shape=(64,) * 3, shrink=2, iterations=9)
    outcome = TrainingOutcome(
        dataset="d", method="ldr-1", seed=0, status="ok", reason="", checkpoint=str(path), sha256=sha256(path),
        learned=learned,
    )  # fmt: skip
    write(tmp_path / "models" / "training.json", outcome)
    return path


def order(weights, *options):
    asked = Asked(["ldr-1"], options, [str(weights)], refine=0, like="", device="cpu", seed=0)
    known = catalogue()
    (made,) = orders(asked, resolve(configuration(asked, known["methods"], list(known["datasets"]))))
    return made


def test_the_resolution_is_that_of_the_training(weights):
    made = order(weights)
    assert (made.by.params["shrink"], made.by.params["channels"]) == (2, 4)
    assert order(weights, "shrink=4").by.params["shrink"] == 4


def test_weights_that_know_phantoms_alone_are_told_of(weights):
    text = warning_of("ldr-1", order(weights).learned)
    assert text.startswith("the weights of ldr-1 have learned from 12 phantoms in 9 iterations, at half the resolution")
    real = Learned(module="folder", collection="", phantom=False, cases=3, shape=())
    assert warning_of("ldr-1", real) == ""


@pytest.mark.parametrize("drawn", [True, False])
def test_weights_copied_away_still_say_that_they_know_phantoms(drawn, tmp_path):
    path = tmp_path / "copied.safetensors"
    grid = {"spacing": [2, 2, 2], "orientation": "LPS", "phantom": drawn}
    about = {"method": "recursive", "params": {"base": "ldr", "channels": 4}, "run": {"grid": grid}}
    save_file({"bias": np.zeros(1)}, path, metadata={"about": json.dumps(about)})
    made = order(path)
    assert made.learned is None
    assert ("know nothing of real images" in warning_of("ldr-1", made.learned, phantom=made.phantom)) is drawn


def test_nothing_is_known_of_weights_that_lie_elsewhere_or_were_changed(weights, tmp_path):
    copy = shutil.copy(weights, tmp_path / "copy.safetensors")
    assert learned_by(tmp_path / "copy.safetensors") is None
    assert "shrink" not in order(copy).by.params
    save_file({"bias": np.ones(1)}, weights, metadata={"about": json.dumps({"method": "recursive", "params": {}})})
    assert order(weights).learned is None


def test_weights_of_another_network_are_refused_by_their_options(weights):
    about = {"method": "recursive", "params": {"base": "vtn", "channels": 4}}
    save_file({"bias": np.zeros(1)}, weights, metadata={"about": json.dumps(about)})
    with pytest.raises(DataError, match=r"of a network with base = vtn, where ldr-1 has ldr"):
        order(weights)


def test_an_option_that_contradicts_the_weights_is_refused(weights):
    with pytest.raises(DataError, match=r"of a network with channels = 4, where ldr-1 has 8"):
        order(weights, "channels=8")
    assert order(weights, "channels=4").by.params["channels"] == 4


def test_two_files_of_one_method_are_refused(weights):
    asked = Asked(["ldr-1"], [], [str(weights)] * 2, refine=0, like="", device="cpu", seed=0)
    known = catalogue()
    with pytest.raises(DataError, match="name one file a method"):
        orders(asked, resolve(configuration(asked, known["methods"], list(known["datasets"]))))
