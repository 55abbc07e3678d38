"""`make gpu`, tried on the CPU at a tiny size by the code that runs on a GPU."""

import json
import signal
import subprocess
import sys
from importlib import import_module

import pytest
import torch

from methods import recursive
from workflows.configuration.resolve import CATALOGUE, read_yaml, resolve
from workflows.configuration.sources import ROOT
from workflows.gpu import networks, trains
from workflows.gpu.__main__ import main
from workflows.gpu.archive import Timing
from workflows.gpu.clock import Clock
from workflows.gpu.networks import NETWORKS
from workflows.running.options import build

TINY = ["--device", "cpu", "--size", "16", "--calls", "2", "--networks", "ldr-1-text", "mobilenet-aldk"]
ABSENT = "ants filelock itk jinja2 matplotlib msgspec numba pandas pooch psutil pyarrow requests SimpleITK tqdm yaml"


def read(path):
    return [next(iter(json.loads(line).items())) for line in path.read_text("utf-8").splitlines()]


def test_every_measurement_is_a_line_after_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "TEACHER", recursive.Params(channels=2))
    path = tmp_path / "new" / "archive.jsonl"
    main([*TINY, "--commit", "abc", "--to", str(path)])
    (kind, machine), *rows = read(path)
    assert (kind, machine["commit"], machine["device"]) == ("machine", "abc", "cpu")
    assert machine["torch"] == torch.__version__
    timed = [row for kind, row in rows if kind == "timing"]
    assert [(row["what"], row["network"]) for row in timed] == [
        ("registration", "ldr-1-text"),
        ("network", "ldr-1-text"),
        ("registration", "mobilenet-aldk"),
        ("network", "mobilenet-aldk"),
        ("step", "ldr-1-text"),
        ("step", "mobilenet-aldk"),
        ("taught step", "ldr-1-text"),
        ("taught step", "mobilenet-aldk"),
    ]
    for row in timed:
        assert (row["status"], row["calls"] >= 2, row["shape"]) == ("ok", True, [16, 16, 16])
        assert 0 < row["lower_ms"] <= row["median_ms"] <= row["upper_ms"]
        assert row["memory_mib"] is None  # of a GPU alone
    assert timed[0]["parameters"] == 1_548_528
    assert timed[0]["macs"] == recursive.cost((16, 16, 16), NETWORKS["ldr-1-text"])["macs"]


def test_nothing_begins_after_the_time_is_up(tmp_path):
    main([*TINY, "--seconds", "0", "--train", "1e-9", "--to", str(tmp_path / "archive.jsonl")])
    assert [kind for kind, _ in read(tmp_path / "archive.jsonl")] == ["machine"]


def test_a_kill_keeps_what_there_is_and_five_libraries_suffice(tmp_path):
    path = tmp_path / "archive.jsonl"
    without = f"import sys; sys.modules.update(dict.fromkeys({ABSENT.split()}))\n"
    command = f"{without}from workflows.gpu.__main__ import main; main({[*TINY, '--to', str(path)]})"
    child = subprocess.Popen([sys.executable, "-c", command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(3):  # the first line names the archive, each other one a measurement
        assert child.stdout.readline(), child.stderr.read().decode()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    kinds = [kind for kind, _ in read(path)]
    assert kinds[0] == "machine"
    assert kinds.count("timing") >= 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "tpu"], "error: --device tpu: unknown; cuda and cpu are known"),
        (["--networks", "rcn-9"], "error: --networks rcn-9: unknown; known are rcn-3, "),
        (["--size", "20"], "error: --size 20: must be a multiple of 16"),
        (["--calls", "0"], "error: --calls 0: must be at least 1"),
    ],
)
def test_what_cannot_be_measured_is_one_line(options, message, tmp_path):
    path = tmp_path / "archive.jsonl"
    with pytest.raises(SystemExit) as stop:
        main([*TINY, *options, "--to", str(path)])
    assert str(stop.value).startswith(message)
    assert "\n" not in str(stop.value)
    assert not path.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_gpu_nothing_is_measured(tmp_path):
    with pytest.raises(SystemExit, match=r"^error: --device cuda: torch .* sees no CUDA device here; nothing was"):
        main(["--to", str(tmp_path / "archive.jsonl")])
    assert not list(tmp_path.iterdir())


def test_an_archive_is_never_overwritten(tmp_path):
    path = tmp_path / "archive.jsonl"
    path.write_text("the only copy")
    with pytest.raises(SystemExit, match="exists already; results are never overwritten"):
        main([*TINY, "--to", str(path)])
    assert path.read_text() == "the only copy"


def test_a_network_that_does_not_fit_fails_alone():
    about = Timing(what="step", network="x", device="cpu", precision="float32", tuned=False, shape=(16, 16, 16))

    def make():
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")

    row = Clock("cpu", 2, 0.0, 0).time(about, make)
    assert (row.status, row.reason, row.median_ms) == ("failed", "CUDA out of memory. Tried to allocate 2 GiB", None)


def test_networks_are_the_catalogues_at_full_width():
    settings = resolve(read_yaml(CATALOGUE.parent / "paper.yaml"))
    of_catalogue = [name for name in NETWORKS if name in settings.config.methods]
    assert {"rcn-3", "ldr-3", "ldr-1-text", "voxelmorph", "vtn-addd", "unet-aldk", "progressive-baseline"} <= {
        *of_catalogue
    }
    for name in of_catalogue:
        module = import_module(f"methods.{settings.config.methods[name].module}")
        data = "dirlab" if name.startswith("progressive") else "sliver"
        assert build(module.Params, settings.params(name, data)) == NETWORKS[name], name


def test_trainings_end_with_dice_of_each_pair(tmp_path, monkeypatch):
    for name in ("TEACHER", "STUDENT"):
        monkeypatch.setattr(trains, name, recursive.Params(base="ldr_text", channels=2))
    monkeypatch.setattr(trains, "SUBJECTS", 2)
    monkeypatch.setattr(trains, "HELD_OUT", 2)
    trainings = "--seconds 0 --train 60 --train-size 16 --iterations 4 --batch 1 --seeds 2"
    main([*TINY, *trainings.split(), "--to", str(tmp_path / "archive.jsonl")])
    rows = [row for kind, row in read(tmp_path / "archive.jsonl") if kind == "trained"]
    arms = [(row["arm"], row["seed"]) for row in rows]
    assert arms[0][0] == "teacher"
    assert arms[1:] == [(arm, seed) for seed in (0, 1) for arm in ("aldk", "cut off", "plain")]
    assert [row["iterations"] for row in rows] == [12] + [4] * 6
    for row in rows:
        assert (row["precision"], row["shape"]) == ("float32", [16, 16, 16])
        assert list(row["after"]) == list(row["before"]) == ["test000__test001", "test001__test000"]
        assert all(0 < value <= 1 for value in [*row["before"].values(), *row["after"].values()])
    # Of equal first weights and pairs, the fourth step alone differs by arm.
    losses = {(row["arm"], row["seed"]): row["loss"] for row in rows}
    assert losses["aldk", 0] == losses["cut off", 0] == losses["plain", 0] != losses["plain", 1]
