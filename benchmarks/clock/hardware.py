"""The hardware key: what seconds depend on beside the code. Seconds compare only where all of it is the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.clock import cores
from benchmarks.provenance import canonical_json, cpu_model, gpu_model, versions

COMPUTING = ("SimpleITK", "antspyx", "convexAdam", "itk-elastix", "numba", "numpy", "picsl-greedy", "scipy", "torch")
_BUILD = {"MKL": r"Math Kernel Library Version ([\d.]+)", "oneDNN": r"MKL-DNN v([\d.]+)"}
_DRIVER = Path("/proc/driver/nvidia/version")
_LIMIT = 300  # seconds; importing torch from a slow disk takes up to a minute


@dataclass(frozen=True)
class Hardware:
    """A machine, the cores that a process is pinned to, and the libraries that compute there.

    ``cores`` may be used, of which ``pinned`` were; ``limit`` is a container's share in cores. What the system does
    not tell is None, of a GPU ``none``.
    """

    cpu: str
    cores: int
    pinned: tuple[int, ...]
    smt: bool | None = None
    governor: str | None = None
    limit: float | None = None
    gpu: str = "none"
    driver: str = "none"
    versions: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def key(self) -> str:
        """JSON text that is the same for equal hardware, as rows of timed calls keep it."""
        return canonical_json(asdict(self))

    @property
    def words(self) -> str:
        """The machine and its libraries as notes below tables print them, without the cores that calls had."""
        threads = ", two threads a core (SMT)" if self.smt else ""
        clock = f", governor {self.governor}" if self.governor else ""
        share = f", limited to {self.limit:g}" if self.limit is not None else ""
        gpu = "" if self.gpu == "none" else f"; {self.gpu}, driver {self.driver}"
        libraries = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{self.cpu}, {self.cores} cores{share}{threads}{clock}{gpu}; {libraries}"

    @property
    def place(self) -> str:
        """The cores that calls were pinned to, in words."""
        if not self.pinned:
            return "on any core"
        return f"on core{'s' * (len(self.pinned) > 1)} {', '.join(map(str, self.pinned))}"


def this_hardware(pinned: tuple[int, ...], build: Mapping[str, str]) -> Hardware:
    """Return the key of this machine for a process on the cores ``pinned``; ``build`` is what `torch_build` returns."""
    known = {name: version for name, version in versions(COMPUTING).items() if version != "missing"}
    return Hardware(
        cpu=cpu_model(),
        cores=len(cores.allowed()),
        pinned=pinned,
        smt=cores.smt(),
        governor=cores.governor(pinned),
        limit=cores.limit(),
        gpu=gpu_model(),
        driver=driver(),
        versions=dict(sorted({**known, **build}.items(), key=lambda item: item[0].lower())),
    )


def parse(key: str) -> Hardware:
    """Return the hardware of a row's key."""
    fields = json.loads(key)
    return Hardware(pinned=tuple(fields.pop("pinned")), **fields)


def torch_build() -> dict[str, str]:
    """Return the versions of MKL and oneDNN in torch; none where it has none or is missing.

    A process of its own finds out, so that this one need not hold torch.
    """
    ask = [sys.executable, "-c", "import torch; print(torch.__config__.show())"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(_builds(done.stdout))


def driver(path: Path = _DRIVER) -> str:
    """Return the version of the GPU's driver, ``none`` where there is none."""
    try:
        found = re.search(r"Kernel Module\s+(?:for \S+\s+)?([\d.]+)", path.read_text(encoding="utf-8"))
    except OSError:
        return "none"
    return found[1] if found else "unknown"


def _builds(shown: str) -> Iterator[tuple[str, str]]:
    for name, pattern in _BUILD.items():
        if found := re.search(pattern, shown):
            yield name, found[1]
