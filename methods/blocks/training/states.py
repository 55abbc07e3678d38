"""Training states written beside the training: 300 MB take two seconds, in which the next iterations can run.

What is written is a copy, so that it holds the weights of its iteration; how it is written is
`methods.blocks.training.checkpoint.save_state`, whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

from methods.blocks.training import checkpoint


class StateWriter:
    """Writes the states of one training into ``folder``, in a thread, one at a time.

    A context that is left once the last state is on disk. What went wrong in the thread is raised by the next call, or
    at the end: also in place of another error, which a training that had waited for its states would not have met.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="states")
        self._writing: Future[None] | None = None

    def write(self, state: Mapping[str, object]) -> None:
        """Copy a state and begin to write it; wait for the one before, so that one copy is held at most."""
        self._wait()
        self._writing = self._thread.submit(checkpoint.save_state, self.folder, _copied(state))

    def check(self) -> None:
        """Raise what a write that has ended met, without waiting for one that has not."""
        if self._writing is not None and self._writing.done():
            self._wait()

    def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def __enter__(self) -> StateWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        if kind is None or issubclass(kind, Exception):  # somebody who stops a training gets no other reason
            self._wait()


def _copied(value: Any) -> Any:
    """Return a state whose tensors are copies on the CPU, in the order in memory that they had."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
