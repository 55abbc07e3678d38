"""A finished training, which tests may damage."""

from pathlib import Path

import pytest

from tests.faults import training_inputs as inputs


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """A finished training: its folder, its outcome, and the bytes of its weights."""
    folder = tmp_path_factory.mktemp("training")
    inputs.write_noise(folder)
    done = inputs.trained(inputs.training(folder))
    return folder, done, Path(done.checkpoint).read_bytes()


@pytest.fixture
def damage(original):
    """Return the folder of the training's state for a test to damage; everything is as before when the test ends."""
    folder, done, _ = original
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    yield Path(done.kept)
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
