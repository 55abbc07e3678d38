"""What data sets need: ``python -m workflows.show data``, and the look ahead before the first job."""

import json
import subprocess
import sys

import numpy as np
import pytest

from datasets import download, room
from datasets.chest_ct import dirlab_packs
from datasets.rcn import drive, lists
from datasets.supply import Extent, Piece, Supply
from tests.workflows.pipeline_inputs import TINY, run
from workflows import show
from workflows.ahead import durations, lacking, preflight, supplies
from workflows.ahead.preflight import Job
from workflows.configuration.resolve import DEFAULT_PROFILE, read_yaml, resolve
from workflows.configuration.sources import ROOT, has_function, module_path
from workflows.planning import capacity
from workflows.planning.plan import Plan
from workflows.planning.wildcards import Wildcards

PAPER = str(DEFAULT_PROFILE.with_name("paper.yaml"))


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    """Nothing of any data set is here, and no package that fetches some."""
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    for package in ("gdown", "idc_index"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def shown(capsys, *arguments: str) -> str:
    show.main(["data", *arguments])
    return capsys.readouterr().out


def block(text: str, name: str) -> str:
    """The lines about a data set, as one line."""
    (found,) = [each for each in text.split("\n\n") if each.lstrip("*").startswith(f"{name} (")]
    return " ".join(found.split())


def plan_of(**config) -> Plan:
    return Plan(resolve(config))


def job(rule: str, dataset: str = "", method: str = "", took: float | None = None, chunk: str = "0") -> Job:
    return Job(rule, Wildcards(dataset, method, "0", chunk), took=took)


def test_every_data_set_of_the_catalogue_is_told_of(capsys, empty):
    text = shown(capsys, "--configfile", PAPER)
    catalogue = resolve({}).config.datasets
    words = set(text.replace(",", " ").replace("*", " ").split())
    assert set(catalogue) <= words
    assert "*sliver (" in text
    assert "*phantom" not in text
    silent = [
        name for name, entry in catalogue.items() if not has_function(module_path(f"datasets.{entry.module}"), "supply")
    ]
    assert text.count("its module does not say what it needs") == len(silent)
    said = block(text, "liver-training")
    assert "2 of 2 files missing, 2 to be obtained by hand licence none stated" in said
    assert 'missing msd_dataset.h5, youyi_liver.h5 from "MSD and BFH", https://drive.google.com/open?id=17Iiu' in said
    assert 'next pip install "gdown>=6" and run again, or download the archives in a browser' in said
    assert f"put it into {empty}/rcn_hdf5" in said
    assert "missing Case1Pack.zip, Case2Pack.zip" in block(text, "dirlab")
    assert "size about 2.01 GB" in block(text, "dirlab")
    assert "36 of 36 files missing, a run downloads them" in block(text, "creatis")
    assert "pip install idc-index" in block(text, "lidc")


def test_what_is_there_is_found_and_what_is_missing_is_all_named(capsys, empty, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    for file in ("brain_pair/test_scan.npz", "rcn_hdf5/any/msd_dataset.h5", "creatis/ng/mhd/00.mhd"):
        (mirror / file).parent.mkdir(parents=True, exist_ok=True)
        (mirror / file).write_bytes(b"x")
    monkeypatch.setenv("WARPBENCH_MIRROR", str(mirror))
    text = shown(capsys)
    assert "present test_scan.npz missing labels.npz from" in block(text, "brain-pair")
    assert "subject_1_vol.npz, subject_1_seg.npz from https://" in block(text, "brain-pair")
    assert 'present msd_dataset.h5 missing youyi_liver.h5 from "MSD and BFH"' in block(text, "liver-training")
    assert "35 of 36 files missing" in block(text, "creatis")
    one = shown(capsys, "brain-pair")
    assert f"place     {mirror / 'brain_pair' / 'test_scan.npz'}" in one
    assert "checksum  32b14f2d7027518d9b3689ca0bdb908a1ed402db1a61ff2eb4c8184a475b12e0" in one
    assert one.count("place     missing") == 3


def test_packages_that_fetch_change_the_next_step(capsys, monkeypatch):
    monkeypatch.setattr(drive, "can_fetch", lambda: True)
    assert "1 of 1 files missing, a run downloads them" in block(shown(capsys), "sliver")
    assert "next nothing: a run downloads what is missing (83.9 MB)" in block(shown(capsys), "sliver")


def test_a_folder_at_fault_is_told_of_beside_the_others(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "gone"))
    text = shown(capsys)
    assert "next WARPBENCH_MIRROR=" in block(text, "sliver")
    assert "Drawn here, offline: nothing to obtain\n  *phantom-liver" in text


def test_a_misspelt_data_set_is_answered_with_the_nearest():
    with pytest.raises(SystemExit, match="unknown data set 'slivr'; did you mean 'sliver'"):
        show.main(["data", "slivr"])


def test_it_needs_no_torch():
    code = (
        "import sys; from workflows import show; show.main(['data']); "
        "sys.exit(bool({'torch', 'ants', 'itk', 'numba', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).returncode == 0


def test_a_supply_names_every_file_of_one_origin_together():
    pieces = (
        Piece("a/1.raw", "https://x/y/a/1.raw", 1_500_000),
        Piece("a/2.raw", "https://x/y/a/2.raw", 500_000),
        Piece("form.zip", "the form at z"),
    )
    supply = Supply("none", pieces, "the folder p", ("fill it in",))
    assert supply.lack() == (
        "3 of 3 files missing: a/1.raw, a/2.raw from https://x/y/ (about 2 MB); form.zip from the form at z; to get "
        "them: fill it in; put it into the folder p"
    )


def test_every_missing_data_set_stops_a_run_and_only_those_that_it_prepares():
    plan = plan_of(run={"datasets": ["sliver", "dirlab", "phantom-liver", "brain-pair"], "methods": ["identity"]})
    jobs = [job("prepare", name) for name in ("sliver", "dirlab", "phantom-liver", "brain-pair")]
    found = preflight.problems(plan, jobs, 2)
    assert [line.partition(":")[0] for line in found] == ["data set sliver", "data set dirlab"]
    assert "Case10Pack.zip" in found[1]
    assert "or leave it out of run.datasets" in found[0]
    offered = preflight.problems(plan, jobs, 2, offer=lacking.OFFER)
    assert offered == [*found, lacking.OFFER]
    assert preflight.problems(plan, jobs[2:], 2, offer=lacking.OFFER) == []
    assert preflight.problems(plan, [job("register", "sliver", "identity")], 2) == []


def test_data_to_learn_from_alone_are_told_from_those_of_the_tables():
    plan = plan_of(
        run={"datasets": ["phantom-brain"], "methods": ["identity", "demons", "ldr-1", "voxelmorph"]},
        datasets={"phantom-brain": {"train_on": "learn2reg-oasis"}},
    )
    (found,) = preflight.problems(plan, [job("prepare", "learn2reg-oasis"), job("prepare", "phantom-brain")], 2)
    assert found.startswith("data set learn2reg-oasis: 1 of 1 files missing")
    assert "; or leave what learns from it out of run.methods: ldr-1, voxelmorph (" in found


def test_what_a_run_needs_is_counted():
    """By hand: phantom-liver of mini has 18 images of 64 x 64 x 32 voxels and 30 pairs."""
    plan = plan_of()
    voxels = 64 * 64 * 32
    need = preflight.disk(plan, [job("prepare", "phantom-liver"), job("register", "phantom-liver", "demons")], 2)
    assert need.results == voxels * (18 * 5 + 30 * 12) + voxels * 30 * 12
    assert need.cache == 0
    down = preflight.disk(plan, [job("prepare", "brain-pair")], 2)
    assert down.cache == 3616674 + 261 + 3129245 + 419353


def test_displacements_that_are_deleted_need_room_for_the_chunks_that_run_beside_each_other():
    plan = plan_of(keep="extremes", run={"datasets": ["phantom-liver"], "methods": ["identity", "demons"]})
    jobs = [job("register", "phantom-liver", method) for method in ("identity", "demons", "truth")]
    assert preflight.disk(plan, jobs, 2).results == 2 * 64 * 64 * 32 * 30 * 12


def test_a_full_disk_stops_a_run_before_it_begins(monkeypatch):
    plan = plan_of()
    jobs = [job("register", "phantom-liver", "demons")]
    need = preflight.disk(plan, jobs, 2).results
    monkeypatch.setattr(room, "free", lambda folder: need / 2 + 1)
    assert preflight.problems(plan, jobs, 2) == []
    monkeypatch.setattr(room, "free", lambda folder: need / 2 - 1)
    (line,) = preflight.problems(plan, jobs, 2)
    assert line.startswith("results: 23.6 MB do not fit into results/mini, where ")
    assert "make room, run in another --directory, or write `keep: extremes`" in line


def test_downloads_and_results_share_a_disk(monkeypatch):
    plan = plan_of(run={"datasets": ["brain-pair"], "methods": ["identity"]})
    jobs = [job("prepare", "brain-pair")]
    need = preflight.disk(plan, jobs, 2)
    monkeypatch.setattr(room, "free", lambda folder: need.cache + need.results / 2 - 1)
    assert len(preflight.problems(plan, jobs, 2)) == 1


def test_times_of_the_last_run_go_before_those_that_are_kept_and_the_rest_is_said_to_be_unknown():
    plan = plan_of()
    jobs = [
        job("prepare", "phantom-liver"),
        job("register", "phantom-liver", "demons", took=100.0),
        job("register", "phantom-liver", "identity", took=20.0),
        job("timing", took=300.0),
    ]
    said = preflight.forecast(plan, jobs, 2)
    assert said[0] == "4 jobs: 1 prepare, 2 register, 1 timing"
    assert said[2] == "time: about 7 min on 2 cores (3 jobs as before here; of 1 job no time is known)"


def test_times_of_the_kept_run_are_those_of_its_archive():
    kept = durations.stored("mini")
    where = Wildcards("phantom-liver", "demons", "0", "0")
    seconds = kept.of("register", where, 1)
    assert seconds is not None
    assert seconds > 1
    assert kept.of("register", where, 4) == seconds / 4
    assert kept.of("train", Wildcards("phantom-liver", "ldr-1", "0", ""), 1) > 1
    assert kept.of("timing", Wildcards("", "", "", ""), 1) > 10
    assert kept.of("prepare", where, 1) is None
    assert "as in reports/measured/mini, without starting" in preflight.forecast(plan_of(), [job("timing")], 2)[2]


def test_nothing_is_said_of_times_that_nobody_has_taken():
    plan = plan_of(**read_yaml(DEFAULT_PROFILE.with_name("smoke.yaml")))
    said = preflight.forecast(plan, [job("timing")], 2)[2]
    assert said == "time: not known: no run of this profile has left any times"


def test_data_sets_of_unknown_size_are_named(monkeypatch):
    monkeypatch.setattr(supplies, "stock_of", lambda settings, name, layout: supplies.Stock(name, "mine", None))
    said = preflight.forecast(plan_of(), [job("prepare", "phantom-liver")], 2)
    assert "0 bytes" not in said[1]
    assert said[1].endswith("are free below results/mini; what phantom-liver will take is known once prepared")


def test_all_problems_of_a_machine_come_together(monkeypatch):
    monkeypatch.setattr(capacity, "missing_device", lambda _: "no driver")
    monkeypatch.setattr(capacity, "lacks_bfloat16", lambda _: "none in hardware")
    settings = resolve({"device": "cuda", "methods": {"rcn-1": {"params": {"precision": "mixed"}}}})
    device, precision = capacity.problems(settings)
    assert "device: cuda cannot be used here (no driver)" in device
    assert "precision: mixed cannot be had here (none in hardware)" in precision


def test_a_run_that_cannot_end_starts_no_job(tmp_path):
    config = json.loads(json.dumps(TINY))
    config["run"] = {"datasets": ["phantom-liver", "sliver", "dirlab"], "methods": ["identity"]}
    done = run(tmp_path, config=config)
    said = [line for line in done.stderr.splitlines() if line.startswith("WarpBench: ")]
    assert done.returncode != 0
    assert [line.split(":")[1] for line in said[:2]] == [" data set sliver", " data set dirlab"]
    assert said[2] == f"WarpBench: {lacking.OFFER}"
    # What would be written counts too, and this machine's disk may be small.
    assert all("do not fit into results/tiny" in line for line in said[3:])
    assert not (tmp_path / "results" / "tiny" / "data").exists()


def test_extents_are_those_of_what_is_prepared():
    """Each importer's own count, against the published numbers."""
    settings = resolve({})
    layout = Plan(settings).layout
    voxels = 128**3
    expected = {
        "sliver": Extent(20, 380, voxels),
        "lits": Extent(131, 17030, voxels),
        "brain-training": Extent(2303, 0, voxels),
        "dirlab": Extent(20, 10, voxels),
        "creatis": Extent(12, 6, voxels),
        "popi": Extent(2, 1, voxels),
        "lidc": Extent(1010, 0, voxels),
        "brain-pair": Extent(2, 1, 160 * 192 * 224),
        "phantom-brain": Extent(19, 6, int(np.prod([48, 64, 48]))),
        "phantom-liver-paired": Extent(4, 4, 64 * 64 * 32),
        "phantom-dirlab": Extent(20, 10, 64 * 48 * 64),
    }
    found = {name: supplies.stock_of(settings, name, layout).supply.extent for name in expected}
    assert found == expected
    assert download.put_into("x").endswith("or the folder x of one that WARPBENCH_MIRROR names")


def test_the_page_has_the_facts_of_the_code():
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    for archive in set(lists.DRIVE.values()):
        assert archive.id in page
    assert "2.01 GB" in page
    assert room.in_words(sum(dirlab_packs.SIZES.values())) == "2.01 GB"
    assert room.in_words(room.SPARE) in page
