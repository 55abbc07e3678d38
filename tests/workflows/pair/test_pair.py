"""The command: a pair from files to results that other tools read; faults told before any work."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name
from safetensors.numpy import save_file
from scipy import ndimage

from tests.datasets.own.made import SHIFT, interior, labelled, scene, write
from tests.workflows.own.files import changed, copied
from workflows.pair.__main__ import main
from workflows.pair.outputs import displacement_names

pytestmark = pytest.mark.early

QUICK = ["--method", "demons", "--set", "iterations=[20, 10]", "--threads", "1"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A pair on two grids of two formats, with labels and landmarks."""
    folder = tmp_path_factory.mktemp("inputs")
    fixed = scene(size=(34, 40, 28), spacing=(1.7, 1.3, 2.2), turn="PIR")
    moving = scene(size=(44, 38, 40), spacing=(1.5, 1.6, 1.6), turn="RAS", shift=SHIFT)
    write(fixed, folder / "fixed.nrrd")
    write(moving, folder / "moving.nii.gz")
    write(labelled(fixed), folder / "fixed_labels.nrrd")
    write(labelled(moving), folder / "moving_labels.nii.gz")
    points = np.array([[10.0, -5, 20], [20, 1, 16], [2, 3, 26]])
    np.savetxt(folder / "fixed.txt", points)
    np.savetxt(folder / "moving.txt", points + SHIFT)
    return folder


@pytest.fixture(scope="module")
def results(inputs, tmp_path_factory):
    """The folder of a registration with demons."""
    out = tmp_path_factory.mktemp("out") / "result"
    truth = ["--labels", *(str(inputs / name) for name in ("fixed_labels.nrrd", "moving_labels.nii.gz"))]
    truth += ["--landmarks", str(inputs / "fixed.txt"), str(inputs / "moving.txt"), "--landmark-unit", "lps"]
    main([str(inputs / "fixed.nrrd"), str(inputs / "moving.nii.gz"), *QUICK, *truth, "--out", str(out)])
    return out


def test_all_files_are_there_and_nothing_else(results):
    about = json.loads((results / "registration.json").read_text())
    named = {*(each["name"] for each in about["files"]), "registration.json", "methods.csv"}
    assert named == {path.name for path in results.iterdir()}
    assert {"warped.nii.gz", "transform.h5", "picture.png", "disp_fixed_moving.nii.gz"} < named


def test_what_was_done_is_said(results, inputs):
    about = json.loads((results / "registration.json").read_text())
    assert (about["method"], about["status"]) == ("demons", "ok")
    assert json.loads(about["run"]["params"])["iterations"] == [20, 10]
    assert about["fixed"]["path"] == str(inputs / "fixed.nrrd")
    assert (about["fixed"]["voxels"], about["grid"]) == ([34, 40, 28], [28, 34, 40])
    assert about["seconds"] > 0
    assert about["run"]["threads"] == 1


def test_the_numbers_are_better_than_before(results):
    numbers = json.loads((results / "registration.json").read_text())["numbers"]
    found = {(each["metric"], each["protocol"], each["region"]): each for each in numbers}
    dice, tre = found["dice", "nearest", "mean"], found["tre", "continuous", "mean"]
    assert dice["value"] > dice["before"] + 0.05
    assert tre["before"] == pytest.approx(np.linalg.norm(SHIFT), abs=1e-4)
    assert tre["value"] < 2
    assert pd.read_csv(results / "methods.csv").status.tolist() == ["ok"]


def test_the_warped_image_keeps_its_type_and_simpleitk_makes_the_same(results, inputs):
    fixed, moving = (sitk.ReadImage(str(inputs / name)) for name in ("fixed.nrrd", "moving.nii.gz"))
    warped, transform = (
        sitk.ReadImage(str(results / "warped.nii.gz")),
        sitk.ReadTransform(str(results / "transform.h5")),
    )
    assert warped.GetPixelID() == moving.GetPixelID() == sitk.sitkInt16
    assert warped.GetSize() == fixed.GetSize()
    least = float(sitk.GetArrayFromImage(moving).min())
    again = sitk.Resample(moving, fixed, transform, sitk.sitkLinear, least, sitk.sitkFloat64)
    array, expected = sitk.GetArrayFromImage(warped), sitk.GetArrayFromImage(again)
    assert np.abs(array - expected).max() <= 0.5 + 1e-3
    before = sitk.Resample(moving, fixed, sitk.Transform(), sitk.sitkLinear, least)
    errors = [
        np.abs(interior(sitk.GetArrayFromImage(each).astype(float) - sitk.GetArrayFromImage(fixed))).mean()
        for each in (warped, before)
    ]
    assert errors[0] < errors[1] / 2


