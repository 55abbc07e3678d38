"""Folders that hold what importers look for."""

import pytest

from datasets import dirlab
from tests.datasets.chest_inputs import SHAPE, SPACING
from tests.datasets.dirlab_inputs import BEFORE, COUNT


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, which may not exist yet, and no mirror."""
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def dirlab_mirror(tmp_path, monkeypatch):
    """A mirror with an empty folder for packs, an empty cache, and cases as small as `chest_inputs`."""
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    small = dirlab.Published(SHAPE, SPACING, round(BEFORE, 2), 1.0, COUNT)
    monkeypatch.setattr(dirlab, "CASES", dict.fromkeys(range(1, 11), small))
    folder = tmp_path / "mirror" / "dirlab"
    folder.mkdir(parents=True)
    return folder
