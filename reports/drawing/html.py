"""Parts that let a page stand alone: SVG to put inline, pictures as data, references as links."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from markupsafe import Markup, escape

from reports.drawing.pictures import shrink
from reports.drawing.style import FOR, INK, KINDS, OPEN, PAPER, RULE, SOFT

_REFERENCE = re.compile(
    r"(?:doi:\s*|https?://(?:dx\.)?doi\.org/)(10\.[^\s,;]+)|arXiv:(\d{4}\.\d{4,5})|https?://[^\s,;)]+"
)
_VARIABLES = {INK: "var(--ink)", SOFT: "var(--soft)", RULE: "var(--rule)", PAPER: "var(--card)"}
_VARIABLES |= {KINDS["classical"][1]: "var(--orange)", KINDS["learned"][1]: "var(--blue)"}
_VARIABLES |= {FOR: "var(--green)", OPEN: "var(--yellow)"}


def inline_svg(svg: str, prefix: str, alt: str) -> Markup:
    """Return an SVG file's drawing for use inside a page: no metadata, ids of its own, the page's colours, a label."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', body)
    for ink, variable in _VARIABLES.items():
        body = body.replace(ink, variable)
    return Markup(body.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1))


def data_uri(path: Path | None, limit: int) -> str:
    """Return a PNG file as data URI, made smaller where the file exceeds ``limit`` bytes."""
    if path is None:
        return ""
    png = path.read_bytes()
    png = shrink(png, limit) if len(png) > limit else png
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def cite(text: str) -> Markup:
    """Return a text in which each DOI, arXiv number and web address is a link."""
    out, last = Markup(""), 0
    for found in _REFERENCE.finditer(text):
        doi, arxiv = found.groups()
        url = f"https://doi.org/{doi}" if doi else f"https://arxiv.org/abs/{arxiv}" if arxiv else found[0]
        out += escape(text[last : found.start()]) + Markup('<a href="{}">{}</a>').format(url, found[0])
        last = found.end()
    return out + escape(text[last:])
