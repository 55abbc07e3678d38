"""Fields that cannot be scored: each is refused with one line that says which file, what is wrong and what to do."""

import os
import pickle

import h5py
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.files import DataError
from methods import fields
from methods.given import finding
from tests.methods.given.made import PAIRS, SHAPE, itk_image, itk_transform, scored, write

A, C = (f"disp_{pair.fixed}_{pair.moving}" for pair in PAIRS)


@pytest.fixture
def pairs(made):
    return made("lps")


@pytest.fixture
def folder(pairs, tmp_path):
    """Sound fields as Learn2Reg has them."""
    for pair in PAIRS:
        write(tmp_path / f"disp_{pair.fixed}_{pair.moving}.nii.gz", pairs.pull[pair].astype(np.float32), pairs.affine)
    return tmp_path


def refusal(pairs, folder, **options) -> str:
    with pytest.raises(DataError) as error:
        scored(pairs, folder, **options)
    text = str(error.value)
    assert "\n" not in text
    return text


def test_sound_fields_are_scored(pairs, folder):
    assert set(scored(pairs, folder)) == set(PAIRS)


def test_all_missing_pairs_are_named_at_once(pairs, folder):
    for path in folder.iterdir():
        path.unlink()
    text = refusal(pairs, folder)
    assert "no field for 2 of 2 pairs: a__b, c__d" in text
    assert f"{A}.nii.gz" in text


def test_a_folder_that_is_not_there(pairs, tmp_path):
    text = refusal(pairs, tmp_path / "no")
    assert text.startswith(f"{tmp_path / 'no'}: not a folder that can be read")


def test_no_folder_at_all(pairs):
    with pytest.raises(DataError, match=r"params\.folder is not set"):
        fields.load(fields.Params(), device="cpu", seed=0, data=pairs.data)


def test_names_without_a_case(pairs, folder):
    assert "must name {fixed} and {moving}" in refusal(pairs, folder, names="disp_{fixed}")


@pytest.mark.parametrize("shape", [(19, 24, 30), (10, 12, 14), (20, 24, 30, 2)])
def test_another_grid(pairs, folder, shape):
    grid = shape if len(shape) == 4 else (*shape, 3)
    nib.save(nib.Nifti1Image(np.zeros(grid, np.float32), pairs.affine), folder / f"{A}.nii.gz")
    text = refusal(pairs, folder)
    assert f"{A}.nii.gz: is on another grid: its shape is {grid}, that of the fixed image {SHAPE}" in text


def test_displacements_that_lead_far_out_of_the_volume(pairs, folder):
    write(folder / f"{A}.nii.gz", 1e4 * pairs.pull[PAIRS[0]].astype(np.float32), pairs.affine)
    stated = {"content": "displacement", "unit": "voxels", "order": "array", "sense": "pull", "axes": "array"}
    text = refusal(pairs, folder, **stated)
    assert f"{A}.nii.gz: displacement of " in text
    assert text.endswith("correct the field, or its unit")


def test_every_field_of_no_use_is_named_at_once(pairs, folder):
    u = pairs.pull[PAIRS[0]].astype(np.float32)
    u[0, 0, 0, 0] = np.nan
    write(folder / f"{A}.nii.gz", u, pairs.affine)
    (folder / f"{C}.nii.gz").write_bytes((folder / f"{C}.nii.gz").read_bytes()[:2000])
    text = refusal(pairs, folder)
    assert text.startswith("2 of 2 fields cannot be used: ")
    assert f"{A}.nii.gz: 1 of 43200 values are NaN or infinite; " in text
    assert f"{C}.nii.gz: not a readable field" in text


def test_a_field_that_is_not_looked_at_is_refused_at_the_start_too(pairs, folder, monkeypatch):
    """With a convention that is stated as a whole."""
    monkeypatch.setattr(finding, "_some", lambda given: given[:1])
    u = pairs.pull[PAIRS[1]].astype(np.float32)
    u[0, 0, 0, 0] = np.nan
    write(folder / f"{C}.nii.gz", u, pairs.affine)
    stated = {"content": "displacement", "unit": "voxels", "order": "array", "sense": "pull", "axes": "array"}
    with pytest.raises(DataError, match=rf"{C}\.nii\.gz: 1 of 43200 values are NaN"):
        fields.load(fields.Params(folder=folder, **stated), device="cpu", seed=0, data=pairs.data)


def test_vectors_that_lie_elsewhere(pairs, tmp_path):
    for pair in PAIRS:
        away = pairs.affine.copy()
        away[:3, 3] += 40
        sitk.WriteImage(itk_image(pairs.pull[pair], away), str(tmp_path / f"disp_{pair.fixed}_{pair.moving}.mha"))
    assert "lies on another grid than the fixed image: origins differ" in refusal(pairs, tmp_path)


