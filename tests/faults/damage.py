"""Ways in which files are damaged: bits, cuts, wild numbers, lost and doubled lines, and gzip around all that."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from random import Random

WILD = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63, 2**64 - 1]
WORDS = [
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-1",
    "0",
    "",
    "1e-400",
    "9" * 40,
    "0x10",
    "1_0",
    "1,5",
    "True",
    "%d",
    "\0",
    "é",
    "\u0662",
]
NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def damaged(path: Path, rng: Random) -> bytes:
    """Return the content of a file with one to four faults in it."""
    content = path.read_bytes()
    if path.suffix == ".gz" and rng.random() < 0.7:
        return gzip.compress(_with_faults(gzip.decompress(content), rng), 1)
    if path.suffix == ".nii" or path.suffix == ".gz":
        return _with_faults(content, rng, head=400)
    return _with_faults(content, rng)


def _with_faults(content: bytes, rng: Random, head: int | None = None) -> bytes:
    text = b"\0" not in content
    for _ in range(rng.randint(1, 4)):
        fault = rng.choice(
            [_word, _line, _word, _line, _flip, _cut] if text else [_flip, _wild, _wild, _cut, _zeros, _copy]
        )
        reach = head if head and rng.random() < 0.8 else len(content)
        content = fault(content, rng, max(1, min(reach, len(content))))
        if not content:
            break
    return content


def _flip(content: bytes, rng: Random, reach: int) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _wild(content: bytes, rng: Random, reach: int) -> bytes:
    size = rng.choice([1, 2, 4, 8])
    number = (rng.choice(WILD) % 2 ** (8 * size)).to_bytes(size, rng.choice(["little", "big"]))
    at = rng.randrange(reach)
    return (content[:at] + number + content[at + size :])[: max(len(content), at + size)]


def _cut(content: bytes, rng: Random, reach: int) -> bytes:
    if rng.random() < 0.5:
        return content[: rng.randrange(len(content))]
    at = rng.randrange(reach)
    return content[:at] + content[at + rng.randint(1, 64) :]


def _zeros(content: bytes, rng: Random, reach: int) -> bytes:
    at, size = rng.randrange(reach), rng.randint(1, 64)
    return content[:at] + bytes(size) + content[at + size :]


def _copy(content: bytes, rng: Random, reach: int) -> bytes:
    at, to, size = rng.randrange(reach), rng.randrange(reach), rng.randint(1, 64)
    return content[:to] + content[at : at + size] + content[to + size * rng.randint(0, 1) :]


def _word(content: bytes, rng: Random, _: int) -> bytes:
    found = list(NUMBER.finditer(content)) or list(re.finditer(rb"\w+", content))
    if not found:
        return content
    chosen = rng.choice(found)
    return content[: chosen.start()] + rng.choice(WORDS).encode() + content[chosen.end() :]


def _line(content: bytes, rng: Random, _: int) -> bytes:
    lines = content.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    lines[at : at + 1] = rng.choice(
        [[], [lines[at]] * 2, [rng.choice(lines)], [lines[at].rstrip()], [b" " + lines[at]]]
    )
    return b"".join(lines)
