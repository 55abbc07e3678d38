"""Whatever module or process reads an original file, the run sees when it has changed."""

import json
import shutil
import sys

import nibabel as nib
import numpy as np
import pytest

import datasets
from tests.faults.originals_inputs import SHAPE, look, put_pigs, rewrite
from tests.workflows import pipeline_inputs as pipeline
from workflows.planning.specs import PrepareSpec
from workflows.prepare import prepare
from workflows.running import stale

READERS = {
    "nibabel": "import nibabel as nib\nread = lambda path: nib.load(path).get_fdata()",
    "SimpleITK": "import SimpleITK as sitk\nread = lambda path: sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T",
    "a place of its own": "import nibabel as nib\nread = lambda path: nib.load(Path(MINE) / path.name).get_fdata()",
    "threads": "from multiprocessing.dummy import Pool\nimport nibabel as nib\n"
    "read = lambda path: Pool(1).map(lambda each: nib.load(Path(MINE) / each.name).get_fdata(), [path])[0]",
}
MODULE = """
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from datasets.case import Pair, Writer
from datasets.description import Description, TrainingSplit
{read}
@dataclass(frozen=True)
class Params:
    sources: tuple[str, ...] = ()

def prepare(folder, params, *, name):
    (Path(MINE).parent / "scratch").write_text("x")
    (Path(MINE).parent / "scratch").read_text()
    writer = Writer(folder)
    for case in "fm":
        array = read(Path(*params.sources) / f"{{case}}.nii")
        writer.image(case, array / array.max(), np.eye(4))
    writer.finish(Description(name=name, training=TrainingSplit(()), test=(Pair("f", "m"),)))
"""


@pytest.mark.fault(23)
@pytest.mark.parametrize("how", READERS)
def test_a_module_that_opens_files_itself_is_followed(tmp_path, monkeypatch, how):
    mine, rng = tmp_path / "mine", np.random.default_rng(0)
    mine.mkdir()
    for case in "fm":
        nib.save(nib.Nifti1Image(rng.random(SHAPE).astype("f4"), np.eye(4)), mine / f"{case}.nii")
    (tmp_path / "mine.py").write_text(MODULE.format(read=READERS[how]).replace("MINE", repr(str(mine))))
    monkeypatch.setattr(datasets, "__path__", [*datasets.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "datasets.mine", raising=False)
    sources = [] if "MINE" in READERS[how] else [str(mine)]
    spec = PrepareSpec(name="mine", module="mine", params={"sources": sources}, folder=tmp_path / "data" / "mine")
    prepare(spec)
    assert look(spec) == (0, "")
    record = json.loads(stale.record_of(spec.folder).read_bytes())
    assert set(record["files"]) == {str(mine / "f.nii"), str(mine / "m.nii")}
    nib.save(nib.Nifti1Image(rng.random(SHAPE).astype("f4"), np.eye(4)), mine / "m.nii")
    assert look(spec)[0] == 1
    prepare(spec)
    assert look(spec) == (1, "")


@pytest.mark.slow
@pytest.mark.fault(23)
def test_a_run_follows_its_data(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    path = put_pigs(tmp_path / "mine")
    config = {
        "profile": "tiny",
        "seeds": [0],
        "run": {"datasets": ["lspig"], "methods": ["identity"]},
        "timing": {"datasets": [], "pairs": 1, "rounds": 1},
        "datasets": {"lspig": {"params": {"source": str(path.parent)}}},
    }

    def run(*arguments):
        return pipeline.run(tmp_path, *arguments, config=config)

    def table():
        return (tmp_path / "results" / "tiny" / "metrics.parquet").read_bytes()

    done = run()
    assert done.returncode == 0, done.stderr
    first = table()
    rewrite(path, path.read_bytes())
    done = run()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr
    put_pigs(path.parent, seed=1)
    done = run("--dry-run")
    assert f"WarpBench: data set lspig: {path} has changed since it was prepared" in done.stderr
    assert table() == first
    path.write_bytes(path.read_bytes()[:500])
    for _ in range(2):  # what has failed is tried again, and the old table is no answer
        done = run()
        assert done.returncode != 0
        assert "not a readable HDF5 file" in done.stderr
    put_pigs(path.parent, seed=1)
    done = run()
    assert done.returncode == 0, done.stderr
    assert table() != first
    record = json.loads((tmp_path / "results" / "tiny" / "data" / "lspig.originals.json").read_bytes())
    assert list(record["files"]) == [str(path)]
    copy = tmp_path / "copy"  # without what Snakemake notes
    shutil.copytree(tmp_path / "results", copy / "results")
    before = pipeline.records(copy)
    path.write_bytes(path.read_bytes()[:500])
    for _ in range(2):
        assert "not a readable HDF5 file" in pipeline.run(copy, config=config).stderr
    put_pigs(path.parent, seed=2)
    done = pipeline.run(copy, config=config)
    assert done.returncode == 0, done.stderr
    assert (copy / "results" / "tiny" / "metrics.parquet").read_bytes() != table()
    assert {each["run"] for each in pipeline.records(copy)}.isdisjoint(each["run"] for each in before)
    done = pipeline.run(copy, config=config)
    assert "Nothing to be done" in done.stdout + done.stderr
    shutil.rmtree(path.parent)
    done = run()
    assert done.returncode == 0
    assert "can no longer be read; what was prepared from it is kept" in done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr
