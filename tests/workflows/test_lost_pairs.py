"""What an edit of the judge does once displacements are deleted: nothing is registered again unasked."""

import pytest

from benchmarks import ranking, results
from benchmarks.records import PairRecord, read_lines
from datasets.files import DataError
from workflows.evaluate import evaluate
from workflows.planning.specs import EvaluateSpec
from workflows.register import register
from workflows.running.unavailable import forget_lost


@pytest.fixture
def judged(make_dataset, registration, tmp_path, monkeypatch):
    """A chunk that was registered and judged, of which the extremes are left: both specifications and the judge."""
    monkeypatch.setattr(ranking, "SIDE_BY_SIDE", 0)
    data = make_dataset(dark=3, bright=3)
    made, judge = registration(data, fault="none"), tmp_path / "judge.py"
    judge.write_text("a = 1")
    of = {"dataset": made.run.dataset, "method": made.run.by.method, "seed": 0, "chunk": 0, "chunks": 1}
    judging = EvaluateSpec(**of, data=data.folder, folder=made.folder, keep="extremes", judge=[judge])
    register(made, 1)
    evaluate(judging)
    return made, judging, judge


def recorded(made) -> list[str]:
    return [record.pair for record in read_lines(made.folder / "records.jsonl", PairRecord)]


def there(made) -> int:
    return len(list(made.folder.glob("disp_*")))


def test_an_edited_judge_registers_nothing_again_until_it_is_asked_for(judged, monkeypatch):
    made, judging, judge = judged
    every = recorded(made)
    judge.write_text("a = 2")
    for _ in range(2):  # the second command says the same as the first
        (made.folder / "registrations.json").unlink()  # as Snakemake does when a step fails
        with monkeypatch.context() as patch:
            patch.setattr("workflows.register.Worker", None)  # no method is started
            register(made, 1)
        with pytest.raises(DataError, match=r"keep: extremes.*again with --forcerun"):
            evaluate(judging)
        assert recorded(made) == every
    forget_lost([judging])
    assert len(recorded(made)) == there(made) < len(every)
    register(made, 1)
    evaluate(judging)
    assert sorted(recorded(made)) == sorted(every)
    assert set(results.read(made.folder / "metrics.parquet", "metrics").pair) >= set(every)


def test_a_forced_chunk_keeps_the_pairs_that_this_judge_has_judged(judged):
    made, judging, judge = judged
    every = recorded(made)
    assert there(made) < len(every)
    forget_lost([judging])
    assert recorded(made) == every
    judge.write_text("a = 2")
    (judging.data / "dataset.json").unlink()  # the step says so, not this
    forget_lost([judging])
    assert recorded(made) == every
