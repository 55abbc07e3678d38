"""What tests of methods look at: the folders that are written to, and the calls of a library."""

from __future__ import annotations

import tempfile

import pytest


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """A folder that everything temporary, and the working directory, points to."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    """Return a function that records the arguments and the result of each call of a library function."""

    def record(owner, name):
        original, seen = getattr(owner, name), []

        def recorded(*args, **kwargs):
            seen.append((args, kwargs, original(*args, **kwargs)))
            return seen[-1][2]

        monkeypatch.setattr(owner, name, recorded)
        return seen

    return record
