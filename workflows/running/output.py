"""What a method prints: kept in a log up to a limit, its last lines in memory too."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass, field
from pathlib import Path

from datasets.files import one_line

LOG_LIMIT = 2_000_000  # bytes of a method's own output that are kept
RECENT = 10_000  # bytes of it in memory


@dataclass
class Output:
    """The output of a child. It is read to its end whatever becomes of the log, so that the child never blocks.

    ``fault`` is the error that kept it out of the log.
    """

    stream: io.BufferedReader
    log: Path
    fault: OSError | None = None
    _recent: bytes = b""
    _reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        """Begin to read."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def last_lines(self, count: int = 20) -> list[str]:
        """Return the last lines of a child that has ended."""
        self._reader.join(timeout=2)
        lines = [one_line(line)[:300] for line in self._recent.decode(errors="replace").splitlines()]
        return [line for line in lines if line][-count:]

    def _read(self) -> None:
        try:
            with open(self.log, "ab") as target:
                self._copy(target)
        except OSError as error:
            self.fault = error
            while part := self.stream.read1(65536):
                self._note(part)
        self.stream.close()

    def _copy(self, target: io.BufferedWriter) -> None:
        room = LOG_LIMIT - target.tell()
        while part := self.stream.read1(65536):
            self._note(part)
            if room > 0:
                target.write(part[:room])
                target.flush()
                room -= len(part)
                if room <= 0:
                    target.write(b"\n[output beyond the limit is not kept]\n")

    def _note(self, part: bytes) -> None:
        self._recent = (self._recent + part)[-RECENT:]
