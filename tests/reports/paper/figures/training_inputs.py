"""Made-up leavings of trainings: growth, snapshots and displacements, as `reports.reading.trainings` reads them."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd

from reports.reading.trainings import Training
from tests.reports.paper.paper_inputs import LEARNED, layout, make_run, varied
from tests.reports.report_inputs import row

OWN = [{"title": "LIDC-IDRI", "module": "lidc", "cases": 40, "datasets": ["one", "two"]}]
PAIRS = [("shells", "a__b0", 10), ("shells", "a__b1", 40), ("two", "a__b0", 150)]
BEFORE = (6.0, 9.0, 7.0)
STATES = {"number": 2, "kind": "growth_states", "caption": "States.", "method": "net"}
DENSITY = {"number": 4, "kind": "displacement_densities", "caption": "Densities.", "method": "net"}
CURVES = {"number": 5, "kind": "learning_curves", "caption": "Curves.", "methods": ["syn", "net"]}
SCATTER = {"number": 6, "kind": "snapshot_scatter", "caption": "Scatter.", "methods": ["syn", "net"]}
FIGURES = [STATES, DENSITY, CURVES, SCATTER]


def trapezoids(transition, duration, levels, iterations):
    """A curve's rows: weights by the trapezoids' corners, not by the formula of the method."""
    t, rows = np.arange(iterations), {"iteration": np.arange(iterations)}
    for level in range(levels):
        start = -duration / 2 + (duration - transition) * level
        ends = [start, start + transition, start + duration - transition, start + duration]
        last = level == levels - 1
        rows[f"alpha_{level}"] = np.interp(t, ends[:2] if last else ends, [0, 1] if last else [0, 1, 1, 0])
    return pd.DataFrame(rows)


def snapshot_rows(errors, pairs=PAIRS):
    """Rows of snapshots: ``errors`` maps an iteration to the mean TRE of each pair."""
    return pd.DataFrame([
        {"iteration": iteration, "dataset": dataset, "pair": pair, "count": count, "mean": mean, "sd": 1.0}
        for iteration, means in errors.items()
        for (dataset, pair, count), mean in zip(pairs, means, strict=True)
    ])  # fmt: skip


def uniform(half, width=1.0):
    """Rows of displacements evenly spread over -half..half along each axis."""
    low = np.arange(-half, half, width)
    parts = [pd.DataFrame({"component": c, "low": low, "high": low + width, "count": 5}) for c in "xyz"]
    return pd.concat(parts, ignore_index=True)


def training(tmp_path, method, seed=0, *, curve=None, errors=None, displacements=None, shape=(48, 40, 56), **ended):
    folder = tmp_path / f"{method}-{seed}"
    folder.mkdir(parents=True)
    for name, rows in (("curve.jsonl", curve), ("snapshots.jsonl", errors)):
        if rows is not None:
            (folder / name).write_text("".join(json.dumps(one) + "\n" for one in rows.to_dict("records")))
    if displacements is not None:
        displacements.to_csv(folder / "displacements.csv", index=False)
    about = {"shape": shape, "spacing": [2.5, 2.0, 3.0], "orientation": "LPS"}
    (folder / "synthetic.json").write_text(json.dumps(about))
    dataset = ended.pop("dataset", "phantom-lidc")
    learned = replace(LEARNED, module="lidc", collection="", phantom=dataset != "lidc")
    about = {"status": "ok", "reason": "", "learned": learned, **ended}
    return Training(method, dataset, seed, **about, folder=folder)


def falling(start, slope, noise=0.0, last=200, seed=0):
    rng = np.random.default_rng(seed)
    return snapshot_rows(
        {t: start - slope * t + np.array([0, 1, 2]) + noise * rng.normal() for t in range(0, last, 10)}
    )


def toy(tmp_path, figures, trainings, *, before=BEFORE, plays=None, methods=("syn", "net")):
    rows = [
        row(dataset, pair, "identity", "tre", value, unit="mm")
        for (dataset, pair, _), value in zip(PAIRS, before, strict=False)
    ]
    plays = {"one": "shells", "two": "two"} if plays is None else plays
    whole = {**layout(), "figures": list(figures), "training": OWN}
    paper_run = make_run(tmp_path, rows, plays=plays, methods=methods, layout=whole)
    return varied(paper_run, trainings=trainings)


def filled(tmp_path, figures=FIGURES):
    """A paper's run with two trainings of two networks, of which every figure can be drawn."""
    curve = trapezoids(20, 60, 4, 200)
    net = [
        training(tmp_path, "net", seed, curve=curve, errors=falling(6, 0.02, 0.1, seed=seed), displacements=uniform(8))
        for seed in (0, 1)
    ]
    plain = [
        training(tmp_path, "syn", seed, curve=curve[["iteration"]], errors=falling(7, 0.01, 0.2, seed=5 + seed))
        for seed in (0, 1)
    ]
    return toy(tmp_path, figures, [*net, *plain])


def texts(axes):
    return [text.get_text() for text in axes.texts]


def lines(axes, colour):
    return [line for line in axes.lines if line.get_color() == colour]
