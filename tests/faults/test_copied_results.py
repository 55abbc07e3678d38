"""Results that were copied, or that Snakemake has lost its notes of, are never taken for results of other settings."""

import shutil

import pandas as pd
import pytest

from tests.workflows.pipeline_inputs import TINY, records, run
from workflows.planning.marks import marking
from workflows.planning.specs import CollectSpec

SAME = {**TINY, "run": {"datasets": ["phantom-liver"], "methods": ["identity", "demons"]}}
OTHER = {**SAME, "methods": {"demons": {"params": {"iterations": [1]}}}}


def numbers(folder, method: str) -> pd.DataFrame:
    rows = pd.read_parquet(folder / "results" / "tiny" / "metrics.parquet")
    return rows[(rows.method == method) & (rows.metric == "tre")].reset_index(drop=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    done = run(folder, config=SAME)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """The results alone, without what Snakemake keeps of them."""
    shutil.copytree(finished / "results", tmp_path / "results")
    return tmp_path


@pytest.mark.slow
def test_a_copy_is_taken_over_by_the_same_settings_and_made_anew_by_others(finished, copied):
    again = run(copied, config=SAME)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert [each["run"] for each in records(copied)] == [each["run"] for each in records(finished)]
    plan = run(copied, "--dry-run", config=OTHER)
    assert "results were not made by these settings" in plan.stderr
    assert "register" in plan.stdout + plan.stderr
    pd.testing.assert_frame_equal(numbers(copied, "demons"), numbers(finished, "demons"))
    done = run(copied, config=OTHER)
    assert done.returncode == 0, done.stderr
    assert not numbers(copied, "demons").value.equals(numbers(finished, "demons").value)
    pd.testing.assert_frame_equal(numbers(copied, "identity"), numbers(finished, "identity"))


@pytest.mark.slow
def test_a_copy_whose_marks_are_lost_is_checked_and_no_pair_registered_again(finished, copied):
    for mark in copied.rglob("chunk*/.[a-z]*"):
        mark.unlink()
    done = run(copied, config=SAME)
    assert done.returncode == 0, done.stderr
    before = [each["finished_utc"] for each in records(finished)]
    assert before
    assert [each["finished_utc"] for each in records(copied)] == before
    pd.testing.assert_frame_equal(numbers(copied, "demons"), numbers(finished, "demons"))


def test_a_step_that_ends_badly_leaves_no_mark(tmp_path):
    spec = CollectSpec(chunks=[], folder=tmp_path)
    with marking(spec):
        pass
    assert spec.mark.is_file()
    with pytest.raises(ValueError, match="badly"), marking(spec):
        raise ValueError("badly")
    assert not spec.mark.exists()
