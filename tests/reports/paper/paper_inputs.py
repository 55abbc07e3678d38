"""Made-up inputs of a paper's tables: a small paper on disk, what plays its data sets, and rows that fill its cells."""

import copy
import json
from dataclasses import replace

import pandas as pd
import yaml

from benchmarks.records import Learned, PaperNetwork
from benchmarks.rows import TimingRow
from reports.paper.cast import PaperRun
from reports.paper.contents import PaperFigure
from reports.paper.draw import draw_figure
from reports.paper.layout import load_paper
from reports.paper.printed import COLUMNS
from reports.reading.method import Method
from reports.reading.run import Run
from reports.reading.trainings import Training
from tests.reports.report_inputs import HARDWARE, changed, failed_row, frame, row, write_dataset

DICE = {"metric": "dice", "protocol": "linear_thr128", "unit": "%", "factor": 100, "decimals": 1, "margin": 1}
TRAINING = {
    "title": "LESSONS", "module": "hospital", "collection": "lessons", "cases": 40, "datasets": ["one", "two"],
    "iterations": 500, "batch": 2, "learning_rate": 1e-3,
}  # fmt: skip
LEARNED = Learned(
    module="hospital", collection="lessons", phantom=False, cases=40, shape=(6, 5, 4), iterations=500, planned=500,
    batch=2, learning_rate=1e-3,
)  # fmt: skip
LAYOUT = {
    "paper": "toy",
    "title": "A <toy> paper",
    "cite": "Nobody 2026, arXiv:2601.00001",
    "hardware": "An abacus",
    "datasets": {
        "one": {"title": "ONE", "module": "hospital", "collection": "one", "pairs": 3},
        "two": {"title": "TWO", "module": "hospital", "collection": "two", "pairs": 3},
    },
    "training": [TRAINING],
    "tables": [
        {
            "number": 1,
            "caption": "Everything & more.",
            "head": ["Network", "Teacher"],
            "columns": [
                {"key": "one_dice", "label": "Dice (%)", "group": "ONE", "dataset": "one", **DICE},
                {"key": "one_dice_gain", "label": "gain", "group": "ONE", "dataset": "one", "gain_of": "one_dice",
                 "unit": "%", "decimals": 1},
                {"key": "two_dice", "label": "Dice (%)", "group": "TWO", "dataset": "two", **DICE},
                {"key": "cpu", "label": "CPU", "group": "Cost", "dataset": "one", "metric": "seconds", "device": "cpu",
                 "unit": "s"},
                {"key": "gpu", "label": "GPU", "group": "Cost", "dataset": "one", "metric": "seconds", "device": "cuda",
                 "unit": "s"},
                {"key": "params", "label": "#Params", "dataset": "one", "metric": "parameters", "unit": "1",
                 "decimals": 2, "suffix": "M"},
            ],
            "rows": [
                {"key": "plain", "labels": ["Plain", "None"], "method": "syn"},
                {"key": "taught", "labels": ["Taught", "Net_work"], "method": "net", "gain_over": "plain"},
            ],
            "readings": [{"topic": "Dice", "run": "one way", "other": "the other way, 2 % more."}],
        }
    ],
    "figures": [],
}  # fmt: skip
PRINTED = [
    ("plain", "one_dice", "70.0", "%"), ("plain", "two_dice", "5 + 5", "%"), ("plain", "cpu", "9.5", "s"),
    ("plain", "gpu", "-", "s"), ("plain", "params", "-", "1"),
    ("taught", "one_dice", "91.2", "%"), ("taught", "one_dice_gain", "+3.4", "%"), ("taught", "two_dice", "80.0", "%"),
    ("taught", "cpu", "0.69", "s"), ("taught", "gpu", "0.16", "s"), ("taught", "params", "0.56M", "1"),
]  # fmt: skip
VALUES = {
    "70.0": "70",
    "9.5": "9.5",
    "91.2": "91.2",
    "+3.4": "3.4",
    "80.0": "80",
    "0.69": "0.69",
    "0.16": "0.16",
    "0.56M": "560000",
}


