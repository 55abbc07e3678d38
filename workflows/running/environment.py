"""The environment of steps and methods: one rule, so that no number depends on what a shell or a notebook has set.

Variables that steer Python or the numerical libraries are dropped (`DROPPED`, by the beginning of their names). A few
of them stay (`KEPT`): they say how threads wait or where code lies, or they play another processor (`KERNELS`). What a
library computes may depend on those, so they are part of a run's identity. Everything else is passed on, such as
CUDA_VISIBLE_DEVICES. Drawing never needs a screen (`workflows` sets MPLBACKEND).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from benchmarks.provenance import ROOT

DROPPED = (
    *("PYTHON", "MPL", "MATPLOTLIB", "ITK_", "SITK_", "ANTS_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_"),
    *("BLIS_", "VECLIB_", "NUMEXPR_", "NPY_", "ATEN_", "DNNL_", "ONEDNN_", "TORCH", "PYTORCH_", "CUBLAS_", "CUDNN_"),
    *("NUMBA_", "NVIDIA_TF32_OVERRIDE"),
    *("BASH", "SHELLOPTS", "ENV="),  # a shell reads the files and options that these name
)
KERNELS = (
    *("ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE"),
    *("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "NPY_DISABLE_CPU_FEATURES"),
)
KEPT = {
    *KERNELS,
    *("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"),
    *("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONNOUSERSITE", "PYTHONHASHSEED", "PYTHONFAULTHANDLER"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
}
# A team of OpenMP threads meets thousands of times a second. Threads that spin until the last one comes take the cores
# of what runs beside them, and of each other: with one busy neighbour that took up to fifty times as long.
WAITING = {"OMP_WAIT_POLICY": "passive"}
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
# torch asks the kernel for pages of 2 MiB: a fresh tensor of 134 MB was filled in 22 ms in place of 103, most of which
# went into faults of pages of 4 KiB. It changes no number.
PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}


def tidy(variables: Mapping[str, str]) -> dict[str, str]:
    """Return variables without those that would steer the libraries."""
    kept = {name: value for name, value in variables.items() if name in KEPT or not f"{name}=".startswith(DROPPED)}
    return {**kept, "MPLBACKEND": "Agg"}


def for_threads(threads: int) -> dict[str, str]:
    """Return this process's variables, tidied, with one thread count for every library; how they wait may be set."""
    return {**WAITING, **PAGES, **tidy(os.environ), **dict.fromkeys(THREAD_VARIABLES, str(threads))}


def search_path() -> dict[str, str]:
    """Return the variables by which Python finds this project first, and nothing in the folder it is started in."""
    search = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    # A folder `datasets` or a file `random.py` there would stand before ours.
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys(search)), "PYTHONSAFEPATH": "1"}


def for_child(threads: int, scratch: Path) -> dict[str, str]:
    """Return the variables of a child that finds this project and leaves its temporary files in ``scratch``."""
    own = {**search_path(), **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(scratch))}
    home = os.environ.get("HOME", "")
    if not (home and os.access(home, os.W_OK)):  # libraries keep their caches there, and some fail without
        own["HOME"] = str(scratch)
    return {**for_threads(threads), **own}


def adopt(variables: Mapping[str, str]) -> None:
    """Make variables those of this process."""
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


def kernels() -> dict[str, str]:
    """Return the variables that play another processor, as far as they are set: they may change the numbers."""
    return {name: os.environ[name] for name in KERNELS if name in os.environ}