def test_a_grid_whose_axes_point_elsewhere(pairs, tmp_path):
    for pair in PAIRS:
        write(
            tmp_path / f"disp_{pair.fixed}_{pair.moving}.nii.gz",
            pairs.pull[pair],
            pairs.affine @ np.diag([-1, 1, 1, 1]),
        )
    assert "orientations differ" in refusal(pairs, tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(pairs, folder, value):
    u = pairs.pull[PAIRS[0]].astype(np.float32)
    u[1, 2, 3, :4] = value
    write(folder / f"{A}.nii.gz", u, pairs.affine)
    assert f"{A}.nii.gz: 4 of {3 * np.prod(SHAPE)} values are NaN or infinite" in refusal(pairs, folder)


def test_a_file_that_is_cut(pairs, folder):
    path = folder / f"{C}.nii.gz"
    path.write_bytes(path.read_bytes()[:2000])
    assert f"{C}.nii.gz: not a readable field, perhaps truncated" in refusal(pairs, folder)


@pytest.mark.parametrize("form", [".npz", ".npy", ".mha", ".nrrd", ".pt", "-vectors.nii.gz", ".h5", ".tfm"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_cut_file_of_any_format(pairs, tmp_path, form, share):
    for pair in PAIRS:
        path = tmp_path / f"disp_{pair.fixed}_{pair.moving}{form}"
        if form in (".h5", ".tfm"):
            sitk.WriteTransform(itk_transform(pairs.pull[pair], pairs.affine), str(path))
        else:
            write(path, pairs.pull[pair].astype(np.float32), pairs.affine)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    text = refusal(pairs, tmp_path, names="disp_{fixed}_{moving}" + "-vectors" * form.startswith("-"))
    assert str(tmp_path / "disp_a_b") in text


def test_two_formats_for_one_pair(pairs, folder):
    np.savez(folder / f"{A}.npz", np.zeros((3, *SHAPE)))
    assert "pair a__b has fields of several formats" in refusal(pairs, folder)


def test_two_formats_in_one_set(pairs, folder):
    (folder / f"{A}.nii.gz").unlink()
    np.savez(folder / f"{A}.npz", np.zeros((3, *SHAPE)))
    assert "these differ in format" in refusal(pairs, folder)


def test_several_arrays_in_one_file(pairs, tmp_path):
    for pair in PAIRS:
        np.savez(tmp_path / f"disp_{pair.fixed}_{pair.moving}.npz", flow=np.zeros((3, *SHAPE)), weights=np.zeros(3))
    assert "holds 2 arrays (flow, weights); write one array a file" in refusal(pairs, tmp_path)


def test_a_pickle_with_code_is_not_run(pairs, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    import torch

    for pair in PAIRS:
        torch.save({"flow": Bomb()}, tmp_path / f"disp_{pair.fixed}_{pair.moving}.pt")
    assert "holds more than a tensor; save the tensor alone" in refusal(pairs, tmp_path)
    for pair in PAIRS:
        (tmp_path / f"disp_{pair.fixed}_{pair.moving}.pt").unlink()
        (tmp_path / f"disp_{pair.fixed}_{pair.moving}.npy").write_bytes(pickle.dumps(Bomb()))
    assert "not a readable field" in refusal(pairs, tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_chain_with_a_part_that_cannot_be_applied(pairs, tmp_path):
    for pair in PAIRS:
        path = tmp_path / f"disp_{pair.fixed}_{pair.moving}.h5"
        sitk.WriteTransform(
            sitk.CompositeTransform([itk_transform(pairs.pull[pair], pairs.affine), sitk.Euler3DTransform()]), str(path)
        )
        with h5py.File(path, "r+") as file:
            last = max(file["TransformGroup"], key=int)
            del file["TransformGroup"][last]["TransformType"]
            kind = np.array([b"TimeVaryingVelocityFieldTransform_double_3_3"], dtype=object)
            file["TransformGroup"][last].create_dataset("TransformType", data=kind, dtype=h5py.string_dtype())
    text = refusal(pairs, tmp_path)
    assert "part 3 of 3, TimeVaryingVelocityFieldTransform_double_3_3, is not supported" in text


@pytest.mark.parametrize(
    "content", [b"", b"no transform", b"#Insight Transform File V1.0\nTransform: Nonsense_double_3_3\n"]
)
def test_files_that_hold_no_transform(pairs, tmp_path, content):
    for pair in PAIRS:
        (tmp_path / f"disp_{pair.fixed}_{pair.moving}.tfm").write_bytes(content)
    text = refusal(pairs, tmp_path)
    assert "disp_a_b.tfm: " in text
    assert any(words in text for words in ("holds no ITK transform", "Nonsense_double_3_3, is not supported"))


def test_an_hdf5_file_of_something_else(pairs, tmp_path):
    for pair in PAIRS:
        with h5py.File(tmp_path / f"disp_{pair.fixed}_{pair.moving}.h5", "w") as file:
            file["flow"] = np.zeros((3, *SHAPE))
    assert "holds no ITK transform" in refusal(pairs, tmp_path)


def test_fields_of_other_pairs(pairs, tmp_path):
    rng = np.random.default_rng(5)
    for pair in PAIRS:
        np.savez(tmp_path / f"disp_{pair.fixed}_{pair.moving}.npz", 3 * rng.normal(size=(3, *SHAPE)))
    text = refusal(pairs, tmp_path)
    assert text.startswith("no convention makes the images more alike: mutual information in 2 of 2 pairs: ")
    assert "as the second best" in text


def test_an_ambiguous_convention_names_both_with_their_figures(pairs, tmp_path):
    for pair in PAIRS:
        write(tmp_path / f"disp_{pair.fixed}_{pair.moving}.npz", pairs.pull[pair] / 12, pairs.affine)
    text = refusal(pairs, tmp_path, content="displacement", order="array", sense="pull", axes="array")
    assert text.startswith("the convention is ambiguous: ")
    assert "state under params which one holds: unit (normalised" in text
    assert text.count("content: displacement, unit: normalised") == 2


def test_a_push_that_folds_cannot_be_inverted(pairs, tmp_path):
    rng = np.random.default_rng(1)
    for pair in PAIRS:
        write(tmp_path / f"disp_{pair.fixed}_{pair.moving}.npz", 4 * rng.normal(size=(3, *SHAPE)), pairs.affine)
    stated = {"content": "displacement", "unit": "voxels", "order": "array", "sense": "push", "axes": "array"}
    assert "cannot be inverted" in refusal(pairs, tmp_path, **stated)
