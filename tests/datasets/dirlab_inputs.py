"""Small packs in the genuine layout of DIR-Lab, sound or changed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from tests.datasets.chest_inputs import SHAPE, SPACING, draw_chest, landmarks

PHASES = {"T00": "inhale", "T50": "exhale"}
COUNT = 12
BEFORE = float(np.linalg.norm((landmarks()[0] - landmarks()[1]) * SPACING, axis=1).mean())


def members(number: int) -> dict[str, bytes]:
    """A pack as handed out: its names, slices from superior to inferior, landmarks from one in the stored axes."""
    root = "Case8Deploy" if number == 8 else f"Case{number}Pack"
    ending = {1: "_s", 2: "-s", 3: "-ssm", 4: "-ssm", 5: "-ssm"}.get(number, "")
    points = f"ExtremePhases/Case{number}_300" if number < 6 else f"extremePhases/case{number}_dirLab300"
    content = {f"{root}/Sampled4D/case{number}_4D-75_T00.txt": b"1\t1\t1\n"}
    for (phase, drawn), voxels in zip(PHASES.items(), landmarks(), strict=True):
        stored = (draw_chest(drawn) + 1024)[:, :, ::-1]
        rows = np.column_stack([voxels[:, :2] + 1, SHAPE[2] - voxels[:, 2]])
        content[f"{root}/Images/case{number}_{phase}{ending}.img"] = stored.transpose(2, 1, 0).astype("<i2").tobytes()
        content[f"{root}/{points}_{phase}_xyz.txt"] = "".join("{}\t{}\t{} \r\n".format(*row) for row in rows).encode()
    return content


def put(folder: Path, number: int, *, unpacked: bool = False, **changes) -> Path:
    """Write a pack; ``changes`` map a part of a member's name to a function of its bytes, None leaves it out."""
    content = members(number)
    for part, change in changes.items():
        name = next(name for name in content if part in name)
        content[name] = change(content[name]) if change else None
    content = {name: data for name, data in content.items() if data is not None}
    if unpacked:
        for name, data in content.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder
    path = folder / f"Case{number}Pack.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._case1_T00.img", b"")
        for name, data in content.items():
            archive.writestr(name, data)
    return path
