"""Archives that cannot be used are refused in one line, and nothing is written."""

import contextlib
import json
import subprocess
import sys
import zipfile

import pytest

from reports.archive import packed
from reports.archive.packed import MANIFEST, ArchiveError, read
from tests.reports.archive.archive_inputs import archived
from workflows.configuration.sources import ROOT


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return archived(tmp_path_factory.mktemp("sound")).path


def rewritten(path, target, change):
    """A copy of an archive with its contents, by name, changed; the zip itself is sound."""
    with zipfile.ZipFile(path) as source:
        content = {name: source.read(name) for name in source.namelist()}
    change(content)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in content.items():
            out.writestr(name, data)
    return target


def manifest_with(**parts):
    def change(content):
        content[MANIFEST] = json.dumps({**json.loads(content[MANIFEST]), **parts}).encode()

    return change


def swap(content):
    content["rows/metrics.parquet"] = content["rows/metrics.parquet"][:-1] + b"?"


@pytest.mark.parametrize(("change", "words"), [
    (manifest_with(format=2), "has format 2, and this version reads 1"),
    (manifest_with(format="x"), "its manifest.json expected `int`, got `str`"),
    (manifest_with(files={}), "torn or changed: it has besides what it lists"),
    (lambda content: content.pop("run.json"), "torn or changed: it lacks run.json"),
    (lambda content: content.pop(MANIFEST), "no archive of a run: it has no manifest.json"),
    (swap, "torn or changed: rows/metrics.parquet has another sha256 than listed"),
    (lambda content: content.update({"../outside": b""}), "it holds '../outside', which would lie outside of it"),
    (lambda content: content.update({"/etc/outside": b""}), "it holds '/etc/outside', which would lie outside of it"),
    (lambda content: content.update({"..\\outside": b""}), r"outside', which would lie outside of it"),
    (lambda content: content.update({"\\outside": b""}), r"outside', which would lie outside of it"),
    (lambda content: content.update({"back\\slash": b""}), "torn or changed: it has besides what it lists back"),
])  # fmt: skip
def test_a_changed_archive_is_refused(sound, tmp_path, change, words):
    path = rewritten(sound, tmp_path / "archive.zip", change)
    with pytest.raises(ArchiveError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_torn_archive_is_refused(sound, tmp_path, share):
    content = sound.read_bytes()
    (tmp_path / "torn.zip").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ArchiveError, match=r"torn\.zip: not a readable archive, perhaps torn"):
        read(tmp_path / "torn.zip")


def test_a_flipped_byte_anywhere_is_seen(sound, tmp_path):
    content = sound.read_bytes()
    for place in range(60, len(content) - 4000, len(content) // 40):
        damaged = bytearray(content)
        damaged[place] ^= 0x55
        (tmp_path / "flipped.zip").write_bytes(damaged)
        again = None
        with contextlib.suppress(ArchiveError):
            again = read(tmp_path / "flipped.zip")
        # some bytes are of the zip's own bookkeeping, and no content depends on them
        assert again is None or again.content == read(sound).content


def test_what_would_unpack_to_too_much_is_not_read(sound, monkeypatch):
    monkeypatch.setattr(packed, "LARGEST", 1000)
    with pytest.raises(ArchiveError, match="are no archive of a run"):
        read(sound)


def test_a_missing_archive_is_told_on_the_command_line(tmp_path):
    call = [sys.executable, "-m", "workflows.archive", "show", str(tmp_path / "none.zip")]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    advice = "give the path of an archive.zip or of a folder with its content"
    assert done.stderr.splitlines() == [f"error: {tmp_path / 'none.zip'}: no such archive; {advice}"]
