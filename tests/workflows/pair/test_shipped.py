"""Weights that come with the project: each is what its card says, and a pair needs no others."""

import json
import shutil

import pytest
from safetensors.numpy import load_file

from benchmarks.records import read, write
from datasets.files import DataError, sha256
from tests.datasets.own.made import scene
from tests.datasets.own.made import write as write_scan
from workflows.configuration.resolve import catalogue
from workflows.pair.__main__ import main
from workflows.pair.weights import SHIPPED, Card, shipped

CARDS = sorted(SHIPPED.glob("*.json"))


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_card_is_of_its_file_and_says_what_it_has_to(path):
    found = shipped(path.stem)
    assert found is not None
    weights, card = found
    assert card.method in catalogue()["methods"]
    assert card.licence
    assert card.limits
    assert card.figures
    assert not card.learned.phantom
    assert card.learned.cases > 1
    assert sum(array.size for array in load_file(weights).values()) < 3_000_000  # a file that is quickly copied


def test_weights_are_there_for_somebody_to_start_with():
    assert CARDS


def test_a_method_without_a_card_has_none():
    assert shipped("demons") is None


@pytest.fixture
def copies(tmp_path):
    folder = tmp_path / "shipped"
    shutil.copytree(SHIPPED, folder)
    return folder, CARDS[0].stem


def test_weights_that_are_not_those_of_the_card_are_refused(copies):
    folder, name = copies
    weights = folder / f"{name}.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(DataError, match=rf"{name}\.safetensors: is not what its card {name}\.json is of"):
        shipped(name, folder)
    weights.unlink()
    with pytest.raises(DataError, match=rf"{name}\.safetensors: missing"):
        shipped(name, folder)


def test_a_card_of_another_method_is_refused(copies):
    folder, name = copies
    write(folder / "demons.json", read(folder / f"{name}.json", Card))
    shutil.copy(folder / f"{name}.safetensors", folder / "demons.safetensors")
    with pytest.raises(DataError, match="is not what its card"):
        shipped("demons", folder)


def test_a_pair_is_registered_by_them(tmp_path, caplog):
    name = CARDS[0].stem
    for side in ("fixed", "moving"):
        write_scan(scene(), tmp_path / f"{side}.nii.gz")
    pair = [str(tmp_path / "fixed.nii.gz"), str(tmp_path / "moving.nii.gz")]
    with caplog.at_level("INFO"):
        main([*pair, "--method", name, "--threads", "1", "--out", str(tmp_path / "out")])
    about = json.loads((tmp_path / "out" / "registration.json").read_text())
    assert about["weights_sha256"] == sha256(SHIPPED / f"{name}.safetensors")
    assert "by the weights that come with this project" in caplog.text
