"""Recursive cascades: the published sizes, their composition, and a checkpoint that does what training left."""

import numpy as np
import pytest
import torch

from datasets import geometry
from datasets.case import Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from methods import recursive
from methods.blocks.cascades.cascade import Affine
from methods.blocks.cascades.composition import Composition, build
from methods.blocks.cost import count_parameters
from methods.blocks.initial import create
from methods.blocks.training.checkpoint import CheckpointError, load_checkpoint, save_weights
from tests.methods import calls
from tests.methods.resized import resized

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = {"base": "ldr", "stem": "dense", "cascades": 1, "channels": 4, "scale": 1.0}
LDR = {"base": "ldr", "stem": "dense", "channels": 4}


PUBLISHED = [  # parameters exact, multiply-accumulates at 128^3
    ({"base": "ldr", "stem": "dense", "cascades": 1}, 561_318, 110.330),
    ({"base": "ldr", "stem": "dense", "cascades": 2}, 841_977, 165.495),
    ({"base": "ldr", "stem": "dense", "cascades": 3}, 1_122_636, 220.660),
    ({"base": "ldr", "stem": "affine_light", "cascades": 1}, 613_539, 56.184),
    ({"base": "ldr", "stem": "affine_light", "cascades": 2}, 894_198, 111.349),
    ({"base": "ldr", "stem": "affine_light", "cascades": 3}, 1_174_857, 166.514),
    ({"base": "ldr", "stem": "none"}, 280_659, 55.165),
    ({"base": "ldr_text", "stem": "none"}, 1_548_528, 7.516),
    ({"cascades": 1}, 42_418_491, 10.153),
    ({"cascades": 2}, 70_670_694, 18.352),
    ({"cascades": 3}, 98_922_897, 26.551),
    ({"stem": "none"}, 28_252_203, 8.199),
    ({"base": "voxelmorph"}, 14_466_835, 70.949),
    ({"base": "voxelmorph", "stem": "none"}, 300_547, 68.995),
    ({"base": "unet", "stem": "none"}, 28_279_883, 9.105),
    ({"base": "mobilenet", "stem": "none"}, 1_252_960, 1.2327),
]


@pytest.mark.parametrize(("params", "parameters", "gmac"), PUBLISHED)
def test_size_is_that_of_the_released_network(params, parameters, gmac):
    found = calls.cost(recursive, (128, 128, 128), **params)
    assert found["parameters"] == found["full_parameters"] == parameters
    assert found["macs"] == found["full_macs"]
    assert found["macs"] / 1e9 == pytest.approx(gmac, rel=1e-4)


@pytest.mark.parametrize(
    ("base", "stem"),
    [
        ("vtn", "vtn_affine"),
        ("voxelmorph", "vtn_affine"),
        ("ldr", "dense"),
        ("unet", "none"),
        ("ldr_text", "none"),
        ("mobilenet", "none"),
    ],
)
def test_the_stem_is_that_of_the_printed_size_unless_named(base, stem):
    names = (None, stem, "none", "affine_light")
    sizes = {name: calls.cost(recursive, (16, 16, 32), base=base, stem=name) for name in names}
    assert sizes[None] == sizes[stem] != sizes["affine_light"]
    assert (sizes[None] == sizes["none"]) == (stem == "none")
    assert Composition(base=base).stem == stem


def test_cost_counts_the_padded_grid_and_the_width():
    wide, narrow = (calls.cost(recursive, (32, 32, 48), base="ldr", channels=channels) for channels in (None, 16))
    assert calls.cost(recursive, (20, 30, 40), base="ldr") == wide
    assert narrow["macs"] < wide["macs"] / 3
    assert narrow["parameters"] < wide["parameters"] / 3
    assert narrow["full_parameters"] == wide["parameters"]
    assert narrow["full_macs"] == calls.cost(recursive, (128, 128, 128), base="ldr")["macs"]


def model(**params):
    return create(lambda: build(Composition(**{"channels": 4, **params})), seed=0, device="cpu")


