"""Weights and training states on disk: written whole or not at all, read without unpickling, refused in one line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from datasets.files import replacing, sha256

log = logging.getLogger(__name__)
KEPT = 2
WEIGHTS = "weights.safetensors"  # the name of the checkpoint in a training's folder
ABOUT = "about"
STATE = "state-{:09d}.pt"


class CheckpointError(ValueError):
    """A checkpoint that does not fit or cannot be read: the message says which file and why."""


def save_weights(path: Path, model: nn.Module, metadata: Mapping[str, object]) -> Path:
    """Write a model as safetensors with ``metadata`` as JSON; the same model and metadata give the same bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    header = {ABOUT: json.dumps(metadata, sort_keys=True)}  # one key: safetensors writes several in random order
    with replacing(path) as temporary:
        save_file(tensors, temporary, header)
    return path


def load_checkpoint(path: Path, model: nn.Module, *, expected: Mapping[str, object]) -> None:
    """Fill ``model`` from a safetensors file; raise `CheckpointError` unless it fits exactly.

    ``expected`` is metadata that the file must carry, such as ``{"method": "ldr", "params": {...}}``.
    """
    tensors, metadata = _read_weights(path)
    for key, value in expected.items():
        if metadata.get(key) != value:
            raise CheckpointError(f"{path}: {key} is {metadata.get(key)!r} in the checkpoint, expected {value!r}")
    own = model.state_dict()
    if odd := sorted(own.keys() ^ tensors.keys()):
        raise CheckpointError(f"{path}: {len(odd)} tensor names do not match the network, the first is {odd[0]!r}")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise CheckpointError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, expected {tuple(own[name].shape)}; "
                "was it trained with other params?"
            )
        if not tensor.isfinite().all():
            raise CheckpointError(f"{path}: {name} holds NaN or infinite values")
    model.load_state_dict(tensors)


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata that `save_weights` wrote, and the file's own sha256."""
    with _opened(path) as file:
        return {**_metadata(file), "sha256": sha256(path)}


def _read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, _metadata(file)  # noqa: SIM118 (not a mapping)


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise CheckpointError(f"{path}: not a safetensors checkpoint of this suite, or truncated ({error})") from error


def _metadata(file: safe_open) -> dict[str, Any]:
    return json.loads((file.metadata() or {}).get(ABOUT, "{}"))


def save_state(folder: Path, state: Mapping[str, object]) -> None:
    """Write a training state and its checksum, then drop all but the newest two; ``state["iteration"]`` names it."""
    path = folder / STATE.format(state["iteration"])
    with replacing(path) as temporary:
        torch.save(dict(state), temporary)
    with replacing(_sidecar(path)) as temporary:
        temporary.write_text(sha256(path))
    for old in _states(folder)[KEPT:]:
        old.unlink()
        _sidecar(old).unlink(missing_ok=True)


def newest_state(folder: Path) -> dict[str, Any] | None:
    """Return the newest training state whose checksum holds, its tensors on the CPU, or None."""
    for path in _states(folder):
        sidecar = _sidecar(path)
        if sidecar.exists() and sidecar.read_text(encoding="utf-8").strip() == sha256(path):
            return torch.load(path, map_location="cpu", weights_only=True)
        log.warning("%s: checksum missing or wrong, perhaps cut short; falling back to the state before it", path)
    return None


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob(STATE.format(0).replace("0" * 9, "*")), reverse=True)


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
