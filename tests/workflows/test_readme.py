"""README says what the archive says that is kept with the project."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports.archive.load import load
from reports.archive.packed import ArchiveError, read
from reports.archive.sentences import answered, blocks
from workflows.archive.readme import (
    KEPT,
    LARGEST,
    MEDIANS,
    PAGES,
    PICTURES,
    README,
    draw,
    filled,
)


@pytest.fixture(scope="module")
def kept():
    return load(read(KEPT))


@pytest.fixture(scope="module")
def found(kept):
    return answered(kept)


def test_the_numbers_of_readme_are_those_of_the_archive(kept, found):
    text = README.read_text(encoding="utf-8")
    assert filled(text, blocks(kept, found, pd.read_csv(MEDIANS))) == text, "run python -m workflows.archive.readme"


def test_the_pictures_of_readme_are_those_of_the_archive(kept, found, tmp_path):
    drawn = draw(kept, found, tmp_path)
    assert {path.name for path in drawn} == {"speed.png", "case.png", "sections.png", "overlays.png"}
    are_alike(drawn)


@pytest.mark.parametrize(
    "kept", [path for path, page in PAGES.items() if page.picture], ids=lambda path: path.parent.name
)
def test_the_picture_of_a_page_is_that_of_its_archive(kept, tmp_path):
    are_alike([PAGES[kept].draw_into(tmp_path, load(read(kept)))])


def are_alike(drawn):
    """Compare pictures with those below docs."""
    for path in drawn:
        here, there = (np.asarray(Image.open(each).convert("RGB")).astype(int) for each in (path, PICTURES / path.name))
        assert here.shape == there.shape
        assert np.abs(here - there).mean() < 1  # of 255: letters may be drawn a little otherwise elsewhere


@pytest.mark.parametrize("kept", PAGES, ids=[page.path.stem for page in PAGES.values()])
def test_the_numbers_of_a_page_are_those_of_its_archive(kept):
    text = PAGES[kept].path.read_text(encoding="utf-8")
    assert filled(text, PAGES[kept].blocks(load(read(kept)))) == text, "run python -m workflows.archive.readme"


@pytest.mark.parametrize("archive", [KEPT, *PAGES], ids=lambda path: path.parent.name)
def test_the_archive_is_small_and_names_no_place_of_a_machine(archive):
    assert archive.stat().st_size <= LARGEST
    for name, content in read(archive).content.items():
        assert b"/tmp/" not in content, name
        assert b"/home/" not in content, name


def test_a_block_that_is_missing_or_unknown_is_refused():
    text = "<!-- from the archive: one -->\nold\n<!-- end -->"
    assert filled(text, {"one": "new"}) == text.replace("old", "new")
    for found in ({}, {"one": "new", "two": "new"}, {"other": "new"}):
        with pytest.raises(ArchiveError, match="expected a block each of"):
            filled(text, found)
