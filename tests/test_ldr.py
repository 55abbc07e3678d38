"""LDR: the published sizes, its composition, and a checkpoint that does what training left."""

import numpy as np
import pytest
import torch

from datasets import geometry
from datasets.case import Writer, open_dataset
from methods import ldr
from methods.blocks.cascade import Affine
from methods.blocks.checkpoint import CheckpointError, load_checkpoint, save_weights
from methods.blocks.padding import create

SMALL = {"cascades": 1, "channels": 4, "stem": "dense_ldr"}


@pytest.mark.parametrize(
    ("stem", "cascades", "parameters", "gmac"),
    [
        ("dense_ldr", 1, 561_318, 110.330),
        ("dense_ldr", 2, 841_977, 165.495),
        ("dense_ldr", 3, 1_122_636, 220.660),
        ("affine_light", 1, 613_539, 56.184),
        ("affine_light", 2, 894_198, 111.349),
        ("affine_light", 3, 1_174_857, 166.514),
    ],
)
def test_size_is_that_of_the_released_network(stem, cascades, parameters, gmac):
    found = ldr.cost((128, 128, 128), cascades=cascades, stem=stem)
    assert found["parameters"] == parameters
    assert found["macs"] / 1e9 == pytest.approx(gmac, abs=6e-4)


def test_cost_counts_the_padded_grid_and_the_width():
    assert ldr.cost((20, 30, 40)) == ldr.cost((32, 32, 48))
    assert ldr.cost((32, 32, 48), channels=16)["macs"] < ldr.cost((32, 32, 48))["macs"] / 3


@pytest.mark.parametrize(("stem", "stages", "share"), [("dense_ldr", 3, 1 / 3), ("affine_light", 3, 1 / 2)])
def test_networks_are_scaled_by_their_number(stem, stages, share):
    model = create(lambda: ldr._build(2, 4, stem), seed=0, device="cpu")
    images = torch.rand(2, 1, 1, 16, 32, 48, generator=torch.Generator().manual_seed(0))
    result = model(*images)
    assert len(result.stages) == stages
    assert isinstance(result.stages[0].own, Affine) == (stem == "affine_light")
    last, before = result.stages[-1], result.stages[-2]
    torch.testing.assert_close(last.own, model.stems[-1](images[0], before.warped) * share)
    assert len({id(parameter) for parameter in model.parameters()}) == len(list(model.parameters()))


def images(shape=(20, 30, 40)):
    rng = np.random.default_rng(0)
    fixed, moving = rng.random((2, *shape), dtype=np.float32)
    fixed.flags.writeable = moving.flags.writeable = False
    return fixed, moving


def test_displacement_has_the_images_grid_and_depends_on_the_seed_alone():
    fixed, moving = images()
    u = ldr.load(device="cpu", seed=1, channels=4)(fixed, moving, (1.0, 1.0, 2.0))
    geometry.check_displacement(u, fixed.shape)
    assert u.dtype == np.float32
    assert 0 < np.abs(u).max() < 0.01  # untrained: the head starts next to zero
    np.testing.assert_array_equal(u, ldr.load(device="cpu", seed=1, channels=4)(fixed, moving, (1.0, 1.0, 2.0)))
    assert not np.array_equal(u, ldr.load(device="cpu", seed=2, channels=4)(fixed, moving, (1.0, 1.0, 2.0)))


def test_padding_is_at_the_end_and_cropped_back():
    fixed, moving = images()
    padded = [np.pad(image, [(0, 12), (0, 2), (0, 8)]) for image in (fixed, moving)]
    register = ldr.load(device="cpu", seed=1, channels=4)
    np.testing.assert_array_equal(register(fixed, moving, (1, 1, 1)), register(*padded, (1, 1, 1))[:, :20, :30, :40])


@pytest.mark.parametrize(
    ("params", "message"),
    [({"cascades": 0}, "cascades .* 0"), ({"channels": 5}, "channels .* 5"), ({"stem": "none"}, "stem .*'none'")],
)
def test_wrong_params_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        ldr.load(device="cpu", seed=0, **params)


def small():
    return create(lambda: ldr._build(**SMALL), seed=0, device="cpu")


def weights(folder, **changes):
    return save_weights(folder / "w.safetensors", small(), {"method": "ldr", "params": SMALL, **changes})


