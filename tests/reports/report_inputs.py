"""Made-up inputs of a report: small data sets, rows, runs, timings, and the page built from them."""

import json
import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import results
from benchmarks.clock.hardware import Hardware
from benchmarks.rows import TimingRow
from datasets import geometry
from datasets.case import Pair, Truth, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import write_displacement
from reports import page
from reports.reading.method import Method
from reports.reading.pictures import Live, Volumes
from reports.reading.run import Run

AFFINES = {
    "RAS": np.diag([1.0, 1.5, 2.0, 1.0]),
    "LPI": np.diag([-1.0, -1.5, -2.0, 1.0]),
    "PIR": np.array([[0, 0, 2.0, -9], [-1.0, 0, 0, 4], [0, -1.5, 0, 7], [0, 0, 0, 1]]),
}
SHAPE, SPACING = (18, 14, 11), (1.0, 1.5, 2.0)
AFFINE = np.diag([-1.0, 1.5, 2.0, 1.0])
REASON = "<worker> killed & 3_000 MB used, 95% of $limit\n{see #1}"
METHODS = {
    "identity": Method("Identity", "control"),
    "syn": Method("ANTs SyN", "classical", "doi:10.1016/j.media.2007.06.004"),
    "net": Method("Network & co", "learned", "see https://example.org/net"),
    "truth": Method("Truth", "control"),
}


def write_dataset(folder, name, *, phantom, n_pairs, shape=SHAPE, module="", collection=""):
    rng = np.random.default_rng(3)
    writer, pairs = Writer(folder / name), [Pair("a", f"b{i}") for i in range(n_pairs)]
    x = geometry.identity_grid(shape) / np.reshape(shape, (3, 1, 1, 1)) - 0.5
    for case in ("a", *(pair.moving for pair in pairs)):
        centre = rng.uniform(-0.05, 0.05, (3, 1, 1, 1)) if case != "a" else np.zeros((3, 1, 1, 1))
        radius = np.sqrt(np.sum((x - centre) ** 2, axis=0))
        labels = (radius < 0.38).astype(int) + (radius < 0.2) + (radius < 0.1)
        image = 0.25 * labels + rng.uniform(0, 0.08, shape)
        writer.image(case, image, AFFINE)
        writer.labels(case, labels, AFFINE)
    writer.finish(
        Description(
            name=name,
            module="phantom" if phantom else module,
            collection=collection,
            title="Shells <b> phantom" if phantom else "Real shells",
            phantom=phantom,
            modality="T1 MR",
            shape=tuple(shape),
            spacing=tuple(SPACING),
            licence="CC0 & friends",
            source="made here, doi:10.1000/xyz",
            labels={1: "outer_shell", 2: "inner"},
            evaluated_labels=(1, 2),
            training=TrainingSplit(()),
            test=tuple(pairs),
        )
    )
    return open_dataset(folder / name)


def row(dataset, pair, method, metric, value, **more):
    protocol = {"dice": "linear_thr128", "seconds": "register", "tre": "continuous", "parameters": "network"}
    base = {"seed": 0, "protocol": protocol.get(metric, "central_grid"), "status": "ok", "reason": "", "run": method}
    base["region"] = "mean" if metric in ("dice", "tre", "displacement_error") else "all"
    about = {"dataset": dataset, "pair": pair, "method": method, "metric": metric, "value": value, "unit": "1"}
    return {**about, **base, **more}


def failed_row(dataset, pair, method, status="failed", reason=REASON):
    return row(dataset, pair, method, "seconds", np.nan, status=status, reason=reason)


def rows_of(dataset, method, dice, seconds=1.0):
    """Status, Dice, per-label Dice and folding for pairs a__b0, a__b1, …"""
    out = []
    for i, value in enumerate(dice):
        pair = f"a__b{i}"
        out.append(row(dataset, pair, method, "seconds", seconds * (1 + 0.1 * i), unit="s"))
        out.append(row(dataset, pair, method, "dice", value))
        out += [row(dataset, pair, method, "dice", value + d, region=r) for r, d in (("label_1", 0.1), ("2", -0.1))]
        out.append(row(dataset, pair, method, "folding_percent", 0.0 if method == "identity" else 0.25 * i, unit="%"))
    return out


def frame(rows):
    return results.validate(rows, "metrics")


