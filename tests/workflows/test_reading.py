"""A configuration file of any content is read, or refused in one line that names it, before anything is done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflows.pipeline_inputs import TINY
from workflows import show
from workflows.configuration.config import SettingsError
from workflows.configuration.reading import read_yaml
from workflows.configuration.sources import ROOT

FAULTY = {
    "twice": (b"a: 1\nb: 2\na: 3\n", "line 3: the key 'a' appears twice"),
    "twice-below": (b"a: {b: 1, 'b': 2}\n", "line 1: the key 'b' appears twice"),
    "twice-json": (b'{"a": {"b": 1, "b": 2}}', "the key 'b' appears twice"),
    "tab": (b"a:\n\t- 1\n", "line 2: a line is indented by a tab; YAML wants spaces"),
    "list": (b"- 1\n- 2\n", "expected keys and values at the top, found a list"),
    "text": (b"hello\n", "expected keys and values at the top, found only 'hello'"),
    "null": (b"# a comment alone\n", "the file says nothing"),
    "empty": (b" \n", "the file says nothing"),
    "open": (b"a: [1\n", "line 2: not valid YAML"),
    "json-comma": (b'{\n\t"a": 1,\n\t"b": [2,\n}\n', "line 4: not valid JSON"),
    "latin-1": ("a: 1\nb: naïve\n".encode("latin-1"), "line 2: the byte 0xef is not UTF-8; save the file as UTF-8"),
    "cp1252": ("a: “quoted”\n".encode("cp1252"), "line 1: the byte 0x93 is not UTF-8"),
    "utf-16": ("a: 1\n".encode("utf-16"), "the text is UTF-16; save it as UTF-8"),
    "utf-32": ("a: 1\n".encode("utf-32-be"), "this is no text file"),
    "binary": (b"\x7fELF\x02\x01\x00\x00", "this is no text file"),
    "control": (b"a: \x07\n", "cannot be read as YAML or JSON"),
    "two": (b"a: 1\n---\nb: 1\n", "line 2: not valid YAML"),
    "alias": (b"a: *b\n", "line 1: not valid YAML: found undefined alias 'b'"),
    "itself": (b"a: &a {b: *a}\n", "cannot be read as YAML or JSON"),
    "deep": (b"[" * 5000, "cannot be read as YAML or JSON"),
    "date": (b"a: 2020-02-31\n", "cannot be read as YAML or JSON: day is out of range"),
    "code": (b"a: !!python/object/apply:os.getcwd []\n", "line 1: 'tag:yaml.org,2002:python/object/apply:os.getcwd' "),
    "octal": (b"a: 1\nb: [1, -0123]\n", "line 2: YAML reads -0123 as another number"),
    "octal-zero": (b"a: 00\n", "line 1: YAML reads 00 as another number"),
    "minutes": (b"a: 2:45\n", "line 1: YAML reads 2:45 as another number"),
    "minutes-point": (b"a: 2:45.5\n", "line 1: YAML reads 2:45.5 as another number"),
    "bomb": (
        b"a: &a [1, 2, 3]\n"
        + b"".join(b"%c: &%c [%s]\n" % (k, k, b", ".join([b"*%c" % (k - 1)] * 9)) for k in b"bcdefghijk"),
        "more than 100000 values; write fewer aliases",
    ),
    "list-key": (b"? [1, 2]\n: 3\n", "line 1: not valid YAML: found unhashable key"),
}


@pytest.mark.fault(21)
@pytest.mark.parametrize("kind", FAULTY)
def test_a_faulty_file_is_refused_in_one_line_that_names_it(tmp_path, kind):
    content, message = FAULTY[kind]
    path = tmp_path / f"{kind}.yaml"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.fault(21)
def test_a_path_that_is_no_file_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "smoke.yaml").write_text("a: 1")
    with pytest.raises(SettingsError, match=r"smok\.yaml: cannot be read, .*did you mean 'smoke\.yaml'\?"):
        read_yaml(tmp_path / "smok.yaml")
    with pytest.raises(SettingsError, match="it is a folder"):
        read_yaml(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbfa: 1\n", {"a": 1}),
        (b'{\t"a": 1,\n\t"b": [true, null]}', {"a": 1, "b": [True, None]}),
        (b"{a: 1, b: [x]}\n", {"a": 1, "b": ["x"]}),
        (b"a: [0, -0, 0.5, '010', 10, \"1:30\", 007.5]\n", {"a": [0, 0, 0.5, "010", 10, "1:30", 7.5]}),
        ("a: 'ø ∞'\r\nb: 2\r\n".encode(), {"a": "ø ∞", "b": 2}),
    ],
)
def test_forms_that_people_write_are_read(tmp_path, content, expected):
    (tmp_path / "my.yaml").write_bytes(content)
    assert read_yaml(tmp_path / "my.yaml") == expected


def test_merge_keys_are_read_as_yaml_says(tmp_path):
    text = "b: &b {x: 1, y: 2}\na: &a {<<: *b, x: 3}\nc: {<<: [*a, *b], z: 1}\n"
    (tmp_path / "my.yaml").write_text(text)
    assert read_yaml(tmp_path / "my.yaml") == yaml.safe_load(text) | {"c": {"x": 3, "y": 2, "z": 1}}


def snakemake(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    words = [
        Path(sys.executable).with_name("snakemake"),
        "-s",
        ROOT / "Snakefile",
        "--cores",
        "1",
        "report",
        *arguments,
    ]
    return subprocess.run(words, capture_output=True, text=True, cwd=folder, env={**os.environ, **variables})


def only_line(done: subprocess.CompletedProcess) -> str:
    """Return the one line that a refused command leaves on the terminal beside Snakemake's first."""
    (line,) = [each for each in (done.stdout + done.stderr).splitlines() if "profiles/default" not in each]
    return line


@pytest.mark.fault(21)
@pytest.mark.parametrize("kind", ["tab", "binary"])  # with a line and without; the others: above
def test_snakemake_answers_a_faulty_file_with_that_line(tmp_path, kind):
    content, message = FAULTY[kind]
    (tmp_path / "my.yaml").write_bytes(content)
    done = snakemake(tmp_path, "--configfile", "my.yaml")
    assert done.returncode == 1
    assert only_line(done).startswith(f"WarpBench: my.yaml{'' if message[:4] != 'line' else ', '}")
    assert message in only_line(done)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["my.yaml"]


@pytest.mark.fault(21)
def test_a_missing_file_is_one_line_too(tmp_path):
    done = snakemake(tmp_path, "--configfile", "nowhere.yaml")
    assert only_line(done).startswith("WarpBench: nowhere.yaml: cannot be read, there is no such file")


@pytest.mark.fault(21)
def test_the_file_that_has_the_faulty_place_is_named(tmp_path):
    (tmp_path / "tiny.json").write_text(json.dumps(TINY))
    (tmp_path / "more.yaml").write_text("methods: {demons: {params: {iterationz: [3]}}}\n")
    done = snakemake(tmp_path, "--configfile", "tiny.json", "more.yaml")
    assert only_line(done) == (
        f"WarpBench: {tmp_path}/more.yaml, methods.demons.params: unknown option 'iterationz'; "
        "did you mean 'iterations'?"
    )


def test_show_answers_a_binary_file_with_that_line(tmp_path):
    (tmp_path / "my.yaml").write_bytes(b"\x00\x01\x02")
    with pytest.raises(SystemExit) as caught:
        show.main(["--configfile", str(tmp_path / "my.yaml")])
    assert str(caught.value).startswith(f"error: {tmp_path}/my.yaml: this is no text file")
