"""The commands and scripts that README and docs/ tell a reader to type."""

import re
from dataclasses import dataclass
from pathlib import Path

from workflows.configuration.sources import ROOT

_FENCED = re.compile(r"^```(sh|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Typed:
    """What a page tells a reader to type, as it stands there without its comment."""

    page: str
    text: str


def commands() -> list[Typed]:
    """Return each command line of all pages; one that goes on after a backslash is one."""
    return [
        Typed(page.name, " ".join(command.split()))
        for page in PAGES
        for text in _blocks(page, "sh")
        for line in text.replace("\\\n", " ").splitlines()
        if (command := re.sub(r"(^|\s)#.*", "", line).strip())
    ]


def scripts(page: str) -> list[str]:
    """Return the Python scripts of a page."""
    return _blocks(ROOT / "docs" / page, "python")


def block(page: str, language: str) -> str:
    """Return the one block of a page that is in a language, such as yaml."""
    (text,) = all_blocks(page, language)
    return text


def all_blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a page that are in a language."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def _blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in _FENCED.findall(page.read_text(encoding="utf-8")) if found == language]
