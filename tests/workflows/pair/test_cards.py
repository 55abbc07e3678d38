"""Weights that come with the project have a card; those that are not of theirs are refused."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmarks.records import Learned, TrainingOutcome, write
from datasets.case import Pair, Writer
from datasets.description import Description, TrainingSplit
from datasets.files import DataError, sha256
from workflows.archive import card
from workflows.archive.card import Card, card_of, keep, methods_with_weights, shipped
from workflows.configuration.resolve import catalogue, resolve
from workflows.pair.ordering import Asked, configuration, orders
from workflows.planning.layout import Layout

LEARNED = Learned(module="phantom", collection="", phantom=False, cases=10, shape=(8, 9, 10), shrink=2, iterations=600)


@pytest.fixture
def run(tmp_path):
    """The results of a run that has trained a swift of two channels."""
    layout, rng = Layout(tmp_path / "results"), np.random.default_rng(0)
    writer = Writer(layout.data("heads"))
    for case in "ab":
        writer.image(case, rng.random((8, 9, 10)), np.eye(4))
    about = {"title": "Some heads", "synthetic": "drawn by hand", "licence": "CC0", "preprocessing": ("none",)}
    writer.finish(Description(name="heads", training=TrainingSplit(()), test=(Pair("a", "b"),), **about))
    folder = layout.training("heads", "swift", 0)
    weights = folder.states / "0123" / "weights.safetensors"
    weights.parent.mkdir(parents=True)
    metadata = {"about": json.dumps({"method": "swift", "params": {"channels": 2}})}
    save_file({"bias": np.zeros(1, np.float32)}, weights, metadata=metadata)
    outcome = TrainingOutcome(
        dataset="heads", method="swift", seed=0, status="ok", reason="", checkpoint=str(weights),
        sha256=sha256(weights), learned=LEARNED,
    )  # fmt: skip
    write(folder.outcome, outcome)
    return layout.results


def order(method, *weights):
    asked = Asked([method], [], [str(path) for path in weights], refine=0, like="", device="cpu", seed=0)
    known = catalogue()
    (made,) = orders(asked, resolve(configuration(asked, known["methods"], list(known["datasets"]))))
    return made


def test_what_a_run_has_left_is_kept_with_what_it_learned_from(run, tmp_path):
    place = tmp_path / "kept"
    made = keep(run, "swift", place)
    assert made == card_of(shipped("swift", place))
    assert (made.title, made.synthetic, made.licence, made.preprocessing) == (
        "Some heads", "drawn by hand", "CC0", ("none",)
    )  # fmt: skip
    assert made.learned == LEARNED
    assert made.in_words.endswith("600 updates on 10 images of Some heads; drawn by hand")
    assert methods_with_weights(place) == ["swift"]
    assert shipped("ldr-1", place) is None


def test_weights_go_with_their_card(run, tmp_path):
    keep(run, "swift", tmp_path / "kept")
    made = order("swift", shipped("swift", tmp_path / "kept"))
    assert made.learned == LEARNED
    assert made.by.params["channels"] == 2
    assert "600 updates on 10 images of Some heads" in made.told


@pytest.mark.parametrize("change", ["other weights", "a byte", "another card"])
def test_weights_that_are_not_those_of_their_card_are_refused(change, run, tmp_path):
    keep(run, "swift", tmp_path / "kept")
    weights = shipped("swift", tmp_path / "kept")
    if change == "other weights":
        save_file({"bias": np.ones(1, np.float32)}, weights, metadata={"about": "{}"})
    elif change == "a byte":
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    else:
        path = weights.with_suffix(".card.json")
        write(path, Card(**{**vars(card_of(weights)), "sha256": "0" * 64}))
    with pytest.raises(
        DataError, match=r"swift\.safetensors: not the weights that swift\.card\.json beside them is of"
    ):
        order("swift", weights)


def test_an_unreadable_card_is_named(run, tmp_path):
    keep(run, "swift", tmp_path / "kept")
    path = shipped("swift", tmp_path / "kept").with_suffix(".card.json")
    path.write_text("{}")
    with pytest.raises(DataError, match=r"swift\.card\.json"):
        order("swift", shipped("swift", tmp_path / "kept"))


def test_nothing_is_kept_of_a_training_that_is_not_there_or_failed(run, tmp_path):
    with pytest.raises(DataError, match="expected one training of ldr-1, found 0"):
        keep(run, "ldr-1", tmp_path / "kept")
    path = Layout(run).training("heads", "swift", 0).outcome
    failed = TrainingOutcome(dataset="heads", method="swift", seed=0, status="diverged", reason="loss is NaN")
    write(path, failed)
    with pytest.raises(DataError, match="was not trained to its end"):
        keep(run, "swift", tmp_path / "kept")
    shutil.copytree(path.parent, path.parent.with_name("seed1"))
    with pytest.raises(DataError, match="expected one training of swift, found 2"):
        keep(run, "swift", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_weights_too_large_for_a_repository_are_not_kept(run, tmp_path, monkeypatch):
    monkeypatch.setattr(card, "LARGEST", 10)
    with pytest.raises(DataError, match="more than the 10 that are kept"):
        keep(run, "swift", tmp_path / "kept")


@pytest.mark.parametrize("method", methods_with_weights())
def test_the_weights_of_the_project_are_those_of_their_cards_and_need_no_name(method):
    made = order(method)
    assert made.weights == shipped(method)
    assert made.learned == card_of(made.weights).learned
    assert not made.learned.phantom
    assert made.seen is not None


def test_a_network_without_weights_is_told_which_have_some():
    with pytest.raises(DataError, match=r"ldr-1 is a network: name its weights.*the project brings some for"):
        order("ldr-1")
