"""Picture files of single registrations: draw the planes of one and keep the file small."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from reports.drawing.registration import DPI, colours
from reports.drawing.style import style

LIMIT = 150_000  # bytes
SCALES = (1.0, 0.85, 0.7, 0.55, 0.45, 0.35)


def write_picture(figure: Figure, path: Path) -> None:
    """Write a figure as PNG of at most 150 kB (256 colours, drawn smaller when need be)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas, png = FigureCanvasAgg(figure), b""
    for dpi in (DPI, 0.88 * DPI, 0.76 * DPI):
        figure.set_dpi(dpi)
        with style():
            canvas.draw()
        png = _palette(_image(canvas), LIMIT, (1.0,))
        if len(png) <= LIMIT:
            break
    path.write_bytes(png if len(png) <= LIMIT else _palette(_image(canvas), LIMIT, SCALES))


def shrink(png: bytes, limit: int) -> bytes:
    """Return a picture as palette PNG of at most ``limit`` bytes where a third of its width suffices for that."""
    return _palette(Image.open(io.BytesIO(png)).convert("RGB"), limit, SCALES)


def _image(canvas: FigureCanvasAgg) -> Image.Image:
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _palette(image: Image.Image, limit: int, scales: Sequence[float]) -> bytes:
    palette = Image.new("P", (1, 1))
    palette.putpalette((255 * colours()).round().astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    for scale in scales:
        shape = [max(1, round(n * scale)) for n in image.size]
        small = image if scale == 1.0 else image.resize(shape, Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        small.quantize(palette=palette, dither=Image.Dither.NONE).save(buffer, format="PNG")
        if buffer.tell() <= limit:
            break
    return buffer.getvalue()
