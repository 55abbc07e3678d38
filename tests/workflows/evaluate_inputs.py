"""A registered chunk with random displacements, and the specification of how it is judged."""

import json

import numpy as np

from datasets.files import write_displacement
from workflows.planning.specs import EvaluateSpec

DARK = 9
RUN = {
    "run": "r1", "dataset": "tiny", "method": "net", "seed": 0, "module": "methods.net", "params": "{}",
    "checkpoint_sha": "", "commit": "", "dirty": None, "started_utc": "", "cpu": "", "gpu": "", "threads": 1,
    "device": "cpu", "precision": "float32", "python": "", "platform": "", "load_average": None, "versions": "{}",
}  # fmt: skip


def registered_chunk(data, tmp_path):
    folder = tmp_path / "runs" / "tiny" / "net" / "seed0" / "chunk0"
    folder.mkdir(parents=True)
    rng, found = np.random.default_rng(5), []
    for pair in data.test_pairs:
        failed = pair.moving == "dark3"
        if not failed:
            image = data.image(pair.fixed)
            write_displacement(folder / pair.displacement_file, rng.normal(0, 1, (3, *image.array.shape)), image.affine)
        cost = {} if failed else {"seconds": 1.0, "peak_memory": 10.0}
        found.append(
            {
                "run": "r1",
                "pair": pair.name,
                "finished_utc": "",
                "process": 1,
                "status": "failed" if failed else "ok",
                "reason": "why" if failed else "",
                **cost,
            }
        )
    (folder / "registrations.json").write_text(json.dumps({"run": RUN, "cost": {"parameters": 3}, "pairs": found}))
    return data, folder


def spec(data, folder, keep="extremes", judge=()) -> EvaluateSpec:
    return EvaluateSpec(
        dataset="tiny",
        method="net",
        seed=0,
        chunk=0,
        chunks=1,
        data=data.folder,
        folder=folder,
        keep=keep,
        judge=list(judge),
    )


def kept(folder) -> set[str]:
    return {path.name for path in folder.glob("disp_*.nii.gz")}
