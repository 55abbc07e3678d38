"""The look of every figure: colours, type, and how a figure becomes an SVG and a PNG file.

Readable in black and white (markers and lines differ) and with colour blindness (Okabe and Ito's colours). Inks are
fixed hex codes, which the page swaps for its dark colours.
"""

from __future__ import annotations

import io
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.typing import RcKeyType

INK, SOFT, RULE, PAPER = "#1b2431", "#5b6675", "#d8dee6", "#fefefe"
KINDS: Mapping[str, tuple[str, str]] = {
    "classical": ("s", "#d55e00"),
    "learned": ("o", "#0072b2"),
    "given": ("^", "#cc79a7"),
    "control": ("D", "#7a8594"),
}
FOR, AGAINST, OPEN = "#009e73", KINDS["classical"][1], "#b07c00"  # a verdict for a paper, against it, and neither
_STYLE: dict[RcKeyType, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9, "svg.fonttype": "none",
    "svg.hashsalt": "warpbench", "text.color": INK, "axes.edgecolor": SOFT, "axes.labelcolor": INK,
    "xtick.color": SOFT, "ytick.color": SOFT, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": RULE,
    "grid.linewidth": 0.7, "axes.axisbelow": True, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "figure.facecolor": PAPER, "axes.facecolor": PAPER, "legend.frameon": False,
    "axes.linewidth": 0.8, "axes.labelsize": 9, "mathtext.default": "regular", "text.parse_math": False,
}  # fmt: skip


@contextmanager
def style() -> Generator[None]:
    """Draw in this look what is drawn in the body of a ``with`` statement, whatever a matplotlibrc file says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def constrained(width: float, height: float, *, w_pad: float | None = None, h_pad: float | None = None) -> Figure:
    """Return a figure that makes room for its texts by itself; its size and the pads around its axes are in inches."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=w_pad, h_pad=h_pad))
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, folder: Path, name: str, dpi: int = 150) -> None:
    """Write a figure as ``<name>.svg`` and ``<name>.png``, without a date, so that equal input gives equal files.

    Its parts are laid out once, for both.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    with style():
        figure.savefig(folder / f"{name}.png", dpi=dpi, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
        if figure.get_layout_engine() is not None:
            figure.set_layout_engine("none")
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    (folder / f"{name}.svg").write_text(_numbered(text.getvalue()), encoding="utf-8", newline="\n")


def _numbered(svg: str) -> str:
    """Return an SVG with its clip paths named by their order: matplotlib names some after a place in memory."""
    found = dict.fromkeys(re.findall(r'<clipPath id="(p[0-9a-f]{10})"', svg))
    names = {name: f"clip{place}" for place, name in enumerate(found)}
    return re.sub(r"\bp[0-9a-f]{10}\b", lambda match: names.get(match[0], match[0]), svg)
