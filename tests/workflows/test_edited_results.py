"""Displacements and records that somebody has edited, exchanged or cut are judged by nobody."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from benchmarks import records, results
from datasets.files import DataError, write_displacement
from tests.workflows.evaluate_inputs import kept, spec
from workflows import evaluate as step
from workflows.register import register


def test_a_damaged_displacement_is_registered_again_when_forced(make_dataset, registration):
    data = make_dataset(bright=2)
    made = registration(data, fault="one")
    register(made, 1)
    judging = spec(data, made.folder, keep="all")
    step.evaluate(judging)
    before = results.read(made.folder / "metrics.parquet", "metrics")
    path = made.folder / data.test_pairs[1].displacement_file
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=rf"{path.name}.*run again with --forcerun .*registrations\.json"):
        step.evaluate(judging)
    kept = [record.pair for record in records.read_lines(made.folder / "records.jsonl", records.PairRecord)]
    assert kept == [pair.name for pair in data.test_pairs if pair != data.test_pairs[1]]
    register(made, 1)
    step.evaluate(judging)
    after = results.read(made.folder / "metrics.parquet", "metrics")
    judged = [rows[~rows.metric.isin(["seconds", "peak_memory"])].reset_index(drop=True) for rows in (before, after)]
    pd.testing.assert_frame_equal(*judged)


@pytest.fixture
def registered(make_dataset, registration):
    """A registered chunk of two pairs and the specification of how it is judged, and judged once."""
    data = make_dataset(bright=2)
    made = registration(data, fault="one")
    register(made, 1)
    judging = spec(data, made.folder, keep="all")
    step.evaluate(judging)
    return data, made, judging


@pytest.mark.parametrize("how", ["swapped", "edited"])
def test_another_displacement_than_was_registered_is_refused(registered, how):
    data, made, judging = registered
    one, two = [made.folder / pair.displacement_file for pair in data.test_pairs[:2]]
    if how == "swapped":
        image = data.image(data.test_pairs[0].fixed)
        write_displacement(made.folder / "other.nii.gz", np.zeros((3, *image.array.shape)), image.affine)
        (made.folder / "other.nii.gz").replace(one)
    else:
        one.write_bytes(two.read_bytes()[:-1] + b"x")
    with pytest.raises(
        DataError, match=rf"{one.name}: is no longer the file .*--forcerun {re.escape(str(one.parent))}"
    ):
        step.evaluate(judging)
    register(made, 1)
    step.evaluate(judging)


def exchange(pairs):
    pairs[0]["pair"], pairs[1]["pair"] = pairs[1]["pair"], pairs[0]["pair"]


EDITS = {
    "names the pair .* where the chunk has .*--forcerun": exchange,
    "names the pair None where the chunk has": lambda pairs: pairs.pop(),
    "where the chunk has None": lambda pairs: pairs.append(pairs[0]),
    "names the pair a__b__c where": lambda pairs: pairs[0].update(pair="a__b__c"),
    "holds no registrations .*>= 0": lambda pairs: pairs[0].update(seconds=-1.0),
}


@pytest.mark.parametrize("words", EDITS)
def test_registrations_that_were_edited_are_refused(chunk, words):
    data, folder = chunk
    about = json.loads((folder / "registrations.json").read_bytes())
    EDITS[words](about["pairs"])
    (folder / "registrations.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match=words):
        step.evaluate(spec(data, folder))


def test_a_record_without_displacement_and_rows_is_none(registered):
    data, made, judging = registered
    for path in (*made.folder.glob("disp_*"), made.folder / "registrations.json"):
        path.unlink()
    register(made, 1)
    step.evaluate(judging)
    assert len(kept(made.folder)) == len(data.test_pairs)
