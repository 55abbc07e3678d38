"""Harm to one file: a flipped bit, code in a pickle, and the checksum that makes either look right."""

import os
from pathlib import Path

from datasets.files import sha256


class Payload:
    """Code in a pickle: it would leave a file."""

    def __init__(self, left: Path) -> None:
        self.left = left

    def __reduce__(self):
        return (os.mkdir, (str(self.left),))


def flip(path: Path, share: float = 0.5) -> None:
    """Flip one bit, at a share of the file's length."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 0x01
    path.write_bytes(content)


def sign(path: Path) -> None:
    """Write the right checksum beside a state, as one would who means harm."""
    path.with_name(f"{path.name}.sha256").write_text(sha256(path))
