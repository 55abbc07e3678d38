"""What a run took is added up part by part, and nothing is counted twice or lost."""

import pytest

from benchmarks.records import read
from datasets.files import DataError
from workflows.spending import meter, table
from workflows.spending.meter import JOBS, RUNNER, START, Meter, Spent

TRAINED = {START: 3.0, "train": 60.0}
REGISTERED = {START: 4.0, "register": 2.0, "judge": 1.0}
NOTED = [
    Spent(step="train", job="brain-ldr-1-seed0", method="ldr-1", wall=70.0, parts=TRAINED),
    Spent(step="register", job="brain-ldr-1", method="ldr-1", wall=9.0, parts=REGISTERED),
    Spent(step="register", job="brain-demons", method="demons", wall=9.0, parts={**REGISTERED, "register": 8.0}),
    Spent(step="report", job="", wall=9.0, parts={START: 1.0, "report": 10.0}),
    Spent(step=RUNNER, job="", wall=100.0, parts={RUNNER: 5.0, JOBS: 95.0}),
]

ACCOUNT = table.Account(NOTED, {"demons": "classical", "ldr-1": "learned", "identity": "control"}, "Profile small")


@pytest.fixture
def clock(monkeypatch):
    """The CPU seconds that have been taken so far, as the test sets them."""
    taken = [0.0]
    monkeypatch.setattr(meter, "cpu_seconds", lambda: taken[0])
    return taken


def test_each_second_belongs_to_one_part(clock):
    counted = Meter()
    for now, part, starting in (
        (2.0, START, 0.0),
        (9.0, "register", 3.0),
        (9.5, "judge", 0.0),
        (10.0, "register", 0.0),
    ):
        clock[0] = now
        counted.mark(part, starting=starting)
    assert counted.parts == {START: 5.0, "register": 4.5, "judge": 0.5}
    assert counted.spent("register", "brain", "demons").parts == counted.parts


def test_a_child_cannot_have_started_for_longer_than_all_took(clock):
    counted = Meter()
    clock[0] = 1.0
    counted.mark("register", starting=4.0)
    assert counted.parts == {START: 1.0, "register": 0.0}


def test_kinds_of_work_add_up_to_what_all_jobs_took():
    found = {line.kind: (line.jobs, line.seconds) for line in table.lines(ACCOUNT)}
    assert found == {
        "training": (1, 60.0),
        table.KINDS["report"]: (1, 10.0),
        table.KINDS[START]: (4, 12.0),
        table.KINDS["classical"]: (1, 8.0),
        table.KINDS["learned"]: (1, 2.0),
        "judging": (2, 2.0),
        table.RUNNING: (1, 5.0),
        table.REST: (0, 1.0),
    }
    assert "| all, 100 s by the wall | | 100 | |" in table.table(ACCOUNT)


def test_the_table_takes_its_place_on_the_page():
    page = "before\n\n<!-- spent -->\nold\n<!-- end -->\n\nafter\n"
    assert table.written(page, "new") == page.replace("old", "new")
    with pytest.raises(DataError, match="expected a block"):
        table.written("no block", "new")


def test_a_job_by_hand_from_elsewhere_notes_nothing(tmp_path):
    spent = NOTED[0]
    meter.keep(tmp_path / "mine" / "train.json", spent)
    assert not list(tmp_path.rglob("*.json"))
    meter.keep(tmp_path / "results" / meter.SPECIFICATIONS / "train.json", spent)
    assert read(meter.file_of(tmp_path / "results", spent), Spent) == spent


def test_a_folder_without_notes_is_refused(tmp_path):
    with pytest.raises(DataError, match="no job has noted"):
        table.read(tmp_path)
