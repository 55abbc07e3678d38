"""A small run whose report has pictures, curves, sections and a paper; its archive."""

import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np

from benchmarks import results
from datasets import geometry
from datasets.case import Truth
from datasets.files import write_displacement
from reports.archive.export import contents, manifest
from reports.archive.packed import read, write
from reports.archive.rows import ROWS
from reports.paper.cast import PaperRun
from reports.paper.layout import load_paper
from reports.reading.method import Method
from reports.reading.trainings import Training
from tests.reports.report_inputs import (
    AFFINE,
    changed,
    frame,
    make_run,
    rows_of,
    runs_frame,
    timing_frame,
    write_dataset,
)
from workflows.configuration.sources import ROOT

WITHOUT = """
import sys
heavy = ("torch", "itk", "ants", "SimpleITK", "picsl_greedy", "convexAdam", "voxelmorph", "monai")
sys.modules.update(dict.fromkeys(heavy))  # importing any of them is an error
from workflows.archive.report import report
from workflows.planning.specs import ReportSpec
from pathlib import Path
report(ReportSpec(archive=Path(sys.argv[1]), folder=Path(sys.argv[2])), processes=2)
"""


METHODS = {
    "identity": Method("Identity", "control"),
    "rcn-1": Method("RCN", "learned"),
    "ldr-1": Method("LDR", "learned"),
    "ldr-1-aldk": Method("LDR + ALDK", "learned"),
}


def small_run(folder, methods=tuple(METHODS), *, shift=0.0):
    """A run of some methods on three pairs, and a paper one of whose data sets it plays."""
    data = {"shells": write_dataset(folder, "shells", phantom=True, n_pairs=3)}
    rows = [row for place, method in enumerate(methods) for row in rows_of("shells", method, dice(place, shift))]
    rows = [{**row, "run": f"run-{row['method']}"} for row in rows]
    timed = timing_frame().replace({"method": {"syn": methods[0], "net": methods[-1]}})
    run = make_run(frame(rows), data, paths(folder, data), runs=provenance(methods), timing=timed)
    run = changed(run, labels=lambda name, case: Truth(data[name].folder).labels(case))
    known = {name: METHODS[name] for name in methods}
    run = replace(run, methods=known, profile="toy", about="Cut: all.", trainings=[training(folder, "ldr-1")])
    return run, [PaperRun(load_paper("ldr-aldk"), run, {"sliver": "shells"})]


def dice(place, shift):
    return [0.5 + 0.1 * place + shift, 0.55 + 0.1 * place, 0.6 + 0.1 * place]


def provenance(methods):
    rows = runs_frame().iloc[: len(methods)].to_dict("records")
    named = [
        {**row, "run": f"run-{name}", "dataset": "shells", "method": name}
        for row, name in zip(rows, methods, strict=True)
    ]
    return results.validate(named, "runs")


def paths(folder, data):
    def displacement_path(dataset, method, seed, pair):
        path = folder / "displacements" / f"{dataset}-{method}-{seed}-{pair}.nii.gz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            x = geometry.identity_grid(data[dataset].image("a").array.shape)
            write_displacement(path, (method != "identity") * 1.5 * np.sin(x[[1, 2, 0]] / 2.5 + len(method)), AFFINE)
        return path

    return displacement_path


def training(folder, method):
    left = folder / f"training-{method}"
    left.mkdir(exist_ok=True)
    # five digits: of more, an archive keeps six
    lines = [json.dumps({"iteration": n, "total": round(float(np.exp(-n / 9)), 5), "alpha_0": 1.0}) for n in range(50)]
    (left / "curve.jsonl").write_text("\n".join(lines))
    return Training(method, "shells", 0, "ok", "", left)


def report_without_torch(archive, folder):
    """Build the report of an archive below a folder, in a process that can import neither torch nor ITK."""
    call = [sys.executable, "-c", WITHOUT, str(archive), str(folder)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def files_of(folder):
    """The content of each file, without those by which Snakemake remembers when it made a folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".snakemake_timestamp"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def archived(folder, methods=tuple(METHODS), **more):
    """The archive of a small run, written and read back."""
    folder.mkdir(parents=True, exist_ok=True)
    run, papers = small_run(folder, methods, **more)
    write(folder / "archive.zip", manifest(run), contents(run, papers))
    return read(folder / "archive.zip")


def with_rows(archive, kind, change):
    """The archive with rows of one kind changed, also to what no table may have."""
    frame = change(results.decode(archive.content[ROWS[kind]], kind, where="test"))
    out = io.BytesIO()
    frame.to_parquet(out, index=False)
    return replace(archive, content={**archive.content, ROWS[kind]: out.getvalue()})


def with_told(archive, change):
    """The archive with what it tells of its run changed."""
    told = json.loads(archive.content["run.json"])
    change(told)
    return replace(archive, content={**archive.content, "run.json": json.dumps(told).encode()})
