"""`make gpu` runs on borrowed machines: torch, NumPy, SciPy, safetensors and nibabel are all that it may find."""

import subprocess
import sys

import pytest

from workflows.configuration.sources import ROOT

ABSENT = "ants filelock itk jinja2 matplotlib msgspec pandas pooch psutil pyarrow requests SimpleITK tqdm yaml"
COMMANDS = [
    "import methods.recursive, methods.progressive, datasets.phantom, benchmarks.overlap, benchmarks.provenance"
]


@pytest.mark.parametrize("command", COMMANDS)
def test_five_libraries_suffice(command):
    without = f"import sys; sys.modules.update(dict.fromkeys({ABSENT.split()}))\n"
    done = subprocess.run([sys.executable, "-c", without + command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