@pytest.mark.parametrize(
    ("base", "stem", "stages", "share"),
    [
        ("ldr", "dense", 3, 1 / 3),
        ("ldr", "affine_light", 3, 1 / 2),
        ("vtn", "vtn_affine", 3, 10),
        ("vtn", "none", 2, 10),
    ],
)
def test_networks_are_scaled_by_their_number(base, stem, stages, share):
    network = model(base=base, stem=stem, cascades=2)
    images = torch.rand(2, 1, 1, 16, 32, 48, generator=torch.Generator().manual_seed(0))
    result = network(*images)
    assert len(result.stages) == stages
    assert isinstance(result.stages[0].own, Affine) == (stem in ("affine_light", "vtn_affine"))
    seen = [images[1], *(stage.warped for stage in result.stages)]
    for number, stage in enumerate(result.stages):
        own = network.networks[number](images[0], seen[number])
        if isinstance(own, Affine):
            assert torch.equal(stage.own.matrix, own.matrix)
        else:  # no absolute tolerance: some heads start next to zero
            torch.testing.assert_close(stage.own, own * share, rtol=1e-5, atol=0)
            assert stage.own.abs().max() > 0
    assert len({id(parameter) for parameter in network.parameters()}) == len(list(network.parameters()))


@pytest.mark.parametrize("base", ["vtn", "unet", "ldr_text", "mobilenet"])
@pytest.mark.parametrize("shape", [(16, 32, 48), (11, 20, 33)])
def test_networks_of_any_grid(base, shape):
    found = model(base=base, stem="none")(*torch.rand(2, 1, 1, *shape, generator=torch.Generator().manual_seed(0)))
    assert found.displacement.shape == (1, 3, *shape)
    assert found.displacement.abs().max() > 0
    assert isinstance(found.stages[0].own, Affine) == (base == "mobilenet")


def test_repetition_runs_each_dense_network_again_with_its_own_weights():
    torch.manual_seed(0)
    images = torch.rand(2, 1, 1, 16, 16, 32)
    once = model(base="ldr", stem="affine_light", cascades=2)
    twice = create(
        lambda: build(Composition(base="ldr", stem="affine_light", cascades=2, channels=4), repeat=2),
        seed=0,
        device="cpu",
    )
    assert count_parameters(once) == count_parameters(twice)
    stages = twice(*images).stages
    assert len(stages) == 5  # the affine stem is not repeated
    for number, stem in ((2, 1), (3, 2), (4, 2)):
        own = once.networks[stem](images[0], stages[number - 1].warped) / 2
        torch.testing.assert_close(stages[number].own, own, rtol=1e-5, atol=0)
    assert (
        calls.cost(recursive, (16, 16, 32), cascades=2, repeat=2)["parameters"]
        == calls.cost(recursive, (16, 16, 32), cascades=2)["parameters"]
    )


def images(shape=(20, 30, 40)):
    rng = np.random.default_rng(0)
    fixed, moving = rng.random((2, *shape), dtype=np.float32)
    fixed.flags.writeable = moving.flags.writeable = False
    return fixed, moving


def test_displacement_has_the_images_grid_and_depends_on_the_seed_alone():
    fixed, moving = images()
    u = calls.load(recursive, device="cpu", seed=1, **LDR)(fixed, moving, (1.0, 1.0, 2.0))
    geometry.check_displacement(u, fixed.shape)
    assert u.dtype == np.float32
    assert 0 < np.abs(u).max() < 0.01  # untrained: the head starts next to zero
    np.testing.assert_array_equal(u, calls.load(recursive, device="cpu", seed=1, **LDR)(fixed, moving, (1.0, 1.0, 2.0)))
    assert not np.array_equal(u, calls.load(recursive, device="cpu", seed=2, **LDR)(fixed, moving, (1.0, 1.0, 2.0)))


def test_padding_is_at_the_end_and_cropped_back():
    fixed, moving = images()
    padded = [np.pad(image, [(0, 12), (0, 2), (0, 8)]) for image in (fixed, moving)]
    register = calls.load(recursive, device="cpu", seed=1, **LDR)
    np.testing.assert_array_equal(register(fixed, moving, (1, 1, 1)), register(*padded, (1, 1, 1))[:, :20, :30, :40])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cascades": 0}, "cascades .* 0"),
        ({"channels": 5}, "channels .* 5"),
        ({"repeat": 0}, "repeat .* 0"),
    ],
)
def test_wrong_params_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        calls.load(recursive, device="cpu", seed=0, **params)


def small():
    return create(lambda: build(Composition(**SMALL)), seed=0, device="cpu")


