"""Fields of one truth in every convention: each is found, or refused; none is scored as something else."""

from itertools import product

import numpy as np
import pytest

from datasets import geometry
from tests.methods.given import made as making
from tests.methods.given.made import DIRECTIONS, PAIRS, numbers, scored, write

FORMATS = (".nii.gz", ".npz", ".mha", "-last.pt", ".nrrd", "-vectors.nii.gz", ".pt", ".npy")
UNITS = ("voxels", "mm", "mm_lps", "mm_ras", "normalised", "normalised_corners")
CONVENTIONS = product(UNITS, ("displacement", "deformation"), ("array", "reversed"), ("pull", "push"))
CASES = [  # each convention once; formats and directions go through all of them out of step
    (FORMATS[(n + 3 * (n // 8)) % 8], list(DIRECTIONS)[(n + n // 4) % 4], *convention)
    for n, convention in enumerate(CONVENTIONS)
]
# By images alone these two cannot be told apart where voxels are many: they differ by half a voxel at the border.
TWINS = {"normalised", "normalised_corners"}
CLOSE = {"pull": 2e-3, "push": 0.02}  # voxels


def export(made, folder, form, *, unit, content, order, sense):
    """Write the truth of every pair; return the pattern of the names."""
    ending = next(each for each in (".nii.gz", ".npz", ".npy", ".mha", ".nrrd", ".pt") if form.endswith(each))
    extra = form.removesuffix(ending)
    for pair in PAIRS:
        u = (made.pull if sense == "pull" else made.push)[pair]
        stored = numbers(u, made.affine, content=content, unit=unit, order=order)
        write(folder / f"disp_{pair.fixed}_{pair.moving}{form}", stored, made.affine)
    return "disp_{fixed}_{moving}" + extra


@pytest.mark.parametrize(("form", "direction", "unit", "content", "order", "sense"), CASES)
def test_each_convention_is_found_or_refused(made, tmp_path, form, direction, unit, content, order, sense):
    pairs = made(direction)
    names = export(pairs, tmp_path, form, unit=unit, content=content, order=order, sense=sense)
    found, refused = making.tried(pairs, tmp_path, names=names)
    if refused:
        assert "the convention is ambiguous" in refused
        assert unit in TWINS
        assert unit in refused
        found = scored(pairs, tmp_path, names=names, unit=unit)  # what the message asks for
    assert making.error(pairs, found) < CLOSE[sense]


def test_there_are_enough_cases_of_every_kind():
    assert len(CASES) >= 48
    for place, wanted in ((0, FORMATS), (1, DIRECTIONS), (2, UNITS)):
        assert {case[place] for case in CASES} == set(wanted)


@pytest.mark.parametrize("unit", ["voxels", "mm", "mm_lps", "normalised", "normalised_corners"])
@pytest.mark.parametrize("reach", [0.3, 0.4, 0.6, 0.8, 1.3])
def test_a_method_that_moves_too_little_or_too_far_is_not_mistaken(tmp_path, unit, reach):
    """Of voxels of 2 mm a half of the way in millimetres is the whole in voxels; no image can tell these two apart,
    but any other share of the way is seen.
    """
    pairs = making.make(tmp_path / "data", "ras", spacing=(2.0, 2.0, 2.0))
    for pair in PAIRS:
        stored = numbers(reach * pairs.pull[pair], pairs.affine, content="displacement", unit=unit, order="array")
        write(tmp_path / "disp" / f"disp_{pair.fixed}_{pair.moving}.npz", stored, pairs.affine)
    found, refused = making.tried(pairs, tmp_path / "disp")
    assert bool(found) != refused.startswith(("the convention is ambiguous", "no convention makes"))
    for pair, u in found.items():
        assert abs(u - reach * pairs.pull[pair]).max() < CLOSE["pull"]


def test_the_figures_of_the_two_best_are_told(made, tmp_path):
    pairs = made("lps")
    export(pairs, tmp_path, ".nii.gz", unit="voxels", content="displacement", order="array", sense="pull")
    from methods import fields

    register = fields.load(fields.Params(folder=tmp_path), device="cpu", seed=0, data=pairs.data)
    usual = "[content: displacement, unit: voxels, order: array, sense: pull, axes: array]"
    assert register.told.startswith("convention found: mutual information in 2 of 2 pairs: ")
    assert f"under {usual}" in register.told
    assert register.told.endswith("as the second best")


def test_what_is_stated_is_not_looked_for(made, tmp_path):
    """Stated otherwise, the same numbers are another displacement, and the images are not asked."""
    pairs = made("ras")
    export(pairs, tmp_path, ".npz", unit="voxels", content="displacement", order="array", sense="pull")
    stated = {"content": "displacement", "unit": "mm", "order": "array", "sense": "pull", "axes": "array"}
    found = scored(pairs, tmp_path, **stated)
    for pair in PAIRS:
        expected = pairs.pull[pair] / [[[[2.0]]], [[[1.5]]], [[[2.6]]]]
        assert abs(found[pair] - expected).max() < 1e-4


def test_axes_the_other_way_round_are_seen_by_the_shape(made, tmp_path):
    pairs = made("oblique")
    for pair in PAIRS:
        stored = numbers(pairs.pull[pair], pairs.affine, content="displacement", unit="mm_lps", order="array")
        write(tmp_path / f"disp_{pair.fixed}_{pair.moving}.npy", stored.transpose(0, 3, 2, 1), pairs.affine)
    assert making.error(pairs, scored(pairs, tmp_path), margin=0) < CLOSE["pull"]


def test_a_chain_of_grid_sample_reads_what_torch_reads(made, tmp_path):
    """The oracle of normalised coordinates is torch itself."""
    import torch

    pairs = made("turned")
    pair = PAIRS[0]
    moving = torch.from_numpy(pairs.data.image(pair.moving).array)[None, None]
    for unit, corners in (("normalised", False), ("normalised_corners", True)):
        for each in PAIRS:
            stored = numbers(pairs.pull[each], pairs.affine, content="deformation", unit=unit, order="reversed")
            write(tmp_path / unit / f"disp_{each.fixed}_{each.moving}.npy", stored, pairs.affine)
        grid = torch.from_numpy(np.load(tmp_path / unit / f"disp_{pair.fixed}_{pair.moving}.npy"))[None]
        read = torch.nn.functional.grid_sample(moving, grid, align_corners=corners, padding_mode="border")
        found = scored(pairs, tmp_path / unit, unit=unit)[pair]
        ours = geometry.warp(pairs.data.image(pair.moving).array, found)
        assert abs(read[0, 0].numpy() - ours).max() < 1e-3
