"""Genuine landmarks of DIR-Lab, for the tests that run where a mirror has them."""

import os
from pathlib import Path

import pytest


def dirqa_file(case: int) -> Path:
    path = Path(os.environ.get("WARPBENCH_MIRROR", "")) / "dirqa" / f"new_case{case}.mat"
    if not path.is_file():
        pytest.skip("set WARPBENCH_MIRROR to a folder that holds dirqa/new_case<N>.mat (github.com/deshanyang/DIR-QA)")
    return path