def test_ants_reads_the_transform(results, inputs):
    ants = pytest.importorskip("ants")
    fixed, moving = (ants.image_read(str(inputs / name)) for name in ("fixed.nrrd", "moving.nii.gz"))
    theirs = ants.apply_transforms(fixed, moving, [str(results / "transform.h5")]).numpy()
    ours = sitk.GetArrayFromImage(sitk.ReadImage(str(results / "warped.nii.gz"))).transpose(2, 1, 0)
    assert np.abs(interior(theirs) - interior(ours)).max() <= 0.5 + 1e-3


def test_the_displacement_is_learn2regs(results, inputs):
    """As its evaluator reads it: voxels of the fixed image, the moving one on the fixed one's grid, axes as stored."""
    disp = nib.load(results / "disp_fixed_moving.nii.gz").get_fdata()
    fixed, moving = (sitk.ReadImage(str(inputs / name)) for name in ("fixed.nrrd", "moving.nii.gz"))
    assert disp.shape == (*fixed.GetSize(), 3)
    on_fixed = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, sitk.Transform(), sitk.sitkLinear, 20.0))
    identity = np.stack(np.meshgrid(*(np.arange(n) for n in fixed.GetSize()), indexing="ij"))
    points = identity + np.moveaxis(disp, -1, 0)
    warped = ndimage.map_coordinates(on_fixed.transpose(2, 1, 0).astype(float), points, order=1, mode="nearest")
    ours = sitk.GetArrayFromImage(sitk.ReadImage(str(results / "warped.nii.gz"))).transpose(2, 1, 0)
    assert np.abs(interior(warped - ours)).max() < 0.06 * np.ptp(ours)  # read twice here, once there


@pytest.mark.parametrize(
    ("fixed", "moving", "names"),
    [
        ("OASIS_0395_0000", "OASIS_0396_0000", ["disp_0395_0000_0396_0000.nii.gz", "disp_0395_0396.nii.gz"]),
        ("LungCT_0001_0000", "LungCT_0001_0001", ["disp_0001_0001.nii.gz"]),
        ("a", "b", ["disp_a_b.nii.gz"]),
        ("OASIS_0395_0000", "mine", ["disp_OASIS_0395_0000_mine.nii.gz"]),
        ("日本", "fixé_ü", ["disp_日本_fixé_ü.nii.gz"]),
    ],
)
def test_displacements_have_the_names_that_learn2reg_looks_for(fixed, moving, names):
    assert displacement_names(fixed, moving) == names


def test_several_methods_are_compared(inputs, tmp_path, capsys):
    pair = [str(inputs / "fixed.nrrd"), str(inputs / "moving.nii.gz")]
    main([*pair, "--methods", "identity,demons", "--threads", "1", "--out", str(tmp_path / "both"), "--spacing", "4"])
    table = pd.read_csv(tmp_path / "both" / "methods.csv")
    assert table.method.tolist() == ["identity", "demons"]
    for method in table.method:
        assert (tmp_path / "both" / method / "registration.json").exists()
    moving = sitk.ReadImage(str(inputs / "moving.nii.gz"))
    plain = sitk.Resample(moving, sitk.ReadImage(pair[0]), sitk.Transform(), sitk.sitkLinear, 20.0)
    still = sitk.ReadImage(str(tmp_path / "both" / "identity" / "warped.nii.gz"))
    assert np.abs(interior(sitk.GetArrayFromImage(still).astype(int) - sitk.GetArrayFromImage(plain))).max() <= 1


