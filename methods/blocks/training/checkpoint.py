"""Weights and training states on disk: written whole or not at all, read without unpickling, refused in one line."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from datasets.files import DataError, one_line, replacing, sha256

log = logging.getLogger(__name__)
KEPT = 2
WEIGHTS = "weights.safetensors"  # the name of the checkpoint in a training's folder
ABOUT = "about"
STATE = "state-{:09d}.pt"
State = dict[str, Any]
PARTS = {"iteration", "seconds", "run", "modules", "optimisers"}  # of a training state
BEST = "best"  # and of one that keeps the best weights so far


class CheckpointError(DataError):
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
            raise CheckpointError(
                f"{path}: {key} is {metadata.get(key)!r} in the checkpoint, expected {value!r}; train this network anew"
            )
    own = model.state_dict()
    if odd := sorted(own.keys() ^ tensors.keys()):
        raise CheckpointError(
            f"{path}: {len(odd)} tensor names do not match the network, the first is {odd[0]!r}; train it anew"
        )
    for name, tensor in tensors.items():
        _check_tensor(f"{path}: {name}", tensor, own[name])
    model.load_state_dict(tensors)


def _check_tensor(what: str, tensor: Tensor, own: Tensor) -> None:
    if tensor.shape != own.shape:
        found, wanted = tuple(tensor.shape), tuple(own.shape)
        raise CheckpointError(f"{what} has shape {found}, expected {wanted}; was it trained with other params?")
    if tensor.dtype != own.dtype:  # torch would convert it without a word
        raise CheckpointError(f"{what} is {tensor.dtype}, expected {own.dtype}; take the file that training wrote")
    if not tensor.isfinite().all():
        raise CheckpointError(f"{what} holds NaN or infinite values; train this network anew")


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
        raise CheckpointError(
            f"{path}: not a safetensors checkpoint of this suite, or cut short ({one_line(error)}); train it anew"
        ) from error


def _metadata(file: safe_open) -> dict[str, Any]:
    about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
    return about if isinstance(about, dict) else {}


def save_state(folder: Path, state: Mapping[str, object]) -> None:
    """Write a training state and its checksum, then drop all but it and the one before; ``iteration`` names it.

    States of later iterations go too: the training has passed them over as unsound.
    """
    path = folder / STATE.format(state["iteration"])
    with replacing(path) as temporary:
        torch.save(dict(state), temporary)
    with replacing(_sidecar(path)) as temporary:
        temporary.write_text(sha256(path))
    found = _states(folder)
    kept = [each for each in found if each <= path][:KEPT]
    for old in (each for each in found if each not in kept):
        _sidecar(old).unlink(missing_ok=True)
        old.unlink()


def newest_state(folder: Path) -> State | None:
    """Return the newest sound training state, its tensors on the CPU, or None; what is not sound is warned of."""
    for path in _states(folder):
        try:
            return _read_state(path)
        except CheckpointError as error:
            log.warning("%s; falling back to the state before it", error)
    return None


def _read_state(path: Path) -> State:
    sidecar = _sidecar(path)
    if not sidecar.exists() or sidecar.read_bytes().decode(errors="replace") != sha256(path):
        raise CheckpointError(f"{path}: checksum missing or wrong, perhaps cut short")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        first = str(error).partition(". ")[0]  # torch goes on about how to run a stranger's code all the same
        raise CheckpointError(f"{path}: not a training state, or one with code in it ({one_line(first)})") from error
    if not isinstance(state, dict) or state.keys() - {BEST} != PARTS:
        raise CheckpointError(f"{path}: not a training state of this suite")
    return state


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob(STATE.format(0).replace("0" * 9, "*")), reverse=True)


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
