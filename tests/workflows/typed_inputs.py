"""A copy of the project with the files that its pages speak of, and the commands that they tell a reader to type."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import SimpleITK

from tests.faults.copies import copy_to
from tests.workflows.documents import all_blocks, commands
from tests.workflows.own_folder import mine_of_the_page
from workflows.configuration.sources import ROOT

KEPT = ROOT / "reports" / "measured" / "mini" / "archive.zip"
HOME = "home"  # of the user whose data docs/own-data.md describes
EVERY = list({each.text: each for each in commands()}.values())  # one that stands on two pages is typed once


def lay_out(folder: Path) -> Path:
    """Copy the project to a folder, with the files that the pages speak of."""
    copy_to(folder)
    shutil.copytree(ROOT / "docs" / "own", folder / "docs" / "own")
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    for name in ("A.zip", "B.zip", "results/mini/archive.zip"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(KEPT, folder / name)
    of_phantoms, of_scans = all_blocks("own-fields.md", "yaml")
    (folder / "fields.yaml").write_text(of_phantoms, encoding="utf-8")
    grid = np.stack(np.meshgrid(*map(np.arange, (24, 26, 28)), indexing="ij"))
    for name, centre in (("fixed", (12, 13, 14)), ("moving", (13, 12, 14))):
        blob = 1000 * np.exp(-np.square(grid - np.reshape(centre, (3, 1, 1, 1))).sum(0) / 40)
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(blob.astype(np.int16)), folder / f"{name}.nii.gz")
    mine_of_the_page(folder / HOME / "mine")
    (folder / HOME / "mine" / "fields.yaml").write_text(of_scans, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "own", folder / HOME / "mine", dirs_exist_ok=True)
    return folder


def asked(command: str, home: Path) -> list[str]:
    """Return the words to run: what takes long only as a plan."""
    words = [str(home / word[2:]) if word.startswith("~/") else word for word in shlex.split(command)]
    if words[0] == "make":
        return [*words, "-n"]
    if words[0] == "snakemake":
        return [str(Path(sys.executable).with_name("snakemake")), *words[1:], "--dry-run", "--quiet"]
    return [sys.executable if words[0] == "python" else words[0], *words[1:]]


def type_in(text: str, place: Path) -> None:
    """Run a command in the copy, and fail with its words where it fails."""
    shell = {">", "&&"} & {*shlex.split(text)}
    words = ["bash", "-c", text] if shell else asked(text, place / HOME)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(place / HOME)}
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
