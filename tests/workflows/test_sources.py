"""Options read from the text of a file: inherited, aliased, documented, and never imported."""

from workflows.configuration import sources

SHARED = """
from dataclasses import dataclass
from typing import Any, Literal

OPEN: Any = None
Side = Literal["left", "right"]


@dataclass(frozen=True)
class Inner:
    weight: float = 0.5  # how much


@dataclass(frozen=True)
class Common:
    rounds: int = 10  # how often
    # which side,
    # of two
    side: Side = "left"
"""
OWN = '''
from methods.shared import OPEN, Common, Inner

raise RuntimeError("a file whose options are read is not run")
LEAST = 3


@dataclass(frozen=True)
class Params(Common):
    """Not an option: ``text: str = "no"``."""

    rounds: int = 20
    sizes: tuple[int, ...] | None = None  # with a # in it
    least: int = LEAST  # by name
    width: int = OPEN  # follows another
    inner: Inner | None = None
    other: "Side" = "left"
    needed: float

    def __post_init__(self) -> None:
        inside: int = 3


def train(data, folder, params, *, watch=None): ...
'''


def options(tmp_path, monkeypatch):
    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "shared.py").write_text(SHARED)
    (folder / "own.py").write_text(OWN)
    found = {f"methods.{name}": folder / f"{name}.py" for name in ("shared", "own")}
    monkeypatch.setattr(sources, "module_path", lambda name, **_: found.get(name))
    return sources.options_of(folder / "own.py", "Params"), folder


def test_inherited_options_come_first_and_keep_their_meaning(tmp_path, monkeypatch):
    found, _ = options(tmp_path, monkeypatch)
    assert list(found) == ["rounds", "side", "sizes", "least", "width", "inner", "other", "needed"]
    assert (found["rounds"].default, found["rounds"].doc) == (20, "how often")
    assert found["side"].annotation == "Literal['left', 'right']"
    assert found["side"].doc == "which side, of two"


def test_defaults_are_literals_or_the_constants_they_name(tmp_path, monkeypatch):
    found, _ = options(tmp_path, monkeypatch)
    assert found["sizes"].default is None
    assert found["sizes"].doc == "with a # in it"
    assert (found["least"].default, found["width"].default, found["needed"].default) == (3, None, ...)


def test_options_of_a_dataclass_inside_are_read_too(tmp_path, monkeypatch):
    found, _ = options(tmp_path, monkeypatch)
    assert found["inner"].fields == {"weight": sources.Option("weight", "float", 0.5, "how much")}
    assert found["side"].fields is None


def test_what_is_not_there_has_no_options_and_no_parameters(tmp_path, monkeypatch):
    _, folder = options(tmp_path, monkeypatch)
    assert sources.options_of(folder / "own.py", "Training") == {}
    assert sources.parameters_of(folder / "own.py", "train") == {"data", "folder", "params", "watch"}
    assert sources.parameters_of(folder / "own.py", "cost") == set()