def test_weights_survive_the_file(tmp_path):
    path = weights(tmp_path)
    other = create(lambda: ldr._build(**SMALL), seed=9, device="cpu")
    load_checkpoint(path, other, expected={"method": "ldr", "params": SMALL})
    for name, tensor in small().state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("params", "changes", "message"),
    [
        ({"channels": 8}, {}, "params is .*'channels': 4.*expected .*'channels': 8"),
        ({"channels": 4, "cascades": 2}, {}, "cascades"),
        ({"channels": 4}, {"method": "rcn"}, "method is 'rcn' in the checkpoint, expected 'ldr'"),
        ({"channels": 8}, {"params": {**SMALL, "channels": 8}}, "has shape .*, expected"),
        ({"channels": 4, "stem": "affine_light"}, {"params": {**SMALL, "stem": "affine_light"}}, "names do not match"),
    ],
)
def test_checkpoint_of_another_network_is_refused(tmp_path, params, changes, message):
    with pytest.raises(CheckpointError, match=message):
        ldr.load(device="cpu", seed=0, checkpoint=weights(tmp_path, **changes), **params)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("the checkpoint was unpickled",))


def test_truncated_missing_and_pickled_checkpoints_are_refused(tmp_path):
    path = weights(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    torch.save(Trap(), pickled := tmp_path / "p.safetensors")
    for bad in (path, pickled, tmp_path / "missing.safetensors"):
        with pytest.raises(CheckpointError, match=bad.name):
            ldr.load(device="cpu", seed=0, checkpoint=bad, channels=4)


def test_checkpoint_with_nan_is_refused(tmp_path):
    model = small()
    with torch.no_grad():
        model.stems[0].bottom.weight[0, 0, 0, 0, 0] = float("nan")
    path = save_weights(tmp_path / "w.safetensors", model, {"method": "ldr", "params": SMALL})
    with pytest.raises(CheckpointError, match=r"stems\.0\.bottom\.weight"):
        ldr.load(device="cpu", seed=0, checkpoint=path, channels=4)


def ellipsoids(folder, cases=6, shape=(16, 32, 48)):
    """Ellipsoids with soft edges, of different place and size; the last two are for testing."""
    rng, writer, grid = np.random.default_rng(0), Writer(folder), geometry.identity_grid(shape)
    for case in range(cases):
        centre = (np.array(shape) - 1) / 2 + rng.uniform(-2, 2, 3)
        radii = np.array([4, 9, 14]) * rng.uniform(0.7, 1.3, 3)
        distance = np.sqrt((((grid.T - centre) / radii) ** 2).sum(-1)).T
        writer.image(f"c{case}", 0.1 + 0.8 / (1 + np.exp(8 * (distance - 1))), np.eye(4))
    training = {"cases": [f"c{case}" for case in range(cases - 2)]}
    test = [{"fixed": "c4", "moving": "c5"}, {"fixed": "c5", "moving": "c4"}]
    writer.finish({"name": "ellipsoids", "training": training, "test": test})
    return open_dataset(folder)


def correlation_distance(a, b):
    return 1 - np.corrcoef(a.ravel(), b.ravel())[0, 1]


def test_training_brings_unseen_images_closer(tmp_path):
    data = ellipsoids(tmp_path / "data")
    options = {"iterations": 100, "batch": 4, "learning_rate": 2e-3, "augmentation": 0.0}
    path = ldr.train(data, tmp_path / "run", device="cpu", seed=0, channels=8, **options)
    register, before, after = ldr.load(device="cpu", seed=5, checkpoint=path, channels=8), [], []
    for pair in data.test_pairs:
        fixed, moving = data.image(pair.fixed).array, data.image(pair.moving).array
        before.append(correlation_distance(fixed, moving))
        after.append(correlation_distance(fixed, geometry.warp(moving, register(fixed, moving, (1.0, 1.0, 1.0)))))
    assert np.mean(after) < 0.75 * np.mean(before)


def test_a_shrunken_registration_is_the_small_one_resized():
    """Where both images are piecewise constant, shrinking loses nothing, and both ways give one displacement."""
    rng = np.random.default_rng(3)
    small = [rng.random((16, 32, 16), dtype=np.float32) for _ in range(2)]
    large = [image.repeat(2, 0).repeat(2, 1).repeat(2, 2) for image in small]
    options = {"device": "cpu", "seed": 1, "channels": 4, "stem": "affine_light"}
    direct = ldr.load(**options)(*small, (2.0, 2.0, 2.0))
    shrunken = ldr.load(**options, shrink=2)(*large, (1.0, 1.0, 1.0))
    assert np.abs(direct).max() > 0.01
    assert np.allclose(shrunken, geometry.resize_displacement(direct, large[0].shape), atol=1e-4)
    assert ldr.cost((32, 64, 32), channels=4, shrink=2) == ldr.cost((16, 32, 16), channels=4)
