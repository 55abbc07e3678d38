"""Archives that are not what they say: refused with a line, before anything is unpacked or written."""

import io
import stat
import tarfile
import warnings
import zipfile

import pytest

from datasets import archives
from datasets.archives import names_in_zip, read_from_tar, read_from_zip
from datasets.files import DataError
from tests.datasets.dirlab_inputs import put
from workflows.planning.specs import PrepareSpec
from workflows.prepare import prepare


def zipped(path, *members):
    """Write members: a name (or a `ZipInfo`) and its content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return path


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def taped(path, *members, mode="w"):
    """Write members: a `TarInfo` and its content."""
    with tarfile.open(path, mode) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def entry(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


HEAD = (entry("a.mhd"), b"head")
ODD_NAMES = ["../up.img", "a/../../up.img", "/etc/up.img", "C:\\up.img", "..\\up.img", "a\\..\\..\\up.img"]


@pytest.mark.fault(20)
@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_that_lead_out_are_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"x\.zip: .*up\.img.* leads out of the folder"):
        names_in_zip(zipped(tmp_path / "x.zip", ("a.img", b"1"), (name, b"2")))
    with pytest.raises(DataError, match=r"x\.tar: .*up\.img.* leads out of the folder"):
        read_from_tar(taped(tmp_path / "x.tar", HEAD, (entry(name), b"2")), ".mhd")


@pytest.mark.fault(20)
@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("a.img", b"1"), ("A.img", b"2")], "'A.img' is there twice"),
        ([("a.img", b"1"), ("a.img", b"2")], "is there twice"),
        ([(link("a.img"), b"/etc/passwd")], "is a link"),
        ([("a.img", b"1"), ("more.zip", b"PK")], "is an archive in an archive"),
        ([("a.img", b"1"), ("more.tar.gz", b"")], "is an archive in an archive"),
        ([("a.img", bytes(50_000_000))], r"grows from \d+ to 50000000 bytes"),
    ],
)
def test_odd_zip_archives_are_refused(tmp_path, members, said):
    with pytest.raises(DataError, match=rf"x\.zip: .*{said}, as in no archive of scans"):
        names_in_zip(zipped(tmp_path / "x.zip", *members))
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.fault(20)
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_archive_are_refused(tmp_path, kind):
    odd = (entry("a.raw", kind, "/etc/passwd"), b"")
    with pytest.raises(DataError, match=r"x\.tar: 'a\.raw' is a link or device"):
        read_from_tar(taped(tmp_path / "x.tar", HEAD, odd), ".mhd")


@pytest.mark.fault(20)
def test_a_tar_archive_has_a_name_once(tmp_path):
    with pytest.raises(DataError, match="is there twice"):
        read_from_tar(taped(tmp_path / "x.tar", HEAD, (entry("A.MHD"), b"another")), ".mhd")


@pytest.mark.fault(20)
def test_a_bomb_is_not_read_to_its_end(tmp_path):
    """A compressed tape whose one member says that it has a terabyte: only its header is read."""
    info = entry("a.raw")
    info.size = 2**40
    path = tmp_path / "x.tar"
    path.write_bytes(info.tobuf() + bytes(1024))
    with pytest.raises(DataError, match="over 100000 files or 17179869184 bytes"):
        read_from_tar(path, ".raw")


@pytest.mark.fault(20)
def test_archives_of_very_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_FILES", 1000)  # a hundredth, in a hundredth of the time
    members = [(f"{number}.txt", b"") for number in range(1001)]
    with pytest.raises(DataError, match="over 1000 files"):
        names_in_zip(zipped(tmp_path / "x.zip", *members))


@pytest.mark.fault(20)
def test_a_member_is_no_larger_than_it_may_be(tmp_path):
    path = zipped(tmp_path / "x.zip", ("a.img", b"12345"))
    assert read_from_zip(path, "a.img", 5) == b"12345"
    with pytest.raises(DataError, match=r"x\.zip: a\.img: 5 bytes, expected at most 4"):
        read_from_zip(path, "a.img", 4)


@pytest.mark.fault(20)
def test_a_member_without_a_name_is_refused(tmp_path):
    path = zipped(tmp_path / "x.zip", ("a.img", b"1"))
    content = path.read_bytes()
    at = content.index(b"PK\1\2")
    content = content[:at] + content[at:].replace(b"\5\0", b"\0\0", 1)  # the length of the name in the directory
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.zip"):
        names_in_zip(path)


@pytest.mark.fault(20)
def test_a_locked_archive_is_named(tmp_path):
    path = zipped(tmp_path / "x.zip", ("a.img", b"1"))
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + at] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="is locked by a password"):
        names_in_zip(path)


def test_sound_archives_are_read(tmp_path):
    leftovers = [("__MACOSX/._a.img", b""), (".DS_Store", b""), ("folder/", b"")]
    path = zipped(tmp_path / "x.zip", ("folder/a.img", b"1"), *leftovers)
    assert names_in_zip(path) == ["folder/a.img"]
    for mode in ("w", "w:gz"):
        tape = taped(tmp_path / "x.tar", (entry("._a.raw"), b"-"), (entry("d", tarfile.DIRTYPE), b""), HEAD, mode=mode)
        assert read_from_tar(tape, ".mhd") == b"head"
    with pytest.raises(DataError, match=r"expected one file \.raw, found a\.mhd"):
        read_from_tar(tape, ".raw")


@pytest.mark.fault(20)
def test_the_step_refuses_a_pack_that_leads_out(tmp_path, dirlab_mirror):
    path = put(dirlab_mirror, 1)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside.txt", b"x")
    before = {str(found) for found in tmp_path.rglob("*")}
    spec = PrepareSpec(name="dirlab", module="dirlab", params={"cases": [1]}, folder=tmp_path / "data" / "dirlab")
    with pytest.raises(DataError, match=r"Case1Pack\.zip: '../../outside\.txt' leads out"):
        prepare(spec)
    assert {str(found) for found in tmp_path.rglob("*")} - before <= {str(tmp_path / "data"), str(spec.folder)}
