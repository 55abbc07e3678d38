"""What the data sets of a configuration need from outside, what of it is there, and the next step, as lines to read."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from datasets.files import DataError, one_line
from datasets.problem import WrongError
from datasets.room import in_words
from datasets.supply import Piece, Supply, listed
from workflows.configuration import sources
from workflows.configuration.settings import Settings
from workflows.planning.layout import Layout
from workflows.running.options import build

WIDTH = 118


@dataclass(frozen=True)
class Stock:
    """A data set by name: its ``module``, what it needs, and what kept that from being found out (``fault``).

    ``unfit``: it is there, and wrong. ``supply`` is None where the module says nothing of it. ``prepared``: a run in
    this folder has prepared it.
    """

    name: str
    module: str
    supply: Supply | None
    fault: str = ""
    prepared: Path | None = None
    unfit: bool = False

    @property
    def lack(self) -> str:
        """Why it cannot be prepared, and what to do, in a line; "" where nothing is known to be in the way."""
        return self.fault or (self.supply.lack() if self.supply else "")

    @property
    def drawn(self) -> bool:
        """Whether it needs nothing."""
        return self.supply is not None and not self.supply.pieces and not self.fault


def stock_of(settings: Settings, name: str, layout: Layout) -> Stock:
    """Return what there is of a data set; its options and the folders that it is looked for in may be at fault."""
    entry = settings.dataset(name)
    dotted = f"datasets.{entry.module}"
    path, about = sources.module_path(dotted), layout.description(name)
    prepared = about.parent if about.exists() else None
    if path is None or not sources.has_function(path, "supply"):
        return Stock(name, entry.module, None, prepared=prepared)
    module = importlib.import_module(dotted)
    try:
        return Stock(name, entry.module, module.supply(build(module.Params, entry.params)), prepared=prepared)
    except (DataError, ValueError, OSError) as error:
        return Stock(name, entry.module, None, one_line(error), prepared, unfit=isinstance(error, WrongError))


def lines(settings: Settings, layout: Layout, name: str | None = None) -> Iterator[str]:
    """Yield what holds for every data set, or for one with each of its files."""
    if name is not None:
        yield from _whole(stock_of(settings, name, layout), settings)
        return
    stocks = [stock_of(settings, each, layout) for each in settings.config.datasets]
    yield f"* marks what the profile {settings.profile} prepares; `show data NAME` lists files and checksums"
    drawn = [f"{_mark(stock, settings)}{stock.name}" for stock in stocks if stock.drawn]
    yield from ("", "Drawn here, offline: nothing to obtain")
    yield from _wrapped("", ", ".join(drawn))
    for stock in stocks:
        if not stock.drawn:
            yield ""
            yield from short(stock, settings)


def _mark(stock: Stock, settings: Settings) -> str:
    return "*" if stock.name in settings.prepared else ""


def short(stock: Stock, settings: Settings) -> Iterator[str]:
    """Yield the heading of a data set, its terms and size, what is there and what is not, and the next step."""
    yield f"{_mark(stock, settings)}{stock.name} ({stock.module}): {_state(stock)}"
    if (supply := stock.supply) is not None:
        there = [piece for piece in supply.pieces if piece.place is not None]
        yield from _wrapped("licence", supply.licence)
        yield from _wrapped("size", _size(supply.pieces))
        yield from _wrapped("present", ", ".join(piece.name for piece in there) or "nothing")
        yield from _wrapped("missing", listed(supply.missing) or "nothing")
    if stock.prepared is not None:
        yield from _wrapped("prepared", str(stock.prepared))
    yield from _wrapped("next", _next(stock))


def _whole(stock: Stock, settings: Settings) -> Iterator[str]:
    """Yield a data set and, a block each, its files."""
    yield from short(stock, settings)
    for piece in stock.supply.pieces if stock.supply else ():
        yield ""
        yield f"  {piece.name}"
        yield from _wrapped("  size", in_words(piece.size) if piece.size else "not known")
        yield from _wrapped("  checksum", piece.checksum or "none published")
        yield from _wrapped("  source", piece.source)
        yield from _wrapped("  place", str(piece.place) if piece.place else "missing")


def _state(stock: Stock) -> str:
    if stock.fault:
        return "is there, and wrong" if stock.unfit else "cannot be looked for"
    if stock.supply is None:
        return "its module does not say what it needs"
    if not (missing := stock.supply.missing):
        return "all there"
    by_hand = len(stock.supply.withheld)
    how = f"{by_hand} to be obtained by hand" if by_hand else "a run downloads them"
    return f"{len(missing)} of {len(stock.supply.pieces)} files missing, {how}"


def _size(pieces: Iterable[Piece]) -> str:
    known = [piece.size for piece in pieces if piece.size]
    return f"about {in_words(sum(known))}" if known else "not known"


def _next(stock: Stock) -> str:
    if stock.fault:
        return stock.fault
    if stock.supply is not None and stock.supply.withheld:
        return stock.supply.how
    if stock.supply is None or not stock.supply.missing:
        return "nothing: a run reads it"
    size = f" ({in_words(stock.supply.to_download)})" if stock.supply.to_download else ""
    return f"nothing: a run downloads what is missing{size}; or put it into {stock.supply.places}"


def _wrapped(title: str, text: str) -> list[str]:
    start = f"  {title:<10}  " if title else "  "
    wrapper = textwrap.TextWrapper(WIDTH, start, " " * len(start), break_on_hyphens=False, break_long_words=False)
    return wrapper.wrap(text)
