"""Train one tiny network of each family, register with it, and print the checksums of weights and displacements.

As a program, since hash seed and the waiting of threads are settled when a process starts:
``python -m tests.faults.three_families FOLDER THREADS``.
"""

import hashlib
import importlib
import json
import sys
from itertools import product
from pathlib import Path

from datasets.case import open_dataset
from tests.faults import training_inputs as inputs
from workflows.running.options import build


def main() -> None:
    """Print a line of JSON: for each family and each of two seeds the checksums of weights and of a displacement."""
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    data = open_dataset(inputs.write_noise(folder))
    fixed, moving = data.image("a"), data.image("b")
    found = {family: [] for family in inputs.FAMILIES}
    for family, seed in product(inputs.FAMILIES, (0, 1)):
        spec = inputs.training(folder / family, family, seed=seed, data=data.folder)
        done, module = inputs.trained(spec, threads), importlib.import_module(f"methods.{family}")
        params = build(module.Params, spec.by.params)
        register = module.load(params, device="cpu", seed=seed, checkpoint=Path(done.checkpoint))
        displacement = register(fixed.array, moving.array, fixed.spacing)
        found[family].append([done.sha256, hashlib.sha256(displacement.tobytes()).hexdigest()])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
