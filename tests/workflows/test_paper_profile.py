"""The profile that repeats the paper: its data, its numbers, every one of its methods, and the jobs they make."""

import re
import subprocess
import sys
from dataclasses import replace
from itertools import chain, product
from types import SimpleNamespace

import pytest

from datasets.rcn.lists import COLLECTIONS
from methods import progressive, recursive
from methods.blocks.cascades.composition import Composition
from methods.blocks.cascades.distillation import Aldk
from reports.paper.layout import load_paper
from tests.methods import calls
from workflows.configuration import sources
from workflows.configuration.config import DatasetConfig
from workflows.configuration.resolve import read_yaml, resolve
from workflows.planning import plan
from workflows.planning.networks import Networks

CONFIG = sources.ROOT / "workflows" / "config" / "paper.yaml"
TABLES = {
    1: ["ants-syn-mattes", "elastix-bspline", "voxelmorph", "vtn-addd", "rcn-1", "rcn-2", "rcn-3",
        "ldr-1-aldk", "ldr-2-aldk", "ldr-3-aldk"],
    2: ["ldr-1", "ldr-1-aldk", "ldr-2", "ldr-2-aldk", "ldr-3", "ldr-3-aldk"],
    3: ["ldr-1-aldk", "mobilenet-aldk", "unet-aldk", "voxelmorph-aldk", "vtn-aldk", "rcn-1-aldk"],
    4: ["ldr-1", "ldr-1-aldk-from-voxelmorph", "ldr-1-aldk-from-vtn", "ldr-1-aldk"],
}  # fmt: skip
LIVERS, BRAINS, LUNGS = ("sliver", "lits", "lspig"), ("lpba",), ("dirlab", "creatis", "popi")
# Of the networks whose sizes the paper prints (rounded, in millions), counted layer by layer.
PARAMETERS = {
    "voxelmorph": 14_466_835, "vtn-addd": 98_922_897, "rcn-1": 42_418_491, "rcn-2": 70_670_694, "rcn-3": 98_922_897,
    "ldr-1": 561_318, "ldr-2": 841_977, "ldr-3": 1_122_636, "ldr-1-aldk": 561_318, "ldr-2-aldk": 841_977,
    "ldr-3-aldk": 1_122_636, "mobilenet-aldk": 1_252_960, "unet-aldk": 28_279_883, "voxelmorph-aldk": 14_466_835,
    "vtn-aldk": 28_252_203, "rcn-1-aldk": 42_418_491, "ldr-1-aldk-from-voxelmorph": 561_318,
    "ldr-1-aldk-from-vtn": 561_318,
}  # fmt: skip


@pytest.fixture(scope="module")
def profile():
    return resolve(read_yaml(CONFIG))


def of_the_paper(profile) -> list[str]:
    """The methods of the tables that learn."""
    return [m for m in dict.fromkeys(chain(*TABLES.values())) if profile.trains(m)]


def test_every_method_of_every_table_runs_on_every_data_set_of_the_table(profile):
    assert profile.datasets == [*LIVERS, *BRAINS, *LUNGS]
    columns = {1: (*LIVERS, *BRAINS), 2: (*LIVERS, *BRAINS), 3: ("sliver", "lits"), 4: ("sliver", "lits")}
    for table, methods in TABLES.items():
        assert set(product(methods, columns[table])) <= set(profile.runs)


def test_the_methods_are_those_of_the_printed_tables(profile):
    tables = {table.number: [row.method for row in table.rows] for table in load_paper("ldr-aldk").tables[:4]}
    assert {number: set(methods) for number, methods in tables.items()} == {n: set(m) for n, m in TABLES.items()}


def test_each_data_set_plays_itself(profile):
    assert profile.config.papers["ldr-aldk"] == {name: name for name in (*LIVERS, *BRAINS)}
    assert profile.config.papers["progressive"] == {name: name for name in LUNGS}
    for name in (*LIVERS, *BRAINS):
        found = replace(profile.dataset(name), chunks=1, train_on=None)
        assert found == DatasetConfig(module="rcn_hdf5", params={"collection": name})