def csv_frame():
    rows = [
        (1, row, column, printed, VALUES.get(printed, ""), unit, f"Table I, {row}, {column}",
         "two numbers in one cell" if printed == "5 + 5" else "")
        for row, column, printed, unit in PRINTED
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def write_paper(folder, *, layout=None, cells=None):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.yaml").write_text(yaml.safe_dump(layout or LAYOUT), encoding="utf-8")
    (csv_frame() if cells is None else cells).to_csv(folder / "toy.csv", index=False)
    return folder


def layout(without="", **changes):
    """The layout, with the first table's column or row of a key changed: ``one_dice={"unit": "s"}``.

    ``without`` is an option that the changed entries lose.
    """
    changed = copy.deepcopy(LAYOUT)
    for entry in (*changed["tables"][0]["columns"], *changed["tables"][0]["rows"]):
        entry.update(changes.get(entry["key"], {}))
        if entry["key"] in changes:
            entry.pop(without, None)
    return changed


def dice_rows(dataset, method, values):
    """A status row and a Dice for pairs a__b0, a__b1, …; None is a registration that failed."""
    out = []
    for i, value in enumerate(values):
        if value is None:
            out.append(failed_row(dataset, f"a__b{i}", method, reason="out of\nluck"))
        else:
            out.append(row(dataset, f"a__b{i}", method, "seconds", 1.0, unit="s"))
            out.append(row(dataset, f"a__b{i}", method, "dice", value))
    return out


def size_rows(dataset, method, size, full=None):
    rows = [row(dataset, "*", method, "parameters", float(size))]
    more = [row(dataset, "*", method, "full_parameters", float(full), protocol="network")] if full is not None else []
    return rows + more


def paper_size(method, seconds, **more):
    """Calls at the paper's size, which have no data set."""
    return timing(method, seconds, dataset="*", **{"size": "paper", "grid": "128x128x128", **more})


def network(method, timed_as="", parameters=561_318, macs=110_330_118_144):
    """What a run says of a method's network at the paper's size."""
    return PaperNetwork(method=method, timed_as=timed_as or method, parameters=parameters, macs=macs)


def timing(method, seconds, *, dataset="one", device="cpu", threads=2, status="ok", reason="", **more):
    first = TimingRow(
        dataset=dataset,
        pair="a__b0",
        method=method,
        seed=0,
        grid="16x16x16",
        device=device,
        threads=threads,
        round=0,
        phase="first",
        seconds=99.0,
        contended=False,
        hardware=HARDWARE.key,
    )
    first = replace(first, **more)
    warm = [
        replace(first, round=i + 1, phase="warm", seconds=value, status=status, reason=reason)
        for i, value in enumerate(seconds)
    ]
    return pd.DataFrame([first, *warm])


def make_run(tmp_path, rows, *, plays, timing=None, methods=("syn", "net"), layout=None, cells=None, networks=()):
    """What a run measured; ``plays`` maps a paper's key to the name of the prepared data set."""
    known = {
        "syn": Method("SyN", "classical"),
        "net": Method("Net", "learned"),
    }
    paper = load_paper("toy", folder=write_paper(tmp_path / "papers", layout=layout, cells=cells))
    data = {
        key: write_dataset(
            tmp_path, name, phantom=name != key, n_pairs=3, shape=(6, 5, 4), module="hospital", collection=key
        )
        for key, name in plays.items()
    }
    networks_run = [each for each in rows if each["method"] == "net"]
    run = Run(
        metrics=frame([*rows, *widths(networks_run)]),
        timing=timing,
        runs=runs_of(networks_run),
        trainings=trainings_of(networks_run),
        datasets={},
        methods={name: known[name] for name in methods},
        networks={each.method: each for each in networks},
    )
    return varied(PaperRun(paper, run, {}), plays=data)


def places(rows):
    """The data set, method and seed of some rows, each once."""
    return sorted({(each["dataset"], each["method"], each["seed"]) for each in rows})


def widths(rows):
    """Sizes of networks at their paper's width, where the rows of a run do not say them."""
    said = {(each["dataset"], each["method"]) for each in rows if each["metric"] == "parameters"}
    return [
        each
        for dataset, method in sorted({place[:2] for place in places(rows)} - said)
        for each in size_rows(dataset, method, 561_318, 561_318)
    ]


def weights(method, seed):
    """The digest of a training's weights."""
    return f"{method}-{seed}".ljust(64, "0")


def runs_of(rows):
    """The provenance of the runs that rows are of."""
    about = [
        (*place, place[1], weights(*place[1:]), json.dumps({"torch": "2.8"}), "", "", "{}") for place in places(rows)
    ]
    columns = ["dataset", "method", "seed", "module", "checkpoint_sha", "versions", "cpu", "gpu", "params"]
    return pd.DataFrame(about, columns=columns)


def trainings_of(rows, learned=LEARNED, on="lessons"):
    """The trainings that left the weights of the runs that rows are of."""
    of = sorted({place[1:] for place in places(rows)})
    return [Training(method, on, seed, "ok", "", None, weights(method, seed), learned) for method, seed in of]


def drawn(paper_run, entry):
    """The figure of an entry, before it is written, and what the run adds to its caption."""
    options = {name: value for name, value in entry.items() if name not in ("number", "kind", "caption")}
    return draw_figure(paper_run, PaperFigure(entry["number"], entry["kind"], entry["caption"], options))


def varied(paper_run, *, paper=None, plays=None, **parts):
    """The same with ``parts`` of its run or volumes changed, or its paper, or the data sets by the key each plays."""
    cast = paper_run.cast if plays is None else {key: data.name for key, data in plays.items()}
    if plays is not None:
        parts["datasets"] = {data.name: data for data in plays.values()}
    return PaperRun(paper or paper_run.paper, changed(paper_run.run, **parts), cast)