FAULTS = {
    "no method": ([], "name a method"),
    "unknown method": (["--method", "demon"], "'demon' is not in the catalogue; did you mean 'demons'"),
    "no weights": (["--method", "ldr-1"], "ldr-1 is a network: name its weights"),
    "weights of none": (["--method", "demons", "--weights", "x.safetensors"], "demons is no network"),
    "absent weights": (["--method", "ldr-1", "--weights", "x.safetensors"], "x.safetensors: no such file"),
    "the truth": (["--method", "truth"], "truth is given the true displacement"),
    "data set": (["--method", "demons", "--like", "brian-pair"], "did you mean 'brain-pair'"),
    "option": (["--method", "demons", "--set", "iterations"], "expected OPTION=VALUE"),
    "unknown option": (["--method", "demons", "--set", "itrations=3"], "unknown option 'itrations'"),
    "spacing": (["--method", "demons", "--spacing", "-1"], "--spacing: expected mm above 0"),
    "window": (["--method", "demons", "--window", "5", "2"], "the second number has to be the larger one"),
    "steps below none": (["--method", "demons", "--refine", "-1"], "--refine: expected 0 steps or more, got -1"),
    "refinement of none": (["--method", "demons", "--set", "refine.rate=0.2"], "needs --refine N"),
    "unknown refinement": (["--method", "demons", "--refine", "2", "--set", "refine.rat=1"], "did you mean 'rate'?"),
    "absent file": (["--method", "./nowhere.py"], "nowhere.py: no such file"),
    "no method's file": (["--method", __file__], "no function `load`"),
    "threads": (["--method", "demons", "--threads", "4096"], "--threads: expected 1 to"),
}


@pytest.mark.parametrize(("options", "fault"), FAULTS.values(), ids=FAULTS)
def test_faults_are_one_line_and_leave_nothing(inputs, tmp_path, options, fault):
    with pytest.raises(SystemExit) as caught:
        main([str(inputs / "fixed.nrrd"), str(inputs / "moving.nii.gz"), *options, "--out", str(tmp_path / "out")])
    text = str(caught.value)
    assert text.startswith("error: ")
    assert fault in text
    assert "\n" not in text
    assert not (tmp_path / "out").exists()


def flat(folder, ending):
    image = scene()[:, :, 15]
    return write(image, folder / f"flat{ending}")


def series(folder, ending):
    return write(sitk.JoinSeries(scene(), scene()), folder / f"series{ending}")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mha", ".nrrd"])
@pytest.mark.parametrize("make", [flat, series])
def test_a_moving_image_of_another_dimension_is_one_line(inputs, tmp_path, make, ending):
    moving = make(tmp_path, ending)
    with pytest.raises(SystemExit) as caught:
        main([str(inputs / "fixed.nrrd"), str(moving), *QUICK, "--out", str(tmp_path / "out")])
    text, dimension = str(caught.value), {flat: 2, series: 4}[make]
    assert text.startswith(f"error: {moving}: ")
    assert "3-D volume" in text or f"{dimension} dimensions; save one volume of three" in text
    assert "\n" not in text
    assert not (tmp_path / "out").exists()


def test_refinement_betters_what_a_method_gives_and_is_timed_apart(inputs, tmp_path):
    call = [str(inputs / "fixed.nrrd"), str(inputs / "moving.nii.gz"), "--method", "identity", "--threads", "1"]
    call += ["--landmarks", str(inputs / "fixed.txt"), str(inputs / "moving.txt"), "--landmark-unit", "lps"]
    errors, seconds = {}, {}
    for steps in (0, 10, 40):
        out = tmp_path / str(steps)
        main([*call, "--refine", str(steps), "--out", str(out)])
        about = json.loads((out / "registration.json").read_text())
        numbers = {(each["metric"], each["protocol"], each["region"]): each for each in about["numbers"]}
        errors[steps], seconds[steps] = numbers["tre", "continuous", "mean"]["value"], about["refine_seconds"]
        assert numbers["folding_count", "forward", "all"]["value"] == 0
        assert json.loads(about["run"]["params"]).get("refine") == ({"steps": steps} if steps else None)
        assert about["seconds"] >= (about["refine_seconds"] or 0)
    assert errors[0] == pytest.approx(np.linalg.norm(SHIFT), abs=1e-4)
    assert errors[0] > errors[10] + 0.3 > errors[40] + 0.6
    assert seconds[0] is None
    assert seconds[10] > 0
    table = pd.read_csv(tmp_path / "40" / "methods.csv")
    assert table.refine_seconds.tolist() == pytest.approx([seconds[40]])


