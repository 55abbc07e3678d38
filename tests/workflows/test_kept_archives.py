"""The archives kept with the project give the report that was looked at, byte by byte; what differs is told."""

import shutil

import pytest

from workflows.archive import kept


@pytest.mark.slow
@pytest.mark.parametrize("archive", kept.archives(), ids=lambda path: path.parent.name)
def test_a_kept_archive_gives_the_report_that_was_looked_at(archive, tmp_path):
    assert kept.differences(archive, tmp_path) == []


def test_some_are_kept():
    assert {path.parent.name for path in kept.archives()} >= {"mini", "open"}


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """One archive whose report is two files."""
    folder = tmp_path / "measured" / "one"
    folder.mkdir(parents=True)
    shutil.copy(kept.archives()[0], folder)

    def build(into, run, papers, *, processes):
        (into / "tables").mkdir(parents=True)
        (into / "claims.csv").write_text("key\n")
        (into / "tables" / "overview.md").write_text(said[0])
        (into / "index.html").write_text("a page is not compared")

    said = ["one"]
    monkeypatch.setattr(kept.page, "build", build)
    monkeypatch.setattr(kept, "archives", lambda: [folder / "archive.zip"])
    return said


def test_what_is_not_as_it_was_is_told_until_it_is_accepted(copy):
    with pytest.raises(SystemExit, match=r"report\.sha256: missing"):
        kept.main([])
    kept.main(["--accept"])
    kept.main([])
    copy[0] = "two"
    with pytest.raises(SystemExit, match=r"^one: tables/overview\.md is not as it was"):
        kept.main([])
    kept.main(["--accept"])
    kept.main([])
