"""Web pages that come in place of a file: told apart from data, and what they say in a few words."""

from __future__ import annotations

import re
from pathlib import Path

from datasets.files import one_line
from datasets.originals import unrecorded

HEAD = 2**16  # bytes that are looked at
# After a mark of UTF-8 and comments. No file of scans begins so.
_PAGE = re.compile(rb"(\xef\xbb\xbf)?(\s|<!--.*?-->)*<(!doctype\s+html|html|head|body|script|\?xml|error)", re.I | re.S)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>|<message>(.*?)</message>", re.I | re.S)
_SAID = {
    "a daily quota of this file is spent: open the address in a browser, signed in, or try again tomorrow": (
        rb"quota exceeded|exceeded.{0,40}quota|too many users have (viewed|accessed)|download quota"
    ),
    "a page that asks for a confirmation: open the address in a browser": (
        rb"virus scan warning|can'?t scan this file|cannot scan this file|download anyway"
    ),
    "a page that asks who you are: open the address in a browser, signed in": (
        rb"servicelogin|accounts\.google\.com|you need access|sign in|log ?in"
    ),
}


def page_in(head: bytes) -> str:
    """Return what a web page says that begins so, or "" where the bytes begin no web page."""
    if not _PAGE.match(head):
        return ""
    for meaning, words in _SAID.items():
        if re.search(words, head, re.IGNORECASE):
            return meaning
    found = _TITLE.search(head)
    title = one_line((found[1] or found[2] or b"").decode("utf-8", "replace"))[:100] if found else ""
    return f"it is titled {title!r}" if title else "it may say why in a browser"


def page_at(path: Path) -> str:
    """Return what a web page says that lies under the name of a file, or "" where it is none or cannot be read."""
    try:
        with unrecorded(), open(path, "rb") as stream:
            return page_in(stream.read(HEAD))
    except OSError:
        return ""
