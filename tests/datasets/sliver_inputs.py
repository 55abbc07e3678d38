"""Small scans as SLIVER07 has them: MetaImage without orientation."""

import numpy as np
from scipy import ndimage

SHAPE, SPACING = (30, 26, 20), (0.7, 0.8, 1.5)
THREE = [number for number in range(1, 21) if number not in (1, 2, 5)]
OPTIONS = {"exclude": THREE, "shape": [18, 14, 16], "spacing": 1.3}
HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
DimSize = {}
ElementSpacing = {}
ElementType = {}
ElementDataFile = {}
"""


def scan(seed):
    """Return HU and the liver ``(x, y, z)`` of a body with lungs above its liver, which lies on the right."""
    i, j, k = np.indices(SHAPE)
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).random(SHAPE), 1)
    liver = ((i - 10 - seed % 2) / 6) ** 2 + ((j - 12) / 6) ** 2 + ((k - 8) / 5) ** 2 < 1
    body = ((i - 15) / 14) ** 2 + ((j - 13) / 12) ** 2 < 1
    lung = body & (k > 9) & ~liver & (((i - 15) / 11) ** 2 + ((j - 13) / 9) ** 2 < 1)
    hu = np.where(body, 300 * smooth - 100 + 80 * liver, -1000)
    hu[lung] = -850
    return hu.round().astype("<i2"), liver.astype("u1")


def files(number, turn=()):
    """Return the four files of a scan by name, its axes turned though no header says so."""
    found = {}
    for stem, kind, values in zip(("orig", "seg"), ("MET_SHORT", "MET_UCHAR"), scan(number), strict=True):
        name = f"liver-{stem}{number:03d}"
        sizes = " ".join(map(str, SHAPE)), " ".join(map(str, SPACING))
        found[f"{name}.mhd"] = HEADER.format(*sizes, kind, f"{name}.raw").encode()
        found[f"{name}.raw"] = np.flip(values, turn).tobytes(order="F")
    return found


def put(place, *numbers, **turns):
    place.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        for name, content in files(number, turns.get(f"n{number}", ())).items():
            (place / name).write_bytes(content)
