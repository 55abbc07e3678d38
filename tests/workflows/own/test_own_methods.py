"""A method in a file of a user's own: found from its configuration, checked without being run, shown, registered."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.records import Registrations, read
from datasets.files import DataError, read_displacement
from tests.workflows.own.files import EXAMPLE, changed, copied
from workflows import register, show
from workflows.configuration import own_methods, sources
from workflows.configuration.config import SettingsError
from workflows.configuration.reading import read_yaml
from workflows.configuration.resolve import resolve
from workflows.planning.layout import ChunkFolder
from workflows.planning.plan import Plan
from workflows.planning.wildcards import Wildcards
from workflows.running.options import import_method

JOB = Wildcards("phantom-liver", "my-method", "0", "0")


@pytest.fixture(autouse=True)
def _nothing_stays_imported(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("my_method", "beside"):
        sys.modules.pop(name, None)


def resolved(path: Path):
    return resolve(read_yaml(path), [path])


def test_a_path_is_relative_to_the_file_that_says_it(tmp_path, monkeypatch):
    path = copied(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    expected = str(tmp_path / "mine" / "my_method.py")
    assert resolved(path).module("my-method") == expected
    assert resolved(Path("mine/my_method.yaml")).module("my-method") == expected
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolved(changed(path, ("./my_method.py", "~/mine/my_method.py"))).module("my-method") == expected


def test_a_file_that_names_no_profile_does_not_take_the_place_of_the_default_one(tmp_path):
    path = changed(copied(tmp_path), ("profile: my-method\n", ""))
    with pytest.raises(SettingsError, match=r"my_method\.yaml names no profile, .* write a line `profile: NAME`"):
        resolved(path)
    both = {**read_yaml(path), "profile": "mine"}  # of several files one is enough
    assert resolve(both, [path]).config.profile == "mine"


def test_of_two_files_the_last_that_says_it_counts_and_the_working_folder_where_none_does(tmp_path, monkeypatch):
    first, last = copied(tmp_path / "one"), copied(tmp_path / "two")
    content = {**read_yaml(first), **read_yaml(last)}
    assert resolve(content, [first, last]).module("my-method") == str(tmp_path / "two" / "my_method.py")
    monkeypatch.chdir(tmp_path / "one")
    assert resolve(content).module("my-method") == str(tmp_path / "one" / "my_method.py")


def test_its_options_are_checked_like_any_others(tmp_path):
    path = changed(copied(tmp_path), ("longest: 6", "longset: 6"))
    with pytest.raises(SettingsError, match=r"my_method\.yaml, .*unknown option 'longset'; did you mean 'longest'"):
        resolved(path)
    with pytest.raises(SettingsError, match='longest: expected whole number, got "far"'):
        resolved(changed(path, ("longset: 6", "longest: far")))


def test_what_its_code_is_and_needs_is_known(tmp_path):
    path = copied(tmp_path)
    changed(tmp_path / "my_method.py", (NUMPY, f"{NUMPY}from beside import twice\n"))
    (tmp_path / "beside.py").write_text("import scipy\nfrom datasets import grid\n\ntwice = 2\n")
    plan = Plan(resolved(path))
    code = {Path(each).resolve() for each in plan.method_code(JOB)}
    assert {tmp_path / "my_method.py", tmp_path / "beside.py", sources.ROOT / "datasets" / "grid.py"} <= code
    assert set(plan.register(JOB).run.by.libraries) == {"numpy", "scipy"}


def test_results_know_their_code_and_not_its_place(tmp_path, make_dataset, registration):
    data, runs = make_dataset(), []
    for folder in ("one", "two"):
        path = copied(tmp_path / folder).with_name("my_method.py")
        spec = replace(registration(data, str(path)), sources=[path])
        runs.append(register.run_id(spec, 1, data.description, None))
    assert runs[0] == runs[1]
    changed(path, ("1e-6", "1e-5"))
    assert register.run_id(spec, 1, data.description, None) != runs[0]


def test_it_registers_under_supervision_and_its_row_names_no_folder(tmp_path, make_dataset, registration):
    data, path = make_dataset(), copied(tmp_path / "mine").with_name("my_method.py")
    spec = registration(data, str(path), longest=3)
    register.register(spec, threads=1)
    done = read(ChunkFolder(spec.folder).registrations, Registrations)
    assert [record.status for record in done.pairs] == ["ok", "ok"]
    assert (done.run.module, json.loads(done.run.params)) == ("my_method.py", {"longest": 3})
    displacement = read_displacement(ChunkFolder(spec.folder).displacement(data.test_pairs[0]))
    assert np.abs(displacement).max() <= 3


def test_one_that_hangs_is_stopped_and_the_next_pair_runs(tmp_path, make_dataset, registration):
    path = copied(tmp_path / "mine").with_name("my_method.py")
    changed(path, ("        spectrum", "        while moving.max() < 0.5:\n            pass\n        spectrum"))
    spec = registration(make_dataset(dark=1, bright=1), str(path), time_limit=2)
    register.register(spec, threads=1)
    done = read(ChunkFolder(spec.folder).registrations, Registrations)
    assert [record.status for record in done.pairs] == ["timeout", "ok"]


def test_the_example_finds_a_shift(tmp_path):
    module = import_method(str(copied(tmp_path).with_name("my_method.py")))
    rng, shape, shift = np.random.default_rng(0), (20, 24, 28), (3, -2, 5)
    fixed = rng.random(shape, np.float32)
    moving = np.roll(fixed, shift, (0, 1, 2))  # moving(x + shift) = fixed(x)
    displacement = module.load(module.Params(), device="cpu", seed=0)(fixed, moving, (1, 1, 1))
    assert (displacement == np.reshape(shift, (3, 1, 1, 1))).all()


def test_show_names_its_file_its_options_and_where_they_come_from(tmp_path, capsys):
    show.main(["my-method", "phantom-liver", "--configfile", str(copied(tmp_path))])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"module {tmp_path / 'my_method.py'} profile my-method" in lines
    assert "longest 6 profile my-method" in lines
    assert any("the longest shift along an axis, in voxels (whole number; default 8)" in line for line in lines)
    show.main(["--configfile", str(tmp_path / "my_method.yaml")])
    listed = [line.split()[:4] for line in capsys.readouterr().out.splitlines()]
    assert ["*", "my-method", "classical", "my_method.py"] in listed


def test_files_of_one_name_are_imported_from_their_own_folders(tmp_path):
    for name, value in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "my_method.py").write_text(f"VALUE = {value}\n")
    assert [import_method(str(tmp_path / name / "my_method.py")).VALUE for name in ("one", "two", "one")] == [1, 2, 1]


FROZEN = "@dataclass(frozen=True)\nclass Params"
NUMPY = "import numpy as np\n"
FAULTS = {
    "syntax": (("def load(", "def load(("), r"my_method\.py, line \d+: no Python file that can be read \("),
    "no load": (("def load(", "def lode("), "my_method.py: no function `load`; methods/__init__.py has"),
    "no seed": (("seed: int", "sead: int"), "line 16: `load` has no parameter 'seed'; it is called with params, "),
    "no options": (("class Params", "class Parms"), "my_method.py: no class `Params`; write a frozen dataclass"),
    "not frozen": ((FROZEN, "@dataclass\nclass Params"), "line 10: `Params` is no frozen dataclass; write @dataclass"),
    "thawed": (("frozen=True", "frozen=False"), "`Params` is no frozen dataclass"),
    "no dataclass": (("@dataclass(frozen=True)\n", ""), "line 9: `Params` is no frozen dataclass"),
    "no default": (("longest: int = 8", "longest: int"), "`Params.longest` has no default; every option has one"),
    "missing package": ((NUMPY, f"{NUMPY}import nunpy.linalg\n"), "line 7: imports nunpy, which is not installed;"),
    "missing later": (("        peaks", "        import nunpy\n        peaks"), "line 21: imports nunpy"),
    "relative": ((NUMPY, f"{NUMPY}from .net import Net\n"), "line 7: a relative import; write `from net import ...`"),
    "the judge": ((NUMPY, f"{NUMPY}from benchmarks.measures import folds\n"), "imports benchmarks; a method sees"),
    "the truth": ((NUMPY, f'{NUMPY}NEEDS = ("true_displacement",)\n'), "NEEDS names 'true_displacement'; a method may"),
    "needs of a call": ((NUMPY, f"{NUMPY}NEEDS = tuple(map(str, []))\n"), "NEEDS names 'an expression'"),
    "no training options": ((NUMPY, f"{NUMPY}def train(**kwargs): ...\n"), "no class `Training`"),
}


@pytest.mark.parametrize(("edit", "fault"), FAULTS.values(), ids=FAULTS)
def test_what_is_no_method_is_one_line(tmp_path, edit, fault):
    path = copied(tmp_path)
    changed(path.with_name("my_method.py"), edit)
    with pytest.raises(DataError, match=fault if "\\" in fault else re.escape(fault)) as caught:
        resolved(path)
    assert str(tmp_path / "my_method.py") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_module_added_among_the_methods_that_is_none_is_one_line(tmp_path, monkeypatch):
    config = resolve({"run": {"datasets": ["phantom-liver"], "methods": ["demons"]}}).config
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "demons.py").write_text("def load(params, *, device, seed): ...\n")
    monkeypatch.setattr(own_methods.sources, "ROOT", tmp_path)
    with pytest.raises(SettingsError, match=r"methods\.demons\.module: .*demons\.py: no class `Params`; write"):
        own_methods.check(config)


def test_a_package_that_may_be_missing_is_no_fault(tmp_path):
    path, careful = copied(tmp_path), "try:\n    import nunpy\nexcept ImportError:\n    nunpy = None\n"
    changed(path.with_name("my_method.py"), (NUMPY, NUMPY + careful))
    assert resolved(path)


NAMES = {
    "nowhere.py": "nowhere.py: no such file; beside it is my_method.py",
    "demons.py": "demons.py: 'demons' is a method of this project; rename the file",
    "scipy.py": "scipy.py: hides the library 'scipy', which then could not be imported; rename the file",
    "random.py": "random.py: hides the library 'random'",
    "datasets.py": "datasets.py: hides the library 'datasets'",
    "my-method.py": "my-method.py: no name of a Python module; call it like my_method.py",
    "my{x}.py": "my{x}.py: no name of a Python module",
}


@pytest.mark.parametrize(("name", "fault"), NAMES.items(), ids=NAMES)
def test_a_file_that_cannot_be_imported_by_its_name_is_refused(tmp_path, name, fault):
    path = changed(copied(tmp_path), ("./my_method.py", f"./{name}"))
    if name != "nowhere.py":
        (tmp_path / "my_method.py").rename(tmp_path / name)
    with pytest.raises(SettingsError, match=re.escape(fault)) as caught:
        resolved(path)
    assert str(caught.value).startswith(f"{path}, methods.my-method.module: ")


def test_files_beside_it_may_not_hide_libraries(tmp_path):
    path = copied(tmp_path)
    (tmp_path / "yaml.py").write_text("")
    changed(path.with_name("my_method.py"), (NUMPY, f"{NUMPY}import yaml\n"))
    with pytest.raises(SettingsError, match="line 7: imports yaml, which is a file beside it and a library too"):
        resolved(path)
    changed(path.with_name("my_method.py"), ("import yaml", "import beside"))
    (tmp_path / "beside.py").write_text("import nunpy\n")
    sources._own_imports.cache_clear()
    sources._read.cache_clear()
    sources.imported_modules.cache_clear()
    with pytest.raises(SettingsError, match=r"my_method\.py: beside\.py, line 1: imports nunpy"):
        resolved(path)


def test_names_of_the_catalogue_and_of_each_other_are_taken(tmp_path):
    path = changed(copied(tmp_path), ("my-method:", "demons:"), (", my-method", ""))
    with pytest.raises(SettingsError, match=r"demons\.module: the catalogue has a method of this name, .*demons"):
        resolved(path)
    path = changed(copied(tmp_path), ("my-method]", "my-method, other]"))
    copied(tmp_path / "other")
    twin = "  other: {module: other/my_method.py, label: Other, kind: classical}\n"
    path.write_text(path.read_text() + twin)
    with pytest.raises(SettingsError, match=r"other\.module: .*has the same name; rename one file"):
        resolved(path)


def test_it_is_learned_only_where_it_trains(tmp_path):
    with pytest.raises(SettingsError, match=r"kind: learned, but /.*my_method\.py has no function `train`"):
        resolved(changed(copied(tmp_path), ("classical", "learned")))


@pytest.mark.parametrize("name", ["my_method.py", "my_method.yaml"])
def test_the_page_shows_the_files_that_are_tested(name):
    assert (EXAMPLE / name).read_text("utf-8") in (EXAMPLE.parent / "own-method.md").read_text("utf-8")