def weights(folder, **changes):
    return save_weights(folder / "w.safetensors", small(), {"method": "recursive", "params": SMALL, **changes})


def test_weights_survive_the_file(tmp_path):
    path = weights(tmp_path)
    other = create(lambda: build(Composition(**SMALL)), seed=9, device="cpu")
    load_checkpoint(path, other, expected={"method": "recursive", "params": SMALL})
    for name, tensor in small().state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("params", "changes", "message"),
    [
        ({"channels": 8}, {}, "params is .*'channels': 4.*expected .*'channels': 8"),
        ({"channels": 4, "cascades": 2}, {}, "cascades"),
        ({"channels": 4}, {"method": "rcn"}, "method is 'rcn' in the checkpoint, expected 'recursive'"),
        ({"channels": 8}, {"params": {**SMALL, "channels": 8}}, "has shape .*, expected"),
        ({"channels": 4, "stem": "affine_light"}, {"params": {**SMALL, "stem": "affine_light"}}, "names do not match"),
    ],
)
def test_checkpoint_of_another_network_is_refused(tmp_path, params, changes, message):
    with pytest.raises(CheckpointError, match=message):
        calls.load(recursive, device="cpu", seed=0, checkpoint=weights(tmp_path, **changes), **{**LDR, **params})


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("the checkpoint was unpickled",))


def test_truncated_missing_and_pickled_checkpoints_are_refused(tmp_path):
    path = weights(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    torch.save(Trap(), pickled := tmp_path / "p.safetensors")
    for bad in (path, pickled, tmp_path / "missing.safetensors"):
        with pytest.raises(CheckpointError, match=bad.name):
            calls.load(recursive, device="cpu", seed=0, checkpoint=bad, **LDR)


def test_checkpoint_with_nan_is_refused(tmp_path):
    model = small()
    with torch.no_grad():
        model.networks[0].bottom.weight[0, 0, 0, 0, 0] = float("nan")
    path = save_weights(tmp_path / "w.safetensors", model, {"method": "recursive", "params": SMALL})
    with pytest.raises(CheckpointError, match=r"networks\.0\.bottom\.weight"):
        calls.load(recursive, device="cpu", seed=0, checkpoint=path, **LDR)


def ellipsoids(folder, cases=6, shape=(16, 32, 48)):
    """Ellipsoids with soft edges, of different place and size; the last two are for testing."""
    rng, writer, grid = np.random.default_rng(0), Writer(folder), geometry.identity_grid(shape)
    for case in range(cases):
        centre = (np.array(shape) - 1) / 2 + rng.uniform(-2, 2, 3)
        radii = np.array([4, 9, 14]) * rng.uniform(0.7, 1.3, 3)
        distance = np.sqrt((((grid.T - centre) / radii) ** 2).sum(-1)).T
        writer.image(f"c{case}", 0.1 + 0.8 / (1 + np.exp(8 * (distance - 1))), np.eye(4))
    split = TrainingSplit(tuple(f"c{case}" for case in range(cases - 2)))
    writer.finish(Description(name="ellipsoids", training=split, test=(Pair("c4", "c5"), Pair("c5", "c4"))))
    return open_dataset(folder)


def correlation_distance(a, b):
    return 1 - np.corrcoef(a.ravel(), b.ravel())[0, 1]


def test_training_brings_unseen_images_closer(tmp_path):
    data = ellipsoids(tmp_path / "data")
    options = {"iterations": 100, "batch": 4, "learning_rate": 2e-3, "augmentation": 0.0}
    params = {**LDR, "channels": 8}
    path = calls.train(recursive, data, tmp_path / "run", device="cpu", seed=0, **params, **options)
    register, before, after = calls.load(recursive, device="cpu", seed=5, checkpoint=path, **params), [], []
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
    options = {"device": "cpu", "seed": 1, "base": "ldr", "channels": 4, "stem": "affine_light"}
    direct = calls.load(recursive, **options)(*small, (2.0, 2.0, 2.0))
    shrunken = calls.load(recursive, **options, shrink=2)(*large, (1.0, 1.0, 1.0))
    assert np.abs(direct).max() > 0.01
    assert np.allclose(shrunken, resized(direct, large[0].shape), atol=1e-4)
    assert calls.cost(recursive, (32, 64, 32), channels=4, shrink=2) == calls.cost(recursive, (16, 32, 16), channels=4)
