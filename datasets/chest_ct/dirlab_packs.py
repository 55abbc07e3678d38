"""The packs that DIR-Lab hands out: which files they hold, zipped or unpacked, and what they are called.

A pack is ``Case<n>Pack.zip``. Names inside are not uniform: case 8 unpacks to ``Case8Deploy``, images end in ``_s``,
``-s``, ``-ssm`` or nothing before ``.img``, landmark files are ``Case1_300_T00_xyz.txt`` up to case 5 and
``case6_dirLab300_T00_xyz.txt`` from there; so files are known by a pattern, at any depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from datasets.archives import Member, names_in_zip
from datasets.files import DataError
from datasets.found import search

FOLDER = "dirlab"  # below the mirror and the cache
FORM = (
    "https://med.emory.edu/departments/radiation-oncology/research-laboratories/deformable-image-registration/"
    "downloads-and-reference-data/4dct.html"
)
KINDS = {
    "image": re.compile(r"case0?(\d+)_T(\d\d)(?:[-_]s(?:sm)?)?\.img", re.IGNORECASE),
    "landmarks": re.compile(r"case0?(\d+)_(?:dirlab)?300_T(\d\d)_xyz\.txt", re.IGNORECASE),
}
PHASES = ("T00", "T50")
# SHA-256 as one public study recorded them; there is no official list, so others are said, not refused.
RECORDED = {
    1: "5589732668c3694e46a3c0eda4ccaceb4e634de08c633bcfb0362644caf1287a",
    2: "237b9cf423967f86149c3680029b7c6afae5c3e9b315c91a00d43953362717c8",
    3: "824d9cb93891a5fd73835aae28cd3b21cdb22c81f552f5fb958a06c63b6c76fc",
    4: "cd5603cb2611911f04b188dd1f26f988d6740fe077dba02734b7f50b344bda0e",
    5: "6bf6afffcc01b0039f84c4f4ab4dd9aae9807d35b217196430697865a8dbddc2",
    6: "a48a87ff5feee9decd8f7e27e2053de904977406e1f74e21b1247de4c40de916",
    7: "8154f7f84ad927a135df11e6c10d5db8d2f7a92d346cf17978ed8069a569389a",
    8: "29b5f777a5798e72a1ec1a089e0f3d4ee690bcdc4b62a78b8f83882037a35743",
    9: "138282e9ce4ab55093611456776a7ef7baa042d2a53a8da0d37f2579a1611a57",
    10: "c402b0d3f99a1fe470e758816a3f4d1f07248ac8f34bc0cf83cea239c6e410f0",
}
SIZES = {  # bytes, of the same record
    1: 77_006_951, 2: 93_396_266, 3: 85_769_449, 4: 84_395_602, 5: 87_097_616, 6: 322_431_318, 7: 333_591_361,
    8: 341_488_519, 9: 300_347_734, 10: 289_284_277,
}  # fmt: skip

Key = tuple[int, str, str]  # case, kind, phase


def find_members(places: Sequence[Path]) -> dict[Key, Member]:
    """Find the images and landmarks of both phases below some folders; the first that has a file gives it."""
    found: dict[Key, Member] = {}
    for place in places:
        here: dict[Key, Member] = {}
        for key, member in _members(place):
            if key in here:
                raise DataError(f"case {key[0]}, {key[1]} {key[2]} is there twice: {here[key]} and {member}; keep one")
            here[key] = member
        found = {**here, **found}
    return found


def missing_members(found: dict[Key, Member], cases: Sequence[int]) -> list[str]:
    """Return which files of some cases are missing, case by case."""
    files = [(kind, phase) for kind in KINDS for phase in PHASES]
    lost = {n: [f"{kind} {phase}" for kind, phase in files if (n, kind, phase) not in found] for n in cases}
    return [
        f"case {n}" + (f" ({', '.join(some)})" if len(some) < len(files) else "") for n, some in lost.items() if some
    ]


def _members(place: Path) -> Iterator[tuple[Key, Member]]:
    for path in search(place, "|".join([r".*\.zip", *(pattern.pattern for pattern in KINDS.values())])):
        if path.suffix.lower() == ".zip":
            yield from ((key, Member(path, name)) for name in names_in_zip(path) if (key := _key(name)))
        elif key := _key(path.name):
            yield key, Member(path)


def _key(name: str) -> Key | None:
    for kind, pattern in KINDS.items():
        match = pattern.fullmatch(name.replace("\\", "/").rpartition("/")[2])
        if match and f"T{match[2]}" in PHASES:
            return int(match[1]), kind, f"T{match[2]}"
    return None
