"""Blocks that move by known steps, and a paper's run that draws them."""

import numpy as np

from datasets.case import Pair, Truth, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import write_displacement
from reports.reading import registrations
from tests.reports.paper.paper_inputs import layout, make_run, varied
from tests.reports.report_inputs import row

OVERLAYS = {
    "number": 8,
    "kind": "colour_overlays",
    "caption": "Overlays.",
    "dataset": "one",
    "pairs": [1, 2],
    "methods": ["syn", "net"],
}
CORRELATION = {
    "number": 9,
    "kind": "landmark_correlation",
    "caption": "Points.",
    "datasets": ["one", "two"],
    "methods": ["syn", "net"],
}
SHAPE, AFFINE = (12, 10, 8), np.diag([1.0, 1.5, 2.0, 1.0])  # axes to the right, to the front, to the head
PAIRS = [Pair("f0", "m0"), Pair("f1", "m1")]
SHIFT = np.array([2, 0, 1])  # voxels that moving blocks and landmarks lie further
LANDMARKS = np.array([[3.0, 2, 2], [5, 4, 3], [6, 4, 5], [4, 8, 4]])
STEPS = SHIFT + np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 2]])  # of the landmarks, in voxels


def write_blocks(folder, affine=AFFINE):
    writer = Writer(folder / "lungs")
    for pair in PAIRS:
        for case, offset in ((pair.fixed, 0), (pair.moving, SHIFT)):
            image = np.zeros(SHAPE)
            image[3:7, 2:8, 2:6] = 0.6
            writer.image(case, np.roll(image, offset, axis=(0, 1, 2)), affine)
        writer.landmarks(pair, LANDMARKS, LANDMARKS + STEPS)
    split = TrainingSplit(())
    writer.finish(Description(name="lungs", title="Blocks", phantom=True, training=split, test=tuple(PAIRS)))
    return open_dataset(folder / "lungs")


def block_rows(method, tre, seeds=(0, 1)):
    return [
        row(
            "lungs",
            pair.name,
            method,
            metric,
            value,
            seed=seed,
            unit="mm",
            **({"protocol": "continuous"} if metric == "tre" else {}),
        )
        for pair in PAIRS
        for seed in seeds
        for metric, value in (("seconds", 1.0), ("tre", tre if seed == 0 else 77.0))
    ]


def block_run(tmp_path, figures=(OVERLAYS,), rows=None):
    """``syn`` leaves the moving image as it is, ``net`` undoes the shift."""
    rows = block_rows("identity", 6, (0,)) + block_rows("syn", 5) + block_rows("net", 1.25) if rows is None else rows
    data = write_blocks(tmp_path)

    def displacement_path(dataset, method, seed, pair):
        path = tmp_path / f"{dataset}-{method}-{seed}-{pair}.nii.gz"
        u = np.zeros((3, *SHAPE), np.float32) + (SHIFT if method == "net" else 0 * SHIFT)[:, None, None, None]
        write_displacement(path, u, AFFINE)
        return path

    paper_run = make_run(tmp_path, rows, plays={}, layout={**layout(), "figures": list(figures)})
    return varied(
        paper_run,
        plays={"one": data},
        displacement_path=displacement_path,
        landmarks=lambda _, pair: Truth(data.folder).landmarks(Pair.from_name(pair)),
    )


def svg_of(drawn):
    return drawn.with_name(f"{drawn.name}.svg").read_text(encoding="utf-8")


def kept(paper_run, method, pair):
    return registrations.kept(paper_run.run, paper_run.run.pictures.volumes, pair, dataset="lungs", method=method)