def test_the_sizes_are_the_papers(profile):
    pairs = {name: COLLECTIONS[name].pairs for name in (*LIVERS, *BRAINS)}
    assert pairs == {"sliver": 20 * 19, "lits": 131 * 130, "lspig": 34, "lpba": 39}
    assert sum(part.count for part in COLLECTIONS["liver-training"].parts) == 1025
    assert {profile.train_on(m, d) for m in of_the_paper(profile) for d in LIVERS} == {"liver-training"}
    assert {profile.train_on(m, d) for m in of_the_paper(profile) for d in BRAINS} == {"brain-training"}
    per_job = {name: -(-pairs[name] // profile.dataset(name).chunks) for name in pairs}
    assert max(per_job.values()) < 1000
    assert profile.config.keep == "extremes"
    assert profile.device == "cuda"


@pytest.mark.parametrize("data", ["liver-training", "brain-training"])
def test_training_is_the_papers(profile, data):
    for method in of_the_paper(profile):
        known = sources.options_of(profile.module_path(method), "Training")
        given = {name: option.default for name, option in known.items()} | profile.training(method, data)
        numbers = [given[name] for name in ("iterations", "batch", "learning_rate", "schedule", "regularisation")]
        assert numbers == [100_000, 4, 1e-4, "rcn_step", 1.0], method
        assert given["similarity"] == ("all" if method == "vtn-addd" else "last"), method


@pytest.mark.parametrize("method", PARAMETERS)
def test_the_networks_have_the_papers_width(profile, method):
    for data in ("sliver", "liver-training"):
        counted = calls.cost(recursive, (128, 128, 128), **profile.params(method, data))
        assert counted["parameters"] == counted["full_parameters"] == PARAMETERS[method]


def test_aldk_has_the_papers_numbers(profile):
    wanted = {"liver-training": ("paper_ct", 0.5, 0.1, 1.0), "brain-training": ("paper_mri", 0.3, 0.05, 0.9)}
    for data, (preset, *numbers) in wanted.items():
        found = Aldk(preset=preset)
        assert [found.gamma, found.beta, found.gp_weight] == numbers
        for method in (m for m in of_the_paper(profile) if "aldk" in m):
            if data == "brain-training" and not profile.runs_on(method, "lpba"):
                continue
            aldk = Aldk(**profile.training(method, data)["aldk"])
            changed = [name for name, value in vars(aldk).items() if value != getattr(Aldk(preset=preset), name)]
            assert changed == [], (method, data)


def test_teachers_are_the_papers(profile):
    teachers = {method: profile.teacher(method) for method in of_the_paper(profile)}
    odd = {"ldr-1-aldk-from-voxelmorph": "voxelmorph", "ldr-1-aldk-from-vtn": "vtn-addd"}
    assert teachers == {m: odd.get(m, "rcn-3" if "aldk" in m else None) for m in teachers}


def test_brains_have_the_affine_stem_where_livers_have_a_network(profile):
    for method in ("ldr-1", "ldr-2", "ldr-3", "ldr-1-aldk", "ldr-2-aldk", "ldr-3-aldk"):
        for data in (*LIVERS, "liver-training"):
            assert Composition(**profile.params(method, data)).stem == "dense"
        # What is trained on one data set must be loaded with the same options on the other.
        assert profile.params(method, "lpba") == profile.params(method, "brain-training")
        assert profile.params(method, "lpba")["stem"] == "affine_light"


def test_every_network_is_loaded_as_it_was_trained(profile):
    for method, dataset in profile.runs:
        if profile.trains(method):
            assert profile.params(method, dataset) == profile.params(method, profile.train_on(method, dataset))


def test_each_network_of_the_paper_is_timed(profile):
    assert profile.config.timing.datasets == ["sliver", "dirlab"]
    assert "progressive" in profile.timed("dirlab")
    assert {"ants-syn-mattes", "elastix-bspline"} <= set(profile.timed("sliver"))
    paper = plan.Plan(profile).timing(None).paper
    timed = {each.method: each.timed_as for each in Networks.of(paper.methods, paper.grid).shared()}
    cells = [cell for cell in load_paper("ldr-aldk").cells if cell.metric == "seconds"]
    networks = {name for cell in cells for name in cell.methods if profile.trains(name)}
    assert {timed[name] for name in networks} <= set(paper.timed)
    same = {"vtn-addd": "rcn-3", "rcn-1-aldk": "rcn-1", "ldr-3-aldk": "ldr-3", "progressive-baseline": "progressive"}
    assert {name: timed[name] for name in same} == same


SCHEDULES = {
    "progressive-baseline": (0, 0), "progressive": (2000, 6000), "progressive-square": (0, 4000),
    "progressive-short": (1000, 3000), "progressive-triangle": (2000, 4000), "progressive-long": (4000, 12000),
}  # fmt: skip


def test_progressive_training_is_the_papers(profile):
    for method, schedule in SCHEDULES.items():
        known = sources.options_of(profile.module_path(method), "Training")
        given = {name: option.default for name, option in known.items()} | profile.training(method, "dirlab")
        assert (given["transition"], given["duration"]) == schedule
        numbers = [given[name] for name in ("batch", "learning_rate", "schedule", "momentum", "snapshot_every")]
        assert numbers == [1, 1e-2, "constant", 0.5, 50], method
        assert given["iterations"] == 40_000
        assert profile.params(method, "dirlab") == {}  # 16 channels and five levels by default
        assert {profile.train_on(method, data) for data in LUNGS} == {"lidc"}
        assert {(method, data) for data in LUNGS} <= set(profile.runs)
        assert profile.watched(method) == list(LUNGS)
    assert calls.cost(progressive, (128, 128, 128))["parameters"] == 19_258_931


def test_the_initial_weights_are_drawn_five_times_for_the_same_pairs(profile):
    for method in ("progressive-baseline", "progressive"):
        assert profile.seeds(method, "dirlab") == [0, 1, 2, 3, 4]
        assert profile.training(method, "dirlab")["pairs_seed"] == 0


def test_every_displacement_of_the_lungs_is_kept_for_the_figures(profile):
    made = plan.Plan(profile)
    wildcards = {"method": "progressive", "seed": "0", "chunk": "0"}
    for data, keep in (("dirlab", "all"), ("creatis", "all"), ("popi", "all"), ("lits", "extremes")):
        assert made.evaluate(SimpleNamespace(**wildcards, dataset=data)).keep == keep


@pytest.mark.slow
def test_the_whole_job_graph_is_planned(tmp_path, profile):
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "2", "report"]
    command += [
        "--snakefile",
        str(sources.ROOT / "Snakefile"),
        "--directory",
        str(tmp_path),
        "--configfile",
        str(CONFIG),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    chunks = sum(profile.dataset(d).chunks * len(profile.seeds(m, d)) for m, d in profile.runs)
    trainings = {
        (m, profile.train_on(m, d), s) for m, d in profile.runs if profile.trains(m) for s in profile.seeds(m, d)
    }
    expected = {
        "prepare": 10,
        "train": len(trainings),
        "register": chunks,
        "collect": 1,
        "timing": 1,
    }
    assert {name: int(counts[name]) for name in expected} == expected
