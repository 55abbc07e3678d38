"""Timings are of the methods as they are now, though the rest of a run has to be done again as well."""

import re

import pytest

from tests.workflows import pipeline_inputs as pipeline

METHOD = """
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Params:
    pass


def load(params, *, device, seed, checkpoint=None):
    return lambda fixed, moving, spacing: np.full((3, *fixed.shape), 0.0, np.float32)
"""


@pytest.mark.fault(23)
def test_an_edited_method_is_timed_again_in_the_same_run(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(METHOD)
    config = {
        **pipeline.TINY,
        "run": {"datasets": ["phantom-liver"], "methods": ["identity", "mine"]},
        "timing": {"datasets": ["phantom-liver"], "methods": ["mine"], "pairs": 1, "rounds": 1},
        "methods": {"mine": {"module": str(mine), "label": "Mine", "kind": "classical"}},
    }

    def planned():
        done = pipeline.run(tmp_path, "--dry-run", config=config)
        assert done.returncode == 0, done.stderr
        return set(re.findall(r"^(\w+) +\d+$", done.stdout + done.stderr, re.MULTILINE))

    done = pipeline.run(tmp_path, config=config)
    assert done.returncode == 0, done.stderr
    mine.write_text(METHOD.replace("0.0", "0.25"))
    assert {"register", "collect", "timing", "report"} <= planned()
    done = pipeline.run(tmp_path, config=config)
    assert done.returncode == 0, done.stderr
    assert planned() == set()
