"""Every command that README and docs/ tell a reader to type works as it stands there, in a copy of the project."""

import pytest

from tests.workflows.typed_inputs import EVERY, lay_out, type_in
from workflows.configuration.sources import ROOT

pytestmark = pytest.mark.early

SET_UP = ("git clone", ". .venv/bin/activate")
# What takes long, or needs what only some machines have, and the tests that run it.
ELSEWHERE = {
    "snakemake": "tests/workflows/test_docs_plans.py",
    "python3 -m workflows.gpu": "tests/workflows/test_gpu.py",
    "python -m workflows.ahead.stages": "tests/workflows/test_stages.py",
    "python -m workflows.training": "tests/workflows/test_trained_elsewhere.py",
    "python3 -m workflows.training": "tests/workflows/test_trained_elsewhere.py",
    "python -m workflows.check ~/mine/fields.yaml": "tests/workflows/test_own_fields.py",  # needs data of a run
    "python -m workflows.regression.accept": "tests/workflows/test_regression.py",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("docs"))


@pytest.mark.parametrize("typed", EVERY, ids=[f"{each.page}: {each.text}"[:90] for each in EVERY])
def test_a_command_of_the_pages(typed, place):
    if typed.text.startswith(SET_UP):
        return
    for start, tests in ELSEWHERE.items():
        if typed.text.startswith(start):
            assert start.split()[-1] in (ROOT / tests).read_text(encoding="utf-8")
            return
    type_in(typed.text, place)
