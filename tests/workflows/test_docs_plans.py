"""Every run that README and docs/ tell a reader to type is planned as it stands there, in a copy of the project."""

import pytest

from tests.workflows.typed_inputs import EVERY, lay_out, type_in

pytestmark = pytest.mark.early

RUNS = [each for each in EVERY if each.text.startswith("snakemake ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = lay_out(tmp_path_factory.mktemp("docs"))
    for each in EVERY:  # a page's files are written as it says
        if each.text.startswith("printf "):
            type_in(each.text, folder)
    return folder


@pytest.mark.parametrize("typed", RUNS, ids=[f"{each.page}: {each.text}"[:90] for each in RUNS])
def test_a_run_of_the_pages_is_planned(typed, place):
    type_in(typed.text, place)
