"""The smallest run of the whole pipeline, and what it leaves."""

import json
import subprocess
import sys
from pathlib import Path

from workflows.configuration.sources import ROOT

TINY = {
    "profile": "tiny",
    "seeds": [0],
    "run": {"datasets": ["phantom-liver"], "methods": ["identity", "demons", "truth"]},
    "timing": {"datasets": ["phantom-liver"], "pairs": 1, "rounds": 1},
    "datasets": {"phantom-liver": {"params": {"shape": [20, 22, 26], "training": 0, "test": 3}, "chunks": 2}},
}
N_PAIRS = 6


def command(folder: Path, *arguments: str, config: dict | None = None) -> list[str]:
    path = folder / "tiny.json"
    path.write_text(json.dumps(config or TINY))
    snakefile = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    profile = ["--workflow-profile", str(ROOT / "profiles" / "default")]
    return [
        str(Path(sys.executable).with_name("snakemake")),  # -m would put the folder it is called in before libraries
        *snakefile,
        *profile,
        "--cores",
        "2",
        "report",
        "--configfile",
        str(path),
        *arguments,
    ]


def run(folder: Path, *arguments: str, config: dict | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(command(folder, *arguments, config=config), capture_output=True, text=True, cwd=folder)


def records(folder: Path) -> list[dict]:
    paths = sorted((folder / "results" / "tiny" / "runs").rglob("records.jsonl"))
    return [
        json.loads(line) | {"path": str(path)}
        for path in paths
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