def test_a_method_in_a_file_of_ones_own(inputs, tmp_path, monkeypatch):
    copied(tmp_path)
    monkeypatch.chdir(tmp_path)
    main([
        *(str(inputs / name) for name in ("fixed.nrrd", "moving.nii.gz")),
        *("--methods", "identity,./my_method.py", "--set", "my-method.longest=4", "--threads", "1", "--out", "out"),
    ])  # fmt: skip
    assert pd.read_csv("out/methods.csv").status.tolist() == ["ok", "ok"]
    about = json.loads((tmp_path / "out" / "my-method" / "registration.json").read_text())
    assert (about["run"]["module"], json.loads(about["run"]["params"])) == ("my_method.py", {"longest": 4})


def test_an_input_is_never_overwritten(inputs, tmp_path):
    write(scene(), tmp_path / "warped.nii.gz")
    with pytest.raises(SystemExit, match=r"would overwrite warped\.nii\.gz, an input"):
        main([str(tmp_path / "warped.nii.gz"), str(inputs / "moving.nii.gz"), *QUICK, "--out", str(tmp_path)])


def test_a_method_that_fails_is_told_and_the_next_one_runs(inputs, tmp_path):
    pair = [str(inputs / "fixed.nrrd"), str(inputs / "moving.nii.gz")]
    weights = tmp_path / "empty.safetensors"
    save_file({"bias": np.zeros(1)}, weights, metadata={"about": json.dumps({"method": "recursive", "params": {}})})
    methods = ["--methods", "ldr-1,identity", "--weights", f"ldr-1={weights}", "--threads", "1"]
    with pytest.raises(SystemExit, match=r"^error: ldr-1: .*empty\.safetensors: params is"):
        main([*pair, *methods, "--out", str(tmp_path / "out")])
    assert pd.read_csv(tmp_path / "out" / "methods.csv").status.tolist() == ["failed", "ok"]
    assert not (tmp_path / "out" / "ldr-1").exists()
    assert (tmp_path / "out" / "identity" / "registration.json").exists()


def test_what_an_earlier_method_left_does_not_stay_beside_a_failure(inputs, tmp_path):
    pair, out = [str(inputs / "fixed.nrrd"), str(inputs / "moving.nii.gz")], tmp_path / "out"
    main([*pair, "--method", "identity", "--threads", "1", "--out", str(out)])
    (out / "notes.txt").write_text("mine")
    failing = copied(tmp_path).with_name("my_method.py")
    changed(failing, ("        spectrum = ", "        raise ValueError('never')\n        spectrum = "))
    with pytest.raises(SystemExit, match=r"my-method: failed, register: ValueError: never \(my_method\.py, line 20\)$"):
        main([*pair, "--method", str(failing), "--threads", "1", "--out", str(out)])
    assert {path.name for path in out.iterdir()} == {"notes.txt", "registration.json", "methods.csv"}
    assert json.loads((out / "registration.json").read_text())["status"] == "failed"


def test_a_device_that_is_not_there_is_told_before_any_work(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("workflows.pair.__main__.missing_device", lambda device: f"no {device} here")
    pair = [str(inputs / "fixed.nrrd"), str(inputs / "moving.nii.gz")]
    with pytest.raises(SystemExit, match=r"^error: --device: cuda cannot be used: no cuda here$"):
        main([*pair, *QUICK, "--device", "cuda", "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_load_that_returns_nothing_is_told_so(inputs, tmp_path):
    pair, path = [str(inputs / "fixed.nrrd"), str(inputs / "moving.nii.gz")], copied(tmp_path).with_name("my_method.py")
    changed(path, ("    return register", "    register"))
    with pytest.raises(SystemExit, match="load returned NoneType, expected the function that registers"):
        main([*pair, "--method", str(path), "--threads", "1", "--out", str(tmp_path / "out")])


def test_a_negative_seed_is_refused_before_any_work(inputs, tmp_path):
    with pytest.raises(SystemExit, match=r"^error: --seed: expected 0 or more, got -1$"):
        main(
            [str(inputs / "fixed.nrrd"), str(inputs / "moving.nii.gz"), *QUICK, "--seed", "-1", "--out", str(tmp_path)]
        )


def test_an_empty_folder_name_is_refused(inputs, capsys):
    with pytest.raises(SystemExit):
        main([str(inputs / "fixed.nrrd"), str(inputs / "moving.nii.gz"), *QUICK, "--out", ""])
    assert "--out: name a folder" in capsys.readouterr().err
