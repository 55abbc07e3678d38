"""A local HTTP server that answers each request as a test has planned, and keeps what was asked and what was sent."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from datasets.transfer import Tries

CONTENT = np.random.default_rng(0).bytes(700_000)
SHA = hashlib.sha256(CONTENT).hexdigest()
QUICK = Tries(pause=0.001)
QUOTA_PAGE = (
    b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>Sorry, you can't view or "
    b"download this file at this time. Too many users have viewed or downloaded this file recently.</body></html>"
)


@dataclass
class Answer:
    """How a request is answered: the status, what is sent, and after how many bytes of it the connection breaks.

    ``ranges``: a request for the rest is heeded. ``length``: what the header says, where that is not the truth.
    ``pace``: seconds to wait after each 64 kB. ``headers``: further ones.
    """

    content: bytes = b""
    status: int = 200
    cut: int | None = None
    ranges: bool = True
    length: int | None = None
    pace: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """A request as it came, and how many bytes of content were handed to the connection."""

    path: str
    rest: str
    condition: str
    sent: int = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = Asked(self.path, self.headers.get("Range", ""), self.headers.get("If-Range", ""))
        self.server.asked.append(asked)
        plan = self.server.plan
        answer = plan.pop(0) if len(plan) > 1 else plan[0]
        start, whole = 0, answer.content
        same = not asked.condition or asked.condition == answer.headers.get("ETag")
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.rest)
        if answer.ranges and wanted and same and answer.status == 200:
            start = int(wanted[1])
        if start >= len(whole) > 0:
            self._head(416, 0, {"Content-Range": f"bytes */{len(whole)}"})
            return
        extra = {"Content-Range": f"bytes {start}-{len(whole) - 1}/{len(whole)}"} if start else {}
        body = whole[start:]
        length = len(body) if answer.length is None else answer.length
        self._head(206 if start else answer.status, length, {**extra, **answer.headers})
        self._send(asked, body if answer.cut is None else body[: answer.cut], answer.pace)

    def _head(self, status, length, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, asked, body, pace):
        try:
            for at in range(0, len(body), 2**16):
                piece = body[at : at + 2**16]
                asked.sent += len(piece)  # before it goes: who has the last byte may look at once
                self.wfile.write(piece)
                time.sleep(pace)
        except (BrokenPipeError, ConnectionResetError):  # who asked is gone
            pass

    def log_message(self, *args):
        pass


@contextmanager
def serving(*plan: Answer) -> Iterator[http.server.ThreadingHTTPServer]:
    """Serve at a free port: each request takes the next answer of the plan, those after the last the last."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.plan, server.asked = list(plan), []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def address(server: http.server.ThreadingHTTPServer, path: str = "/file.bin") -> str:
    """Return the address of a path of the server."""
    return f"http://127.0.0.1:{server.server_port}{path}"


def sha(content: bytes) -> str:
    """Return the checksum that a catalogue would have of a content."""
    return hashlib.sha256(content).hexdigest()


def parts(folder: Path) -> list[str]:
    """Return the names of all half-fetched files below a folder."""
    return sorted(path.name for path in folder.rglob("*.part*"))
