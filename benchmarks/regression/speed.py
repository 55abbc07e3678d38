"""Compare the speed of kernels: with peers of the same run, and with an older state of the project beside it.

Seconds do not carry over to another machine, and on one machine not to another hour. Two things do: how many times
longer a peer took in the same run, as long as the processor is the same; and two states of the project whose runs take
turns on one machine. Of several runs the fastest counts, for nothing makes a kernel faster than it is; and CPU seconds
count, on one thread, for a busy neighbour takes time away from the wall's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.regression.findings import BEFORE, BaselineError, Slower
from datasets.files import one_line, replacing

KERNEL = ["name", "grid", "threads", "precision", "device"]
PEER = [*KERNEL, "peer"]
COLUMNS = ["cpu", *PEER, "ratio"]
SLOWER = 1.25  # how many times as long a kernel may take


def fastest(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one table of several runs of the same benchmarks (`benchmarks.speed`): everyone's fewest CPU seconds."""
    table = pd.concat(runs, ignore_index=True)
    table["peer"] = table["peer"].fillna("")
    table = table.groupby(PEER, as_index=False, sort=False)[["ours_cpu_s", "peer_cpu_s"]].min()
    return table.assign(ratio=table.peer_cpu_s / table.ours_cpu_s)


def slower_than_before(head: pd.DataFrame, base: pd.DataFrame) -> list[Slower]:
    """Return the kernels that take more than a quarter longer than in the older state, both by `fastest`."""
    here, there = (table.groupby(KERNEL, as_index=False, sort=False)["ours_cpu_s"].min() for table in (head, base))
    joined = here.merge(there, on=KERNEL, suffixes=("", "_base"))
    joined["times"] = joined["ours_cpu_s"] / joined["ours_cpu_s_base"]
    return [
        Slower(_name(row), BEFORE, row["times"], row["ours_cpu_s_base"], row["ours_cpu_s"])
        for row in joined[joined["times"] > SLOWER].to_dict("records")
    ]


def missing(head: pd.DataFrame, base: pd.DataFrame) -> list[str]:
    """Return the kernels that the older state measured and this one does not."""
    here = set(head[KERNEL].itertuples(index=False, name=None))
    gone = [row for row in base.drop_duplicates(KERNEL).to_dict("records") if tuple(row[k] for k in KERNEL) not in here]
    return [_name(row) for row in gone]


def kernels_in_both(head: pd.DataFrame, others: Sequence[pd.DataFrame]) -> int:
    """Return how many kernels of one table any of the others has as well."""
    known = {row for other in others for row in other[KERNEL].itertuples(index=False, name=None)}
    return len(known & set(head[KERNEL].itertuples(index=False, name=None)))


def slower_beside_peers(head: pd.DataFrame, accepted: pd.DataFrame) -> list[Slower]:
    """Return the kernels that, measured against each of their peers, take more than a quarter longer than accepted.

    A peer alone may have changed: one that fills the memory takes other CPU seconds beside other work. A kernel that is
    not measured any more, or a peer that is not, takes infinitely long.
    """
    joined = head.merge(accepted, on=PEER, how="right", suffixes=("", "_accepted")).dropna(subset="ratio_accepted")
    joined["times"] = (joined["ratio_accepted"] / joined["ratio"]).fillna(math.inf)
    joined = joined[joined.groupby(KERNEL)["times"].transform("min") > SLOWER]
    return [
        Slower(_name(row), str(row["peer"]), row["times"], row["ratio_accepted"], row["ratio"])
        for row in joined.to_dict("records")
    ]


def read(path: Path, cpu: str) -> pd.DataFrame | None:
    """Return the accepted ratios of a processor, None where there are none; raise `BaselineError` for another file."""
    every = read_all(path)
    here = every[every["cpu"] == cpu].drop(columns="cpu")
    return here if len(here) else None


def read_all(path: Path) -> pd.DataFrame:
    """Return the accepted ratios of every processor, none where there is no such file.

    Raises:
        BaselineError: the file is no table of ratios above 0, or has one twice.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)[COLUMNS]
        frame = frame.astype({"threads": int, "ratio": float})
    except FileNotFoundError:
        return pd.DataFrame(columns=COLUMNS)
    except (OSError, KeyError, ValueError) as error:
        raise BaselineError(f"{path}: no table of accepted speed ({one_line(error)}); correct or delete it") from error
    sound = np.isfinite(frame["ratio"]) & (frame["ratio"] > 0)
    if len(odd := frame[~sound | frame.duplicated(COLUMNS[:-1])]):
        row = odd.iloc[0]
        raise BaselineError(
            f"{path}: {row['name']}, {row['grid']}, beside {row['peer']} on {row['cpu']}: expected one ratio above 0, "
            f"got {row['ratio']:g}{'' if not sound.all() else ' once more'}"
        )
    return frame


def write(path: Path, cpu: str, head: pd.DataFrame, *, beside: Path | None = None) -> None:
    """Write the ratios of a processor, and those that a table ``beside`` has of others."""
    others = read_all(beside) if beside else pd.DataFrame(columns=COLUMNS)
    kept = others[others["cpu"] != cpu]
    own = head.dropna(subset="ratio").assign(cpu=cpu)[COLUMNS]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pd.concat([each for each in (kept, own) if len(each)] or [kept]).to_csv(
            temporary, index=False, float_format="%.4g", lineterminator="\n"
        )


def _name(row: Mapping[Hashable, Any]) -> str:
    threads = f"{row['threads']} thread{'s' if row['threads'] != 1 else ''}"
    return f"{row['name']}, {row['grid']}, {threads}, {row['precision']}, {row['device']}"
