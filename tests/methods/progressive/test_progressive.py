"""The method of the progressive paper: fair to its baseline, true to its growth, resumable, blind to landmarks."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from nibabel.affines import voxel_sizes
from nibabel.orientations import io_orientation
from safetensors.torch import load_file
from scipy import ndimage

from datasets.case import Writer, open_dataset
from datasets.description import Description, TrainingSplit
from methods import progressive
from methods.blocks.progressive import record
from methods.blocks.progressive.growth import Growth
from methods.blocks.progressive.losses import displacement_loss
from methods.blocks.progressive.unet import Architecture, UNet
from methods.blocks.training import loop as training
from methods.blocks.training.loop import DivergedError
from reports.reading.trainings import Training
from tests.methods import calls

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (16, 8, 24)
GROWTH = Growth(2, 6, 2)
SMALL = {"channels": 2, "levels": 2, "transition": 2, "duration": 6, "iterations": 12, "maps": 3, "snapshot_every": 5}


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Three scans of blobs, their axes to the patient's left, posterior and superior, seen through a bore."""
    folder, rng = tmp_path_factory.mktemp("scans"), np.random.default_rng(0)
    writer, affine = Writer(folder), np.diag([-3.0, -2.0, 4.0, 1.0])
    x, y, _ = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    for case in ("a", "b", "c"):
        blobs = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2)
        writer.image(case, np.clip(0.5 + 0.2 * blobs / blobs.std(), 0, 1), affine)
        writer.mask(case, x**2 + y**2 < 1.2, affine)
    writer.finish(Description(name="scans", training=TrainingSplit(("a", "b", "c")), test=()))
    return open_dataset(folder)


def train(data, folder, **changes):
    return calls.train(progressive, data, folder, device="cpu", seed=changes.pop("seed", 0), **{**SMALL, **changes})


def curve(folder):
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text(encoding="utf-8").splitlines()]


def left(folder):
    return Training("progressive", "scans", 0, "ok", "", folder)


def setup(monkeypatch, *arguments, **changes):
    """The learner and the sampler that `train` hands to the loop."""
    caught = {}

    def stop(learner, sampler, folder, **rest):
        caught.update(model=learner.modules["model"], sampler=sampler)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        train(*arguments, **changes)
    return caught["model"], caught["sampler"]


def test_baseline_and_progressive_start_alike_and_see_the_same_pairs(scans, tmp_path, monkeypatch):
    growing, pairs = setup(monkeypatch, scans, tmp_path)
    plain, same = setup(monkeypatch, scans, tmp_path, duration=0, transition=0)
    assert type(plain) is UNet
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, growing.state_dict()[name]), name
    for iteration in (0, 7):
        assert pairs.batch(iteration).cases == same.batch(iteration).cases
        assert torch.equal(pairs.batch(iteration).pairs.moving, same.batch(iteration).pairs.moving)


def test_the_draw_of_weights_can_change_while_the_pairs_stay(scans, tmp_path, monkeypatch):
    first, pairs = setup(monkeypatch, scans, tmp_path, pairs_seed=5)
    other, same = setup(monkeypatch, scans, tmp_path, pairs_seed=5, seed=1)
    assert not torch.equal(first.displacement.weight, other.displacement.weight)
    assert torch.equal(pairs.batch(3).pairs.fixed, same.batch(3).pairs.fixed)
    _, others = setup(monkeypatch, scans, tmp_path, seed=1)
    assert not torch.equal(pairs.batch(3).pairs.fixed, others.batch(3).pairs.fixed)


def test_a_trained_network_is_the_plain_one_and_registers(scans, tmp_path):
    path = train(scans, tmp_path)
    assert load_file(path).keys() == UNet(Architecture(2, levels=2)).state_dict().keys()
    register = calls.load(progressive, device="cpu", seed=0, checkpoint=path, channels=2, levels=2)
    fixed, moving = scans.image("a").array, scans.image("b").array
    u = register(fixed, moving, (3, 2, 4))
    assert u.shape == (3, *SHAPE)
    own = calls.load(progressive, device="cpu", seed=0, checkpoint=path, channels=2, levels=2, norm="volume")
    assert not np.allclose(u, own(fixed, moving, (3, 2, 4)))


def test_steps_along_equation_4_fit_the_true_displacement(scans, tmp_path, monkeypatch):
    model, sampler = setup(monkeypatch, scans, tmp_path, channels=4)
    batch = sampler.batch(6)  # both levels are past their transition
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.5)
    step = training.descend(optimiser, partial(progressive._losses, progressive.Pupil(model, GROWTH, False), "moving"))
    losses = [float(step(batch)["total"]) for _ in range(40)]
    pairs = batch.pairs
    nothing = displacement_loss(torch.zeros_like(pairs.displacement), pairs.displacement, pairs.moving_mask)
    assert losses[-1] < 0.5 * nothing


