"""A configuration file that lies elsewhere: its paths are its own, and its data may be like others."""

from functools import reduce
from pathlib import Path

import pytest
import yaml

from datasets.files import DataError
from workflows.configuration.config import merge
from workflows.configuration.reading import read_yaml
from workflows.configuration.resolve import resolve

BASE = {"profile": "mine", "seeds": [0], "run": {"datasets": ["mine"], "methods": ["identity", "elastix-bspline"]}}


def settings(*files, **more):
    """Resolve what Snakemake would hand over for some files, the last on top, and what is said on the command line."""

    return resolve(reduce(merge, [*(read_yaml(path) for path in files), more]), files)


def written(path: Path, **content) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


def folder_of(found) -> str:
    return found.dataset("mine").params["folder"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("scans", "{here}/scans"), (".", "{here}"), ("../x", "{up}/x"), ("~/scans", "{home}/scans"), ("/data", "/data")],
)
def test_a_path_is_relative_to_the_file_that_says_it(tmp_path, monkeypatch, text, expected):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    entry = {"module": "folder", "params": {"folder": text}}
    file = written(tmp_path / "up" / "here" / "bench.yaml", **BASE, datasets={"mine": entry})
    places = {"here": file.parent, "up": file.parent.parent, "home": tmp_path / "home"}
    assert folder_of(settings(file)) == expected.format(**places)


def test_of_several_files_the_last_one_that_says_it_counts(tmp_path):
    entry = {"module": "folder", "params": {"folder": "scans", "title": "scans"}}
    one = written(tmp_path / "one" / "bench.yaml", **BASE, datasets={"mine": entry})
    other = written(tmp_path / "two" / "more.yaml", datasets={"mine": {"params": {"folder": "others"}}})
    assert folder_of(settings(one, other)) == str(tmp_path / "two" / "others")
    assert folder_of(settings(other, one)) == str(tmp_path / "one" / "scans")
    assert settings(one).dataset("mine").params["title"] == "scans"  # text, and no path


def test_what_the_command_line_says_is_relative_to_where_it_is_typed(tmp_path, monkeypatch):
    entry = {"module": "folder", "params": {"folder": "scans"}}
    file = written(tmp_path / "one" / "bench.yaml", **BASE, datasets={"mine": entry})
    monkeypatch.chdir(tmp_path)
    found = settings(file, datasets={"mine": {"params": {"folder": "here"}}})
    assert folder_of(found) == str(tmp_path / "here")


def test_a_set_of_the_catalogue_may_be_given_a_folder(tmp_path):
    chosen = {**BASE, "run": {"datasets": ["learn2reg-nlst"], "methods": ["identity"]}}
    file = written(tmp_path / "bench.yaml", **chosen, datasets={"learn2reg-nlst": {"params": {"folder": "NLST"}}})
    assert settings(file).dataset("learn2reg-nlst").params["folder"] == str(tmp_path / "NLST")


def test_options_that_are_no_data_set_are_refused_with_the_file(tmp_path):
    entry = {"module": "folder", "params": {"folderr": "scans"}}
    file = written(tmp_path / "bench.yaml", **BASE, datasets={"mine": entry})
    with pytest.raises(DataError, match=r"bench\.yaml, datasets\.mine\.params: .*did you mean 'folder'"):
        settings(file)


def test_a_window_may_begin_below_zero(tmp_path):
    entry = {"module": "folder", "params": {"folder": "scans", "window": [-1000, 500]}}
    assert settings(written(tmp_path / "bench.yaml", **BASE, datasets={"mine": entry}))
    entry["params"]["spacing"] = -1
    with pytest.raises(DataError, match="spacing: expected no number below 0"):
        settings(written(tmp_path / "bench.yaml", **BASE, datasets={"mine": entry}))


def like(tmp_path, other, **more):
    entry = {"module": "folder", "like": other, "params": {"folder": "scans"}}
    return settings(written(tmp_path / "bench.yaml", **BASE, datasets={"mine": entry}, **more))


def test_methods_have_the_options_that_they_have_on_the_data_set_that_it_is_like(tmp_path):
    found = like(tmp_path, "phantom-lung")
    assert found.params("elastix-bspline", "phantom-lung") != found.params("elastix-bspline", "")
    assert found.params("elastix-bspline", "mine") == found.params("elastix-bspline", "phantom-lung")


def test_what_is_said_of_the_data_set_itself_goes_before(tmp_path):
    own = {"elastix-bspline": {"by_dataset": {"mine": {"params": {"iterations": 7}}}}}
    found = like(tmp_path, "phantom-lung", methods=own).params("elastix-bspline", "mine")
    assert found["iterations"] == 7
    assert found["preset"] == "lung"


def test_a_method_that_is_meant_for_some_data_sets_runs_on_those_that_are_like_them(tmp_path):
    chosen = {**BASE["run"], "methods": ["identity", "ants-syn-lung"]}
    for other, runs in (("phantom-lung", True), ("phantom-liver", False)):
        entry = {"module": "folder", "like": other, "params": {"folder": "scans"}}
        content = {**BASE, "run": chosen, "datasets": {"mine": entry}}
        assert settings(written(tmp_path / "bench.yaml", **content)).runs_on("ants-syn-lung", "mine") == runs


@pytest.mark.parametrize(
    ("other", "fault"), [("phantom-lungs", "did you mean 'phantom-lung'"), ("mine", "'mine' is like itself")]
)
def test_a_data_set_is_like_one_that_is_there(tmp_path, other, fault):
    with pytest.raises(DataError, match=rf"datasets\.mine\.like: .*{fault}"):
        like(tmp_path, other)
