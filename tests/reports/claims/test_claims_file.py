"""The files of claims: what they must be, and that what they name exists."""

import copy

import pytest
import yaml

from reports.claims.layout import load_claims
from reports.paper.layout import PAPERS
from reports.paper.printed import PaperError
from tests.reports.claims.claims_inputs import CASES
from workflows.configuration.resolve import catalogue

FILE = {
    "paper": "toy",
    "flattening": {"last": 0.2, "share": 0.05},
    "measures": {
        "dice": {"metric": "dice", "protocol": "nearest", "unit": "points", "factor": 100},
        "size": {"metric": "parameters", "unit": "M"},
        "teacher": {"metric": "teacher_share", "unit": "%", "column": "teacher_share"},
    },
    "claims": [
        {"key": "better", "statement": "It is better.", "locator": "I", "methods": ["a", "b"], "measure": "dice",
         "dataset": "one", "above": 0},
        {"key": "small", "statement": "It is small.", "locator": "I", "methods": ["a"], "measure": "size",
         "kind": "parameters", "below": 1},
    ],
}  # fmt: skip


def write(folder, changed):
    (folder / "claims").mkdir(exist_ok=True)
    (folder / "claims" / "toy.yaml").write_text(yaml.safe_dump(changed))
    return folder


def load(folder, changed):
    return load_claims("toy", ["one", "two"], folder=write(folder, changed))


def changed_claim(**more):
    changed = copy.deepcopy(FILE)
    changed["claims"][0].update(more)
    return changed


def test_a_file_is_read(tmp_path):
    better, small = load(tmp_path, FILE).claims
    assert (better.contrast, better.datasets, better.measure.factor) == ("a \N{MINUS SIGN} b", ["one"], 100)
    assert (better.region.direction, better.region.margin) == ("above", "0")
    assert (small.contrast, small.kind) == ("a", "parameters")


def test_a_paper_may_have_no_claims(tmp_path):
    assert load_claims("toy", ["one"], folder=tmp_path) is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"measure": "dise"}, "claim better: measure names 'dise', which is none of dice, size, teacher"),
        ({"dataset": "three"}, "claim better: dataset names 'three', which is none of one, two"),
        ({"methods": ["a", "b", "c"]}, "claim better: 3 methods, but values compares at most 4, and never 3"),
        ({"methods": ["a", "b"], "kind": "share"}, "claim better: 2 methods, but share compares at most 1"),
        ({"methods": ["a"], "kind": "spread"}, "claim better: spread compares 2 methods, got 1"),
        ({"above": 1, "below": 1}, "claim better: above 1 has to be less than below 1"),
        ({"dataset": []}, "claims.0.dataset"),
        ({"kind": "seconds"}, "claim better: seconds needs a measure of the metric seconds"),
        ({"kind": "share", "methods": ["a"]}, "claim better: share needs a measure with a column of the curve"),
        ({"measure": "teacher"}, "claim better: a column of the curve goes with share, not with values"),
        ({"above": None}, "claims.0"),
        ({"kind": "opinion"}, "claims.0.kind"),
        ({"key": "small"}, "claim small occurs twice"),
    ],
)
def test_a_claim_that_cannot_be_decided_is_refused_in_one_line(tmp_path, more, message):
    with pytest.raises(PaperError) as caught:
        load(tmp_path, changed_claim(**more))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "claims" / "toy.yaml") in str(caught.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"metric": "dise"}, "measure dice: metric names 'dise', which is none of dice, jaccard"),
        ({"protocol": "sharp"}, "measure dice: protocol names 'sharp', which is none of"),
        ({"colour": "red"}, "measures.dice"),
    ],
)
def test_a_measure_that_does_not_exist_is_refused_in_one_line(tmp_path, more, message):
    changed = copy.deepcopy(FILE)
    changed["measures"]["dice"].update(more)
    with pytest.raises(PaperError) as caught:
        load(tmp_path, changed)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_paper_or_none_is_refused(tmp_path):
    with pytest.raises(PaperError, match="paper is 'other', the file's name says 'toy'"):
        load(tmp_path, FILE | {"paper": "other"})
    (tmp_path / "claims" / "toy.yaml").write_text("claims: [")
    with pytest.raises(PaperError, match="not readable as YAML"):
        load_claims("toy", ["one"], folder=tmp_path)


def test_claims_name_methods_of_the_catalogue():
    known = catalogue()["methods"]
    absent = {f"{key}: {claim.key}: {name}" for key, claim in CASES for name in claim.methods if name not in known}
    assert not absent


def test_every_file_of_claims_is_of_a_paper():
    papers = {path.stem for path in PAPERS.glob("*.yaml")}
    assert {path.stem for path in (PAPERS / "claims").glob("*.yaml")} <= papers


def test_there_are_enough_claims_and_no_two_ask_the_same():
    assert len(CASES) >= 30
    asked = [
        (key, claim.kind, claim.contrast, claim.measure, claim.region, tuple(claim.datasets)) for key, claim in CASES
    ]
    assert len(set(asked)) == len(asked)


def test_a_claim_without_a_bound_is_named_in_one_line(tmp_path):
    changed = copy.deepcopy(FILE)
    del changed["claims"][0]["above"]
    with pytest.raises(PaperError) as caught:
        load(tmp_path, changed)
    assert str(caught.value).endswith("claims.0: better needs above or below")


def test_a_data_set_that_is_neither_a_name_nor_a_list_is_said_so(tmp_path):
    with pytest.raises(PaperError, match=r"claims\.0\.dataset: expected string or array, got '5'"):
        load(tmp_path, changed_claim(dataset=5))
