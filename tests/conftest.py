"""Small prepared data sets for the tests of the pipeline."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from datasets.case import Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from reports.reading.trainings import Training
from tests.reports.report_inputs import build, small_metrics, timing_frame, write_dataset
from workflows.planning.specs import MethodSpec, RegisterSpec, RunSpec

# A first call may compile, and the machine may be busy: no clock fails a test. Nor does chance: examples are the same
# in every run; `--hypothesis-profile searching` draws others.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("searching", CALM)
settings.register_profile("calm", CALM, derandomize=True)
settings.load_profile("calm")

AFFINE = np.diag([-1.5, -1.0, 2.0, 1.0])
SHAPE = (10, 12, 14)


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests a folder of their own for temporary files: what is killed leaves some behind.

    The lock of those who measure speed lies there too, so that no test waits for a run elsewhere on this machine.
    """
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # what tests write by themselves is kept
    own = tempfile.TemporaryDirectory(prefix="warpbench-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(own.cleanup)
    os.environ["TMPDIR"] = tempfile.tempdir = own.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files marked ``early`` begin first: they take long, and no core should wait for one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


@pytest.fixture(autouse=True)
def large_disk(monkeypatch):
    """Let every disk have a terabyte free, so that no test hangs on this machine's; a full disk is a test's own."""
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda there: real(there)._replace(free=10**12))


@pytest.fixture
def make_dataset(tmp_path):
    """Return a function that writes a tiny prepared data set with a bright case and as many dark ones as wanted."""

    def make(dark: int = 1, bright: int = 1, name: str = "tiny"):
        folder = tmp_path / name
        rng = np.random.default_rng(0)
        writer = Writer(folder)
        cases = [f"dark{n}" for n in range(dark)] + [f"bright{n}" for n in range(bright)]
        for case in ["fixed", *cases]:
            top = 0.4 if case.startswith("dark") else 1.0
            writer.image(case, rng.random(SHAPE) * top, AFFINE)
            writer.labels(case, rng.integers(0, 3, SHAPE), AFFINE)
        pairs = [Pair("fixed", case) for case in cases]
        writer.finish(description(name, pairs))
        return open_dataset(folder)

    return make


def description(name: str, pairs: list[Pair]) -> Description:
    return Description(
        name=name,
        title=name,
        phantom=True,
        labels={1: "one", 2: "two"},
        evaluated_labels=(1, 2),
        training=TrainingSplit(()),
        test=tuple(pairs),
    )


@pytest.fixture
def registration(tmp_path):
    """Return a function that makes the specification of `workflows.register` for a data set and a module."""

    def make(data, module: str = "tests.workflows.faulty", *, folder: str = "run", time_limit: float = 60, **params):
        by = MethodSpec(method="method", module=module, params=params, device="cpu", seed=0, libraries={})
        run = RunSpec(by=by, dataset=data.name, data=data.folder, training=None, time_limit=time_limit)
        sources = [Path(__file__).parent / "workflows" / "faulty.py"]
        return RegisterSpec(run=run, chunk=0, chunks=1, sources=sources, folder=tmp_path / folder)

    return make


@pytest.fixture
def one_thread():
    """Threads that share layers this small wait for each other far longer than they work, on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def noise(tmp_path_factory):
    """Three images of noise to train on, of a grid that is no multiple of 16."""
    folder, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    writer = Writer(folder)
    for case in ("a", "b", "c"):
        writer.image(case, rng.random((16, 14, 30), dtype=np.float32), np.eye(4))
    writer.finish(Description(name="noise", training=TrainingSplit(("a", "b", "c")), test=()))
    return open_dataset(folder)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A report built from made-up inputs: its folder, and the data sets by name."""
    folder = tmp_path_factory.mktemp("report")
    datasets = {
        "shells": write_dataset(folder, "shells", phantom=True, n_pairs=3),
        "real": write_dataset(folder, "real", phantom=False, n_pairs=1),
    }
    curve = pd.DataFrame({"iteration": range(50), "total": np.exp(-np.arange(50) / 9)})
    curve.to_json(folder / "curve.jsonl", orient="records", lines=True, double_precision=15)
    trainings = [Training("net", "shells", 0, "ok", "", folder)]
    report = build(folder, small_metrics(), datasets, timing=timing_frame(), trainings=trainings)
    return report, datasets
