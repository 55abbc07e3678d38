"""What CONTRIBUTING promises to whoever adds something: so many files and entries, and nothing else, in a copy."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.faults.copies import copy_to

DATASET = '''"""Two blocks, the moving one a voxel further."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.case import Writer
from datasets.description import Description, Pair, TrainingSplit


@dataclass(frozen=True)
class Params:
    """The options of the blocks."""

    size: int = 12  # voxels along the first axis


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Write one pair."""
    writer, pair = Writer(folder), Pair("here", "there")
    for case, start in (("here", 3), ("there", 4)):
        block = np.zeros((params.size, 14, 16))
        block[start : start + 5, 4:9, 4:9] = 1
        writer.image(case, block, np.diag([1.0, 1.5, 2.0, 1.0]))
        writer.labels(case, block, np.diag([1.0, 1.5, 2.0, 1.0]))
    training = TrainingSplit(())
    writer.finish(Description(name=name, title="Blocks", shape=block.shape, labels={1: "block"}, evaluated_labels=(1,),
                              training=training, test=(pair,)))
'''
METHOD = '''"""The same displacement everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from methods import Register


@dataclass(frozen=True)
class Params:
    """The options of the method."""

    voxels: float = 1.0  # how far along the first axis


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Return the registration."""

    def register(fixed, moving, spacing):
        displacement = np.zeros((3, *fixed.shape), np.float32)
        displacement[0] = params.voxels
        return displacement

    return register
'''
METRIC = '''"""The longest displacement."""

from collections.abc import Iterator

import numpy as np

from benchmarks.evidence import Evidence, Value


def longest_values(evidence: Evidence) -> Iterator[Value]:
    """Yield the length in voxels of the longest displacement."""
    yield Value("grid", "all", float(np.linalg.norm(evidence.displacement, axis=0).max()))
'''
ENTRY = """
    "longest": Metric(
        name="Longest step",
        meaning="The longest displacement of any voxel.",
        unit="voxels",
        needs="displacement",
        compute=longest_values,
        protocols={"grid": "all voxels of the fixed grid"},
        decimals=4,
        column=True,
    ),
"""
FIGURE = '''"""One line, from nowhere to the number that an entry names."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from reports.paper.cast import PaperRun


@dataclass(frozen=True)
class Options:
    """The options of an entry of this kind."""

    until: float  # where the line ends


def draw(stage: PaperRun, options: Options) -> tuple[Figure | None, str]:
    """Draw the line."""
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot([0, options.until], [0, 1])
    return figure, f"It ends at {options.until:g}."
'''
PROFILE = """
profile: added
seeds: [0]
run: {datasets: [blocks], methods: [identity, pushed, pushed-far]}
papers: {ldr-aldk: {sliver: blocks}}
timing: {datasets: [], pairs: 1, rounds: 1}
"""


def add(path: Path, text: str, *, before: str = "") -> None:
    """Append to a file, or insert before the first occurrence of some text."""
    content = path.read_text(encoding="utf-8")
    assert before in content
    place = content.index(before) if before else len(content)
    path.write_text(content[:place] + text + content[place:], encoding="utf-8")


def call(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the project with one of each added, after a run of all of them."""
    folder = copy_to(tmp_path_factory.mktemp("extended"), "docs")
    catalogue = folder / "workflows" / "config" / "catalogue"
    (folder / "datasets" / "blocks.py").write_text(DATASET)
    add(catalogue / "datasets.yaml", "\n  blocks: {module: blocks}\n")
    (folder / "methods" / "pushed.py").write_text(METHOD)
    add(catalogue / "methods.yaml", "\n  pushed: {module: pushed, label: Pushed, kind: classical}\n")
    add(catalogue / "methods.yaml", "  pushed-far: {like: pushed, label: Pushed far, params: {voxels: 2.5}}\n")
    (folder / "benchmarks" / "longest.py").write_text(METRIC)
    metrics = folder / "benchmarks" / "metrics.py"
    add(metrics, "from benchmarks.longest import longest_values\n", before="from datasets import")
    add(metrics, ENTRY.lstrip("\n"), before='    "seconds": Metric(')
    (folder / "reports" / "paper" / "figures" / "a_line.py").write_text(FIGURE)
    add(
        folder / "reports" / "papers" / "ldr-aldk.yaml",
        "\n  - {number: 99, caption: A line., kind: a_line, until: 7}\n",
    )
    (folder / "added.yaml").write_text(PROFILE)
    call(folder, "snakemake", "--cores", "2", "report", "--configfile", "added.yaml")
    return folder


def test_a_data_set_a_method_a_variant_and_a_metric_come_out_as_rows(extended):
    rows = pd.read_parquet(extended / "results" / "added" / "metrics.parquet")
    longest = rows[rows.metric == "longest"].set_index("method").value
    assert longest.to_dict() == {"identity": 0.0, "pushed": 1.0, "pushed-far": 2.5}
    dice = (
        rows[(rows.metric == "dice") & (rows.protocol == "nearest") & (rows.region == "mean")].set_index("method").value
    )
    assert dice["pushed"] == 1 > dice["identity"]


def test_the_metric_is_a_column_with_its_decimals_and_in_the_glossary(extended):
    report = extended / "results" / "added" / "report"
    assert "2.5000" in (report / "tables" / "overview.md").read_text("utf-8")
    assert "The longest displacement of any voxel." in (report / "index.html").read_text("utf-8")


def test_the_figure_is_drawn_with_its_option(extended):
    report = extended / "results" / "added" / "report"
    assert (report / "figures" / "ldr-aldk-fig99.png").stat().st_size > 0
    assert "It ends at 7." in (report / "index.html").read_text("utf-8")


def test_the_option_is_shown_with_its_value_default_and_meaning(extended):
    text = call(extended, "workflows.show", "pushed-far", "blocks")
    lines = text.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.split()[:1] == ["voxels"]]
    assert lines[at].split()[1] == "2.5"
    assert "how far along the first axis" in lines[at + 1]
    assert "default 1.0" in lines[at + 1]