def small_metrics():
    rows = rows_of("shells", "identity", [0.5, 0.6, 0.7], 0.001)
    rows += rows_of("shells", "syn", [0.7, 0.8, 0.84], 12.0)
    rows += rows_of("shells", "net", [0.9, 0.95], 0.2)
    rows += [failed_row("shells", "a__b2", "net")]
    rows += rows_of("shells", "truth", [0.97, 0.98, 0.99], 0.002)
    rows += rows_of("real", "identity", [0.4], 0.001) + rows_of("real", "syn", [0.66], 9.0)
    rows += rows_of("real", "net", [0.71], 0.3)
    rows += [failed_row("real", "a__b0", "truth", "not_applicable", "no true displacement")]
    rows += [row("shells", "*", "net", "parameters", 1234567.0)]
    return frame(rows)


def runs_frame():
    rows = []
    for dataset in ("shells", "real"):
        for method in METHODS:
            rows.append(
                {
                    "run": f"{dataset}-{method}",
                    "dataset": dataset,
                    "method": method,
                    "seed": 0,
                    "module": method,
                    "params": json.dumps({"steps": 3}),
                    "checkpoint_sha": "ab" * 32,
                    "commit": "8cfb05d" * 5,
                    "dirty": True,
                    "started_utc": "2026-01-02T03:04:05Z",
                    "cpu": "A CPU",
                    "gpu": "",
                    "threads": 1,
                    "device": "cpu",
                    "precision": "float32",
                    "python": "3.11.2",
                    "platform": "Linux",
                    "load_average": 0.1,
                    "versions": json.dumps({"numpy": "2.2", "torch": "2.8"}),
                }
            )
    return results.validate(rows, "runs")


HARDWARE = Hardware(cpu="Some CPU", cores=2, pinned=(0, 1), versions={"torch": "2.8"})


def timing_frame():
    return pd.DataFrame(
        [
            TimingRow(
                dataset="shells",
                pair="a__b0",
                method=method,
                seed=0,
                grid="12x10x8",
                device="cpu",
                threads=threads,
                round=i + (phase == "warm"),
                phase=phase,
                seconds=base / threads + 0.01 * i,
                contended=False,
                hardware=HARDWARE.key,
            )
            for method, base in (("syn", 9.0), ("net", 0.4))
            for threads in (1, 2)
            for phase, rounds in (("first", 1), ("warm", 5))
            for i in range(rounds)
        ]
    )


def make_run(metrics, datasets, displacement_path=lambda *_: Path("absent"), *, runs=None, timing=None, **more):
    """What a run of `METHODS` left; ``more`` are parts of the run or of its volumes."""
    run = Run(metrics, timing, runs_frame() if runs is None else runs, datasets, METHODS)
    return changed(run, datasets=datasets, displacement_path=displacement_path, **more)


def changed(run, **parts):
    """The run with parts of it, or of the volumes that its pictures are taken from, changed."""
    volumes = run.pictures.volumes if isinstance(run.pictures, Live) else Volumes({}, lambda *_: Path("absent"))
    names = [each.name for each in fields(Volumes)]
    volumes = replace(volumes, **{name: part for name, part in parts.items() if name in names})
    parts = {name: part for name, part in parts.items() if name not in names or name == "datasets"}
    return replace(run, pictures=Live(volumes), **parts)


def build(folder, metrics, datasets, *, runs=None, timing=None, trainings=()):
    def displacement_path(dataset, method, seed, pair):
        path = folder / "displacements" / f"{dataset}-{method}-{seed}-{pair}.nii.gz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            x = geometry.identity_grid(datasets[dataset].image("a").array.shape)
            wave = 1.5 * np.sin(x[[1, 2, 0]] / 2.5) if method != "identity" else 0 * x
            write_displacement(path, wave, AFFINE)
        return path

    def labels(dataset, case):
        return Truth(datasets[dataset].folder).labels(case)

    more = {"runs": runs, "timing": timing, "trainings": trainings, "labels": labels}
    page.build(folder / "report", make_run(metrics, datasets, displacement_path, profile="te<st", **more))
    return folder / "report"


def extreme(affine, shape, world):
    """Index of the voxel that lies farthest in a direction of RAS space."""
    index = np.stack(np.meshgrid(*map(range, shape), indexing="ij")).reshape(3, -1)
    return tuple(index[:, np.argmax(np.asarray(world) @ (affine[:3, :3] @ index))])


class Links(HTMLParser):
    """Collects what a page would load, its links, its ids, and pictures without text."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.ids, self.bare, self.headings = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in ("script", "link", "iframe", "object"):
            self.loads.append(tag)
        self.loads += [v for k, v in attrs if k in ("src", "srcset", "poster", "data") and not v.startswith("data:")]
        self.links += [v for k, v in attrs if k in ("href", "xlink:href")]
        self.ids += [values["id"]] if "id" in values else []
        if (tag == "img" and not values.get("alt")) or (tag == "svg" and not values.get("aria-label")):
            self.bare.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
