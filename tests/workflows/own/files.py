"""A method of a user's own and its configuration, in a folder outside of the project: those that the docs show."""

import shutil
from pathlib import Path

from workflows.configuration.sources import ROOT

EXAMPLE = ROOT / "docs" / "own"


def copied(folder: Path) -> Path:
    """Copy the example to a folder; return its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("my_method.py", "my_method.yaml"):
        shutil.copy(EXAMPLE / name, folder)
    return folder / "my_method.yaml"


def changed(path: Path, *replacements: tuple[str, str]) -> Path:
    """Replace texts in a file, each of which must be there."""
    text = path.read_text(encoding="utf-8")
    for before, after in replacements:
        assert before in text
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")
    return path
