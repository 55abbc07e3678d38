"""Made-up inputs of the progressive paper's tables: above all the printed numbers, as if a run had measured them."""

import json
from dataclasses import replace

from benchmarks.records import Learned
from reports.paper.cast import PaperRun
from reports.paper.layout import PAPERS, load_paper
from reports.paper.printed import read_printed
from reports.reading.method import Method
from reports.reading.run import Run
from reports.reading.trainings import Training
from tests.reports.paper.paper_inputs import runs_of, trainings_of, weights, widths
from tests.reports.report_inputs import failed_row, frame, row, write_dataset

PAIRS = {"dirlab": 10, "creatis": 6, "popi": 1}
NETWORKS = {"before": "identity", "baseline": "progressive-baseline", "progressive": "progressive"}
SCHEDULES = {"short": "progressive-short", "triangle": "progressive-triangle", "long": "progressive-long"}
CLASSICAL = ("ants-syn-lung", "elastix-bspline", "demons")
PAPER = replace(load_paper("progressive"), grid=(6, 5, 4))  # the grid of the made-up data
FRAME = read_printed(PAPERS / "progressive.csv")
PRINTED = FRAME.set_index(["table", "row", "column"]).value
METHODS = {
    **{name: Method(name, "classical") for name in ("identity", *CLASSICAL)},
    **{
        name: Method(name, "learned")
        for name in ("progressive-baseline", "progressive", "progressive-square", *SCHEDULES.values())
    },
}
LEARNED = Learned(
    module="lidc", collection="", phantom=False, cases=1010, shape=(128, 128, 128), iterations=40_000, planned=40_000,
    batch=1, learning_rate=0.01,
)  # fmt: skip
BENDS = {
    "t1": {"controls": [2, 2, 2], "ranges": [0.05, 0.05, 0.05]},
    "t21": {"controls": [4, 4, 4], "ranges": [0.025, 0.05, 0.10]},
    "t22": {"controls": [8, 8, 8], "ranges": [0.025, 0.025, 0.025]},
}


def pair_rows(dataset, pair, method, count, mean, sd, folding=None, seed=0):
    more = {"seed": seed}
    out = [row(dataset, pair, method, "seconds", 1.0, unit="s", **more)]
    for region, value in (("count", count), ("mean", mean), ("sd", sd)):
        out.append(row(dataset, pair, method, "tre", float(value), unit="mm", **more, region=region))
    if folding is not None:
        out.append(row(dataset, pair, method, "folding_percent", folding, unit="%", **more, protocol="central_mask"))
    return out


def places():
    return [(key, number) for key, count in PAIRS.items() for number in range(1, count + 1)]


def printed_rows(plays):
    """Rows as they would be if the run had measured what Table II prints."""
    out = []
    for key, number in places():
        name, cell, pair = plays[key], (2, f"{key}_{number}"), f"a__b{number - 1}"
        for column, method in NETWORKS.items():
            folding = None if column == "before" else PRINTED[(*cell, f"{column}_folding")]
            count, mean, sd = (PRINTED[(*cell, each)] for each in ("landmarks", column, f"{column}_sd"))
            out += pair_rows(name, pair, method, count, mean, sd, folding)
    return out


def flat_rows(plays, method, mean, sd, seed=0):
    """Every pair with the same mean and SD, which are then those of all landmarks."""
    return [
        each
        for key, number in places()
        for each in pair_rows(plays[key], f"a__b{number - 1}", method, 100, mean, sd, 0.1, seed)
    ]


def failed(plays, method, status, seed=0):
    return [
        failed_row(plays[key], f"a__b{number - 1}", method, status, "training: loss is NaN at iteration 61")
        | {"seed": seed}
        for key, number in places()
    ]


def one_training(plays):
    """Rows of one training of each network that gives what Tables II and IV print."""
    out = printed_rows(plays) + failed(plays, "progressive-square", "diverged")
    for name, method in SCHEDULES.items():
        out += flat_rows(plays, method, PRINTED[4, name, "tre"], PRINTED[4, name, "tre_sd"])
    return out


def repeated(rows, trainings):
    """The same rows of several trainings, in the eighth digit apart; what does not learn has but one seed."""
    return [
        each | {"seed": seed, "value": each["value"] * (1 + 1e-8 * seed)}
        for each in rows
        for seed in range(trainings if METHODS[each["method"]].kind == "learned" else 1)
    ]


def all_rows(plays):
    out = one_training(plays)
    for seed in (1, 2, 3, 4):
        for column in ("baseline", "progressive"):
            numbers = (PRINTED[5, f"draw_{seed}", f"{column}{end}"] for end in ("", "_sd"))
            out += flat_rows(plays, NETWORKS[column], *numbers, seed=seed)
    for method in CLASSICAL:
        out += flat_rows(plays, method, 1.5, 1.25)
    return out


def data_of(folder, key, name, **more):
    """A data set that plays one of the paper's, and is the paper's own where it is no phantom."""
    module, collection = ("dirlab", "") if key == "dirlab" else ("creatis", key)
    return write_dataset(folder, name, shape=(6, 5, 4), module=module, collection=collection, **more)


def ended(networks):
    """The trainings of all networks; those with a registration that diverged ended so, and left no weights."""
    lost = {(each["method"], each["seed"]) for each in networks if each["status"] == "diverged"}
    return [
        replace(each, status="diverged", sha256="") if (each.method, each.seed) in lost else each
        for each in trainings_of(networks, LEARNED, "lidc")
    ]


def make_run(folder, rows, plays=None, *, bends=BENDS, times=None, methods=METHODS, absent=()):
    plays = plays or {key: key for key in PAIRS}
    training = folder / "training"
    training.mkdir(parents=True, exist_ok=True)
    (training / "synthetic.json").write_text(json.dumps({"shape": [64, 64, 64], "bends": bends}))
    data = {
        key: data_of(folder, key, plays[key], phantom=plays[key] != key, n_pairs=count)
        for key, count in PAIRS.items()
        if key not in absent
    }
    networks = [each for each in rows if methods[each["method"]].kind == "learned"]
    first = Training("progressive", "lidc", 0, "ok", "", training, weights("progressive", 0), LEARNED)
    run = Run(
        metrics=frame([*rows, *widths(networks)]),
        timing=times,
        runs=runs_of([each for each in networks if each["status"] != "diverged"]),
        datasets={one.name: one for one in data.values()},
        methods=methods,
        about="Cut: less of everything.",
        trainings=[first, *(each for each in ended(networks) if (each.method, each.seed) != ("progressive", 0))],
    )
    return PaperRun(PAPER, run, {key: plays[key] for key in data})


def by_place(judged):
    """What was judged, by table, row and column."""
    return {(each.cell.table, each.cell.row.key, each.cell.column.key): each for each in judged}


OWN = {key: key for key in PAIRS}
PHANTOMS = {key: f"phantom-{key}" for key in PAIRS}