def test_the_curve_tells_the_weights_of_the_levels(scans, tmp_path):
    train(scans, tmp_path / "grown")
    rows = curve(tmp_path / "grown")
    assert [row["alpha_0"] + row["alpha_1"] for row in rows] == pytest.approx([1] * 12)
    assert [row["alpha_1"] for row in rows][:6] == pytest.approx([0, 0, 0.5, 1, 1, 1])  # 2 is half way from 1 to 3
    train(scans, tmp_path / "plain", duration=0, transition=0)
    assert not any("alpha_0" in row for row in curve(tmp_path / "plain"))


def test_watching_changes_nothing_and_sees_each_snapshot(scans, tmp_path):
    seen = []

    def watch(done, register):
        seen.append((done, register(scans.image("a").array, scans.image("b").array, (3, 2, 4))))

    watched = train(scans, tmp_path / "watched", watch=watch)
    assert watched.read_bytes() == train(scans, tmp_path / "alone").read_bytes()
    assert [done for done, _ in seen] == [5, 10, 12]
    register = calls.load(progressive, device="cpu", seed=0, checkpoint=watched, channels=2, levels=2)
    again = register(scans.image("a").array, scans.image("b").array, (3, 2, 4))
    assert np.abs(again).max() > 1e-3
    # Registration folds averages into the convolutions, which a network in training does not.
    np.testing.assert_allclose(seen[-1][1], again, atol=1e-6)


@pytest.mark.parametrize("at", [1, 6])
def test_interrupted_training_continues_bit_for_bit(scans, tmp_path, monkeypatch, at):
    whole = train(scans, tmp_path / "whole", checkpoint_every=4).read_bytes()
    step = training._iterate

    def broken(learner, sampler, iteration):
        if iteration == at:
            raise KeyboardInterrupt
        return step(learner, sampler, iteration)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_iterate", broken)
        with pytest.raises(KeyboardInterrupt):
            train(scans, tmp_path / "cut", checkpoint_every=4)
    assert train(scans, tmp_path / "cut", checkpoint_every=4).read_bytes() == whole
    one, two = (left(tmp_path / name).arrays("maps.npz") for name in ("whole", "cut"))
    assert one.keys() == two.keys()
    for key, values in one.items():
        np.testing.assert_array_equal(values, two[key])


def test_maps_show_the_levels_and_what_they_sum_to(scans, tmp_path):
    train(scans, tmp_path / "grown")
    maps = left(tmp_path / "grown").arrays("maps.npz")
    assert maps["iteration"].tolist() == [4, 8, 12]
    rows, columns = SHAPE[2], SHAPE[0]  # head to foot downwards, right to left to the right
    assert maps["truth"].shape == (rows, columns)
    assert maps["levels"].shape == (3, 2, rows, columns)
    assert maps["ratio"] == pytest.approx(4 / 3)
    np.testing.assert_allclose(maps["result"], np.einsum("kl,klrc->krc", maps["alpha"], maps["levels"]), atol=1e-6)
    train(scans, tmp_path / "plain", duration=0, transition=0)
    plain = left(tmp_path / "plain").arrays("maps.npz")
    assert "levels" not in plain
    np.testing.assert_array_equal(plain["truth"], maps["truth"])


def test_pairs_are_described_along_the_bodys_axes(scans, tmp_path):
    train(scans, tmp_path)
    about = left(tmp_path).about("synthetic.json")
    assert about["orientation"] == ["L", "P", "S"]
    assert about["spacing"] == [3, 2, 4]
    assert about["bends"]["t21"] == {"controls": [4, 4, 4], "ranges": [0.025, 0.05, 0.1]}  # Table I: x, y, z
    table = left(tmp_path).table("displacements.csv")
    assert (table.groupby("component")["count"].sum() == 12 * np.prod(SHAPE)).all()
    # Head to foot 0.1 of 24 voxels of 4 mm, left to right 0.025 of 16 of 3 mm.
    spread = {c: np.sqrt(np.average(part.low**2, weights=part["count"])) for c, part in table.groupby("component")}
    assert spread["z"] > 4 * spread["x"]


def test_millimetres_are_those_of_the_scan_that_a_pair_is_made_of(scans, tmp_path, monkeypatch):
    _, sampler = setup(monkeypatch, scans, tmp_path)
    doubled = np.diag([2.0, 2.0, 2.0, 1.0])
    affines = [
        affine @ doubled if case == "b" else affine for case, affine in zip(sampler.cases, sampler.affines, strict=True)
    ]
    mixed = replace(sampler, affines=affines)
    spread = {}
    for name, each in (("same", sampler), ("mixed", mixed)):
        (tmp_path / name).mkdir()
        record.describe_pairs(tmp_path / name, each)
        record.count_displacements(tmp_path / name, each)
        table = left(tmp_path / name).table("displacements.csv")
        part = table[table.component == "z"]
        spread[name] = np.average(((part.low + part.high) / 2) ** 2, weights=part["count"])
    cases = [case for iteration in range(12) for case in sampler.batch(iteration).cases]
    assert 0 < cases.count("b") < 12
    squares = {
        case: [float(sampler.batch(k).pairs.displacement[0, 2].square().mean()) for k in range(12) if cases[k] == case]
        for case in set(cases)
    }
    expected = sum(sum(values) * (4 if case == "b" else 1) for case, values in squares.items()) / sum(
        map(sum, squares.values())
    )
    assert spread["mixed"] / spread["same"] == pytest.approx(float(expected), rel=0.02)
    about = left(tmp_path / "mixed").about("synthetic.json")
    assert (about["spacing"], about["spacings"]) == (None, [[3, 6], [2, 4], [4, 8]])


