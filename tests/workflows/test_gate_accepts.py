"""What the gate takes for accepted: what is whole and finite; what cannot be compared is refused before a run."""

import pandas as pd
import pytest

from benchmarks.regression import speed
from benchmarks.regression.findings import BaselineError
from benchmarks.regression.kernels import BaseError
from benchmarks.regression.places import Places
from tests.workflows.gate_inputs import write
from workflows.regression import ready
from workflows.regression.__main__ import regression
from workflows.regression.accept import accept, main

RATIOS = "cpu,name,grid,threads,precision,device,peer,ratio\n"


def ratio(value):
    row = ("warp", "8x9x10", 1, "float32", "cpu", "peer", value)
    return pd.DataFrame([row], columns=[*speed.KERNEL, "peer", "ratio"])


@pytest.mark.parametrize("only", ["speed", "accuracy"])
def test_one_of_accuracy_and_speed_may_be_accepted_alone(only, spec):
    write(spec, 0.9)
    regression(spec)
    places = Places(spec.folder)
    speed.write(places.ratios, "Some CPU", ratio(4.0))
    speed.write(places.accepted_ratios, "Another CPU", ratio(3.0))
    main([str(places.results), "--only", only])
    assert places.accepted.exists() == (only == "accuracy")
    cpus = {"accuracy": ["Another CPU"], "speed": ["Another CPU", "Some CPU"]}  # those of other processors stay
    assert speed.read_all(places.accepted_ratios).cpu.tolist() == cpus[only]


def test_perfect_numbers_are_neither_stored_nor_accepted(spec):
    write(spec, 1.0)
    outcome = regression(spec)
    places = Places(spec.folder)
    assert outcome.notes[0].endswith("none is stored, as some are perfect.")
    assert not places.stored.exists()
    with pytest.raises(BaselineError, match="has perfect numbers, which cannot be accepted"):
        accept(places, None)


def test_what_cannot_be_compared_is_refused_before_the_run(spec):
    places = Places(spec.folder)
    ready.check(places, "")
    with pytest.raises(BaseError, match=r"regression\.base: no-such-commit: .*name a commit of this checkout"):
        ready.check(places, "no-such-commit")
    places.accepted.parent.mkdir(parents=True)
    for text in (
        "",
        "garbled",
        "cpu,name\n1,2\n",
        f"{RATIOS}c,n,g,one,f,d,p,2\n",
    ):
        places.accepted_ratios.write_text(text)
        with pytest.raises(BaselineError, match="no table of accepted speed"):
            ready.check(places, "")
    for value in ("0", "-1", "nan", "inf"):
        places.accepted_ratios.write_text(f"{RATIOS}c,n,g,1,f,d,p,{value}\n")
        with pytest.raises(BaselineError, match="expected one ratio above 0"):
            ready.check(places, "")
