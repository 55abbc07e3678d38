"""The archives on Google Drive: unpacked where they lie, fetched by a stand-in for gdown, refused where odd."""

import sys
import types
import zipfile

import pytest

from datasets import room
from datasets.files import DataError
from datasets.rcn import drive, finding, lists
from tests.datasets.serving import QUOTA_PAGE, Answer, address, serving

LIVERS = ("sliver_val.h5", "lits_val.h5", "lspig_val.h5")


class FileURLRetrievalError(Exception):
    """As gdown has it for a page in place of the file."""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    monkeypatch.setattr(drive, "time", types.SimpleNamespace(sleep=lambda seconds: None))
    folder = tmp_path / "cache" / "rcn_hdf5"
    folder.mkdir(parents=True)
    return folder


def zipped(path, *files, content=b"\x89HDF"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.writestr(file, content + file.encode())
    return path


@pytest.fixture
def gdown(monkeypatch):
    """A stand-in that takes what gdown 6.5 takes and no more, and does what it is told, a call after the other."""
    plan, asked = [], []

    def download(output=None, quiet=False, *, id=None, resume=False, timeout=None, progress=None):  # noqa: A002
        asked.append((id, resume))
        act = plan.pop(0) if len(plan) > 1 else plan[0]
        act(output)
        if progress is not None:
            progress(1, 2)
        return output

    module = types.SimpleNamespace(download=download, __spec__=object())
    monkeypatch.setitem(sys.modules, "gdown", module)
    return types.SimpleNamespace(plan=plan, asked=asked)


def raising(error):
    def act(output):
        raise error

    return act


def test_an_archive_that_lies_there_is_unpacked_whatever_it_is_called(cache):
    zipped(cache / "drive-download-001.zip", *(f"datasets/{file}" for file in LIVERS), "__MACOSX/._x", "README.txt")
    found = finding.find_files(["lits_val.h5"])
    assert found == {"lits_val.h5": cache / "lits_val.h5"}
    assert found["lits_val.h5"].read_bytes() == b"\x89HDFdatasets/lits_val.h5"
    assert sorted(path.name for path in cache.iterdir()) == ["drive-download-001.zip", "lits_val.h5"]


def test_a_mirror_is_read_and_never_written_to(cache, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror" / "rcn_hdf5"
    mirror.mkdir(parents=True)
    zipped(mirror / "a.zip", *LIVERS)
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    assert finding.find_files(["sliver_val.h5"]) == {"sliver_val.h5": cache / "sliver_val.h5"}
    assert [path.name for path in mirror.iterdir()] == ["a.zip"]


@pytest.mark.fault(20)
@pytest.mark.parametrize("name", ["../lits_val.h5", "/tmp/lits_val.h5", "a/../../lits_val.h5"])
def test_an_archive_that_leads_out_unpacks_nothing(cache, name):
    zipped(cache / "a.zip", name)
    with pytest.raises(DataError, match=r"a\.zip: .*lits_val\.h5.* leads out of the folder"):
        finding.find_files(["lits_val.h5"])
    assert [path.name for path in cache.iterdir()] == ["a.zip"]


@pytest.mark.fault(20)
def test_a_bomb_unpacks_nothing(cache):
    zipped(cache / "a.zip", "lits_val.h5", content=bytes(50_000_000))
    with pytest.raises(DataError, match=r"grows from \d+ to 50000011 bytes"):
        finding.find_files(["lits_val.h5"])
    assert [path.name for path in cache.iterdir()] == ["a.zip"]


@pytest.mark.fault(20)
def test_a_damaged_archive_leaves_no_half_file(cache):
    path = zipped(cache / "a.zip", "lits_val.h5", content=bytes(range(256)) * 3000)
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: cannot be unpacked .*download it again"):
        finding.find_files(["lits_val.h5"])
    assert [path.name for path in cache.iterdir()] == ["a.zip"]


@pytest.mark.fault(3)
def test_a_saved_quota_page_is_no_archive(cache):
    (cache / "a.zip").write_bytes(QUOTA_PAGE)
    with pytest.raises(DataError, match=r"a\.zip: a web page lies under this name: a daily quota .*is spent"):
        finding.find_files(["lits_val.h5"])


def test_what_does_not_fit_is_not_unpacked(cache, monkeypatch):
    zipped(cache / "a.zip", "lits_val.h5")
    monkeypatch.setattr(room, "free", lambda folder: room.SPARE)
    with pytest.raises(DataError, match=r"a\.zip: unpacked, 15 bytes do not fit into .*make room"):
        finding.find_files(["lits_val.h5"])


def test_a_missing_archive_is_fetched_once_for_all_that_it_holds(cache, gdown):
    gdown.plan.append(lambda output: zipped(output, *(f"x/{file}" for file in LIVERS)))
    for file in LIVERS:
        assert finding.find_files([file]) == {file: cache / file}
    assert gdown.asked == [("1xQMmYk9S8En2k_uavytuHeeSmN253jKo", True)]
    assert sorted(path.name for path in cache.iterdir() if path.suffix != ".lock") == sorted(LIVERS)


@pytest.mark.fault(3)
def test_a_line_that_breaks_is_tried_again_and_a_spent_quota_is_not(cache, gdown, caplog):
    gdown.plan.extend([raising(ConnectionError("reset")), lambda output: zipped(output, "lpba_val.h5")])
    assert finding.find_files(["lpba_val.h5"]) == {"lpba_val.h5": cache / "lpba_val.h5"}
    assert len(gdown.asked) == 2
    gdown.plan[:] = [raising(FileURLRetrievalError("Too many users have viewed or downloaded this file recently."))]
    with pytest.raises(DataError, match=r"4 of 4 files missing: .*adni\.h5.*pip install .gdown.*in a browser"):
        finding.find_files(["adni.h5", "abide.h5", "abidef.h5", "adhd.h5"])
    assert len(gdown.asked) == 3
    assert "daily quota of this file is spent; try again tomorrow, or in a browser, signed in" in caplog.text


@pytest.mark.fault(3)
def test_a_page_under_the_name_of_the_archive_is_removed(cache, gdown, caplog):
    def page(output):
        with open(output, "wb") as stream:
            stream.write(QUOTA_PAGE)

    gdown.plan.append(page)
    with pytest.raises(DataError, match="1 of 1 files missing"):
        finding.find_files(["lpba_val.h5"])
    assert len(gdown.asked) == 1
    assert "a web page came instead of the archive: a daily quota" in caplog.text
    assert not list(cache.glob("*.zip"))


def test_another_archive_than_expected_is_named(cache, gdown):
    gdown.plan.append(lambda output: zipped(output, "other.h5"))
    with pytest.raises(DataError, match=r"brain-evaluation\.zip: holds no lpba_val\.h5; is it another archive"):
        finding.find_files(["lpba_val.h5"])


def test_without_the_package_nothing_is_fetched_and_the_ways_are_told(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    assert not drive.can_fetch()
    with pytest.raises(
        DataError, match=r"lpba_val\.h5 from \"LPBA\", https://drive\.google\.com/open\?id=19v5.*pip install"
    ):
        finding.find_files(["lpba_val.h5"])


def test_the_package_itself_does_what_is_asked_of_it(cache, monkeypatch):
    """The real gdown, where it is installed, against a local server in Drive's place."""
    real = pytest.importorskip("gdown")
    content = zipped(cache / "whole", "lpba_val.h5").read_bytes()
    (cache / "whole").unlink()
    with serving(Answer(content)) as server:

        def download(id, **how):  # noqa: A002
            return real.download(address(server), **how)

        monkeypatch.setattr(drive, "import_module", lambda name: types.SimpleNamespace(download=download))
        assert finding.find_files(["lpba_val.h5"]) == {"lpba_val.h5": cache / "lpba_val.h5"}


def test_each_file_has_an_archive_and_a_size():
    assert set(lists.DRIVE) == set(lists.SIZES)
    assert len(set(lists.DRIVE.values())) == 4
    scans = {"lits_val.h5": 2 * 131, "lpba_val.h5": 2 * 40, "msd_dataset.h5": 933, "adhd.h5": 949}
    assert {file: lists.SIZES[file] for file in scans} == {file: n * 128**3 for file, n in scans.items()}