def test_displacements_are_counted_as_those_of_the_pairs_of_the_first_iterations(scans, tmp_path, monkeypatch):
    _, sampler = setup(monkeypatch, scans, tmp_path)
    table = left(tmp_path).table("displacements.csv")
    for iteration in range(sampler.options.iterations):
        cases, found = sampler.displacements(iteration)
        batch = sampler.batch(iteration)
        assert cases == batch.cases
        assert torch.equal(found, batch.pairs.displacement)
    turn = io_orientation(sampler.affines[0]).astype(int)
    edges = np.arange(-100, 100.5, 0.5)
    for axis, (world, sign) in enumerate(turn):
        factor = float(voxel_sizes(sampler.affines[0])[axis] * (sign if world == 2 else -sign))
        values = [sampler.batch(k).pairs.displacement[:, axis].numpy() * factor for k in range(12)]
        part = table[table.component == "xyz"[world]]
        expected = np.histogram(np.concatenate(values), edges)[0]
        np.testing.assert_array_equal(part["count"], expected[expected > 0])
        np.testing.assert_array_equal(part.low, edges[:-1][expected > 0])
        np.testing.assert_array_equal(part.high, edges[1:][expected > 0])


def test_displacements_beyond_a_hundred_millimetres_count_nowhere():
    found = record._in_bins(torch.tensor([[-1e9, -100.1, -100.0, -0.1], [0.0, 99.9, 100.0, 3e9]]))
    assert found.sum() == 4
    assert [*np.flatnonzero(found)] == [0, 199, 200, 399]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": 30}, "the last level is alone from iteration 15, which must be below iterations, got 12"),
        ({"duration": 3}, "duration must be at least two transitions"),
        ({"snapshot_every": 0}, "snapshot_every"),
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"levels": 5, "iterations": 40}, "every axis must be a multiple of 16"),
    ],
)
def test_a_training_that_cannot_be_is_refused_at_once(scans, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        train(scans, tmp_path, **options)
    assert not list(tmp_path.glob("state*"))


def test_divergence_is_said_with_the_scan_and_leaves_what_there_was(scans, tmp_path):
    with pytest.raises(DivergedError, match=r"pairs [abc]"):
        train(scans, tmp_path, learning_rate=1e30)
    assert (tmp_path / "curve.jsonl").exists()


def test_cost_counts_the_network_that_registers():
    numbers = calls.cost(progressive, (30, 32, 32), channels=8, levels=3, shrink=2)
    assert numbers["parameters"] == sum(p.numel() for p in UNet(Architecture(8, levels=3)).parameters())
    assert numbers["full_parameters"] == 19_258_931
    assert numbers["full_macs"] == pytest.approx(522.74e9, rel=1e-4)


def test_a_map_that_cannot_be_read_costs_no_training(scans, tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "000000003.npz").write_bytes(b"torn")
    assert train(scans, tmp_path).exists()
    assert left(tmp_path).arrays("maps.npz")["iteration"].tolist() == [4, 8, 12]


def test_scans_must_have_one_orientation_though_listed_pairs_may_differ(tmp_path):
    writer = Writer(tmp_path / "turned")
    for case, affine in {"a": np.diag([-1.0, -1.0, 1.0, 1.0]), "b": np.diag([1.0, -1.0, 1.0, 1.0])}.items():
        writer.image(case, np.random.default_rng(0).random((8, 8, 8)), affine)
    writer.finish(Description(name="turned", training=TrainingSplit(("a", "b"), "listed"), test=()))
    with pytest.raises(ValueError, match="b differs from a in shape or orientation"):
        train(open_dataset(tmp_path / "turned"), tmp_path / "run")


def test_running_averages_that_are_infinite_are_divergence(scans, tmp_path, monkeypatch):
    step = training._iterate

    def poison(learner, sampler, iteration):
        row = step(learner, sampler, iteration)
        if iteration == 5:
            next(iter(learner.modules["model"].buffers())).fill_(np.inf)
        return row

    monkeypatch.setattr(training, "_iterate", poison)
    with pytest.raises(DivergedError, match="weights of model"):
        train(scans, tmp_path, checkpoint_every=6)
