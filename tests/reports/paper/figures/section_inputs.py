"""Blocks that move by a known shift, and runs that draw sections and cascades of them."""

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from PIL import Image

from datasets.case import Truth, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import write_displacement
from tests.reports.paper.paper_inputs import dice_rows, layout, make_run, timing, varied
from tests.reports.report_inputs import row

CASCADES = {
    "number": 5,
    "kind": "accuracy_time_by_cascade",
    "caption": "Lines & bars.",
    "dataset": "one",
    "table": 1,
    "series": [{"label": "One <net>", "methods": ["syn", "net"]}],
}
SECTIONS = {
    "number": 6,
    "kind": "sections",
    "caption": "Sections.",
    "dataset": "one",
    "methods": ["syn", "net"],
    "moving": 5,
}
SHAPE, AFFINE = (12, 10, 8), np.diag([1.0, 1.5, 2.0, 1.0])  # axes to the right, to the front, to the head
SHIFT = 2  # voxels that the moving blocks lie further along axis 0


def toy(tmp_path, figures, rows=(), *, plays=None, times=None, methods=("syn", "net")):
    return make_run(
        tmp_path,
        list(rows),
        plays={"one": "shells"} if plays is None else plays,
        timing=times,
        methods=methods,
        layout={**layout(), "figures": list(figures)},
    )


def filled(tmp_path, **more):
    rows = dice_rows("shells", "syn", [0.5, 0.6, 0.7]) + dice_rows("shells", "net", [0.8, 0.85, 0.9])
    times = pd.concat([timing("syn", [3.0, 5.0, 4.0], dataset="shells"), timing("net", [0.25], dataset="shells")])
    return toy(tmp_path, [CASCADES], rows, **{"times": times, **more})


def svg_of(drawn):
    return drawn.with_name(f"{drawn.name}.svg").read_text(encoding="utf-8")


def blocks(offset=0, labels=True):
    """A block of label 1, largest in plane 4 of axis 2, ``offset`` voxels along axis 0; label 2 is not evaluated."""
    volume = np.zeros(SHAPE, int)
    volume[3 + offset : 7 + offset, 2:8, 2:6] = 1
    volume[2 + offset : 8 + offset, 1:9, 4] = 1
    volume[0, 0, :] = 2
    return volume if labels else 0.5 * (volume > 0) + 0.1


def write_blocks(folder, pairs):
    writer = Writer(folder / "shells")
    for case in dict.fromkeys(case for pair in pairs for case in (pair.fixed, pair.moving)):
        offset = 0 if case.startswith("f") else SHIFT
        writer.image(case, blocks(offset, labels=False), AFFINE)
        writer.labels(case, blocks(offset), AFFINE)
    titled = {"name": "shells", "title": "Blocks", "phantom": True, "evaluated_labels": (1,)}
    writer.finish(Description(**titled, training=TrainingSplit(()), test=tuple(pairs)))
    return open_dataset(folder / "shells")


def block_run(tmp_path, pairs, figures=(SECTIONS,), methods=("syn", "net")):
    """``syn`` leaves the moving image as it is, ``net`` undoes the shift."""
    rows = [
        row("shells", pair.name, method, metric, value, unit="1", seed=seed)
        for pair in pairs
        for method, dice in (("syn", 0.6), ("net", 1.0))
        for seed in (3, 4)
        for metric, value in (("seconds", 1.0), ("dice", dice if seed == 3 else 0.111))
    ]
    data = write_blocks(tmp_path / "blocks", pairs)

    def displacement_path(dataset, method, seed, pair):
        path = tmp_path / f"{dataset}-{method}-{seed}-{pair}.nii.gz"
        u = np.zeros((3, *SHAPE), np.float32)
        u[0] = SHIFT if method == "net" else 0
        write_displacement(path, u, AFFINE)
        return path

    paper_run = toy(tmp_path, figures, rows, plays={}, methods=methods)
    return varied(
        paper_run,
        plays={"one": data},
        displacement_path=displacement_path,
        labels=lambda dataset, case: Truth(data.folder).labels(case),
    )


def pixels_of(path):
    return np.asarray(Image.open(path.with_name(f"{path.name}.png")).convert("RGB")).astype(int)


def count(pixels, colour):
    return int(np.all(pixels == np.round(255 * np.array(to_rgb(colour))), axis=-1).sum())
