"""Write the numbers and pictures of README.md and pages below docs from the archives that are kept with the project.

    python -m workflows.archive.readme                              write them again
    python -m workflows.archive.readme results/mini/archive.zip     keep this archive, then write them from it

README.md is written from an archive of the default profile (mini) and the medians of `make bench`, docs/anatomies.md
from one of the open profile, docs/findings.md with its picture from one of the study, docs/weights.md from one of the
profile that makes weights, docs/student.md with its picture from one of the profile frontier. Blocks lie between two
comments, `<!-- from the archive: NAME -->` and `<!-- end -->`; what is between them is replaced. Pictures are those of
the report.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from datasets.files import DataError, replacing
from reports.answer.content import Answer
from reports.answer.forest import forest_plot
from reports.answer.pictures import speed_plot
from reports.archive.load import Loaded, load
from reports.archive.packed import NAME, ArchiveError, read
from reports.archive.sentences import anatomies, answered, blocks, findings, traded
from reports.drawing.style import save
from reports.overview.accuracy_time import accuracy_time
from reports.overview.cases import draw_cases
from reports.overview.frontier import clock, frontiers
from reports.paper.draw import draw_figure
from workflows.configuration.sources import ROOT

MEASURED = ROOT / "reports" / "measured"
KEPT, OPEN, STUDY, WEIGHTS, FRONTIER = (
    MEASURED / profile / NAME for profile in ("mini", "open", "study", "weights", "frontier")
)
MEDIANS = MEASURED / "bench" / "medians.csv"
README, PICTURES = ROOT / "README.md", ROOT / "docs"
LARGEST = 6 * 2**20  # bytes of the archive that is kept
FIGURES = {"sections": ("ldr-aldk", 6), "overlays": ("progressive", 8)}  # paper and number of figure
CASE = ("phantom-dirlab", "demons")  # data set and method of the case that is shown, its worst
_BLOCK = re.compile(r"(<!-- from the archive: ([a-z]+) -->\n)(.*?)(\n<!-- end -->)", re.DOTALL)


def filled(text: str, found: Mapping[str, str]) -> str:
    """Return a page with each of its blocks replaced.

    Raises:
        ArchiveError: the text names a block that there is none of, or lacks one.
    """
    names = [match[2] for match in _BLOCK.finditer(text)]
    if sorted(names) != sorted(found):
        raise ArchiveError(f"expected a block each of {', '.join(found)}, found {', '.join(names) or 'none'}")
    return _BLOCK.sub(lambda match: f"{match[1]}{found[match[2]]}{match[4]}", text)


def draw(loaded: Loaded, found: Answer, folder: Path) -> list[Path]:
    """Draw the pictures of README.md into a folder; return those that the archive has something of."""
    drawn = []
    if found.speeds:
        save(speed_plot(found.speeds), folder, "speed")
        drawn.append(folder / "speed.png")
    for name, (key, number) in FIGURES.items():
        for paper in (each for each in loaded.papers if each.paper.key == key):
            (entry,) = (each for each in paper.paper.figures if each.number == number)
            figure, _ = draw_figure(paper, entry)
            if figure is not None:
                save(figure, folder, name)
                drawn.append(folder / f"{name}.png")
    dataset, method = CASE
    if dataset in loaded.run.datasets and method in loaded.run.methods:
        run = replace(loaded.run, methods={method: loaded.run.methods[method]})
        draw_cases(folder, run, run.datasets[dataset], ranks=("worst",))
        worst = folder / dataset / f"{method}-worst.png"
        if worst.exists():
            drawn.append(worst.rename(folder / "case.png"))
    return drawn


def _frontier(loaded: Loaded) -> Figure | None:
    """Draw accuracy against seconds, as the report has it."""
    found = list(frontiers(loaded.run))
    return accuracy_time(found, clock(loaded.run)) if found else None


def _claims(loaded: Loaded) -> Figure | None:
    """Draw the effects of the claims, as the report's first screen has them."""
    effects = answered(loaded).effects
    return forest_plot(effects) if effects else None


@dataclass(frozen=True)
class Page:
    """A page below docs that is written from an archive: its blocks by their names, and its picture, if any."""

    path: Path
    blocks: Callable[[Loaded], Mapping[str, str]]
    picture: str = ""  # the name of its file below docs
    draw: Callable[[Loaded], Figure | None] = lambda _: None

    def draw_into(self, folder: Path, loaded: Loaded) -> Path:
        """Draw the picture from an archive into a folder; return its file.

        Raises:
            ArchiveError: the archive has nothing of it.
        """
        if (figure := self.draw(loaded)) is None:
            raise ArchiveError(f"there is nothing to draw as {self.picture}")
        save(figure, folder, Path(self.picture).stem)
        return folder / self.picture


PAGES: Mapping[Path, Page] = {
    OPEN: Page(PICTURES / "anatomies.md", anatomies),
    STUDY: Page(PICTURES / "findings.md", findings, "claims.png", _claims),
    WEIGHTS: Page(PICTURES / "weights.md", anatomies),
    FRONTIER: Page(PICTURES / "student.md", traded, "frontier.png", _frontier),
}


def write_readme(loaded: Loaded) -> None:
    """Write README.md and its pictures from an archive of the default profile."""
    found = answered(loaded)
    text = filled(README.read_text(encoding="utf-8"), blocks(loaded, found, pd.read_csv(MEDIANS)))
    with tempfile.TemporaryDirectory() as folder:
        for path in draw(loaded, found, Path(folder)):
            shutil.copyfile(path, PICTURES / path.name)
    README.write_text(text, encoding="utf-8")


def write_page(loaded: Loaded, page: Page) -> None:
    """Write the numbers and the picture of a page below docs from an archive of the profile that is kept for it."""
    text = filled(page.path.read_text(encoding="utf-8"), page.blocks(loaded))
    if page.picture:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(page.draw_into(Path(folder), loaded), PICTURES / page.picture)
    page.path.write_text(text, encoding="utf-8")


def main() -> None:
    """Keep an archive where one is given, and write what is written from it; end with one line at a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", nargs="?", type=Path, help="an archive to keep in place of the one that is kept")
    given = parser.parse_args().archive
    try:
        for path in [given] if given else [KEPT, *PAGES]:
            _write(path, keep=given is not None)
    except DataError as error:
        sys.exit(f"error: {error}")


def _write(path: Path, *, keep: bool) -> None:
    archive = read(path)
    if (size := archive.path.stat().st_size) > LARGEST:
        raise ArchiveError(f"{archive.path}: has {size} bytes, more than the {LARGEST} that are kept")
    loaded = load(archive)
    kept = MEASURED / loaded.run.profile / NAME
    if kept not in (KEPT, *PAGES):
        known = " and ".join(each.parent.name for each in (KEPT, *PAGES))
        raise ArchiveError(f"{archive.path}: is of profile {loaded.run.profile}, and pages are written from {known}")
    if kept == KEPT:
        write_readme(loaded)
    else:
        write_page(loaded, PAGES[kept])
    if keep:
        kept.parent.mkdir(exist_ok=True)
        with replacing(kept) as temporary:
            shutil.copyfile(archive.path, temporary)


if __name__ == "__main__":
    main()
