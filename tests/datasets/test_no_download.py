"""What came is no file: pages, wrong lengths and checksums, files that do not fit or cannot be had."""

import pytest

from datasets import room, transfer
from datasets.download import Remote, fetch, fetch_all
from datasets.files import DataError
from datasets.transfer import TransferError, Tries
from tests.datasets.serving import CONTENT, QUICK, QUOTA_PAGE, SHA, Answer, address, parts, serving

pytestmark = pytest.mark.usefixtures("cache")


SCAN = b"<html><head><title>Virus scan warning</title></head>Google Drive can't scan this file for viruses.</html>"


@pytest.mark.parametrize("length", [10, len(CONTENT) + 10])
def test_a_wrong_length_in_the_header_is_no_file(tmp_path, length):
    with serving(Answer(CONTENT, length=length, ranges=False)) as server:
        with pytest.raises(TransferError, match=r"wrong checksum|more expected"):
            transfer.transfer(address(server), tmp_path / "a.bin", SHA, QUICK)
        assert len(server.asked) == 4
    assert not (tmp_path / "a.bin").exists()
    assert parts(tmp_path) == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (QUOTA_PAGE, "quota of this file is spent: open the address in a browser, signed in, or try again tomorrow"),
        (b"\xef\xbb\xbf\r\n<!-- x -->\n" + QUOTA_PAGE, "quota of this file is spent"),
        (SCAN, "asks for a confirmation: open the address in a browser"),
        (b"<html><body><a href='https://accounts.google.com/ServiceLogin'>", "asks who you are"),
        (b"<html><head><title>Wartung / maintenance</title>", "titled 'Wartung / maintenance'"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message>", "'Access Denied'"),
        (b"<HTML>", "it may say why in a browser"),
    ],
)
@pytest.mark.fault(3)
@pytest.mark.parametrize("checksum", [SHA, ""])
def test_a_page_in_place_of_the_file_is_told_apart_and_what_it_says_is_said(cache, page, said, checksum):
    with serving(Answer(page)) as server:
        with pytest.raises(DataError, match=rf"a web page came instead of the file \(\d+ bytes\): .*{said}.*by hand"):
            fetch(Remote("set/a.bin", address(server), checksum), QUICK)
        assert len(server.asked) == 1
    assert parts(cache) == []
    assert not (cache / "set" / "a.bin").exists()


@pytest.mark.parametrize("content", [b"<3 hearts", b"PK\3\4", b"NDims = 3\n", b"#X Y Z\n1 2 3\n", b"  <", b""])
def test_data_is_no_page(tmp_path, content):
    with serving(Answer(content)) as server:
        transfer.transfer(address(server), tmp_path / "a.bin", "", QUICK)
    assert (tmp_path / "a.bin").read_bytes() == content


@pytest.mark.fault(3)
def test_a_page_that_somebody_has_saved_under_the_name_is_no_data(tmp_path, monkeypatch):
    (tmp_path / "mirror" / "set").mkdir(parents=True)
    (tmp_path / "mirror" / "set" / "a.bin").write_bytes(QUOTA_PAGE)
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    for checksum in ("", SHA):
        with pytest.raises(DataError, match=r"a\.bin: a web page lies under this name: .*quota.*replace"):
            fetch(Remote("set/a.bin", "http://127.0.0.1:9/none", checksum), QUICK)


@pytest.mark.fault(3)
def test_a_file_that_does_not_fit_is_refused_before_a_byte_of_it_is_written(cache, monkeypatch):
    monkeypatch.setattr(room, "free", lambda folder: room.SPARE + 600_000)
    with serving(Answer(CONTENT)) as server:
        with pytest.raises(
            DataError, match=r"700 kB do not fit into .*cache.*, where 269 MB are free; make room, or set"
        ):
            fetch(Remote("set/a.bin", address(server), SHA), QUICK)
        assert len(server.asked) == 1
        assert not list((cache / "set").glob("a.bin*.part"))
        remotes = [Remote(f"set/{name}.bin", address(server), SHA, size=450_000) for name in "ab"]
        with pytest.raises(DataError, match=r"set/a\.bin: 900 kB do not fit into"):
            fetch_all(remotes, QUICK)
        assert len(server.asked) == 1  # not even asked for


def test_the_rest_of_a_part_needs_less_room_than_the_whole(tmp_path, monkeypatch):
    with serving(Answer(CONTENT, cut=400_000), Answer(CONTENT)) as server:
        with pytest.raises(TransferError):
            transfer.transfer(address(server), tmp_path / "a.bin", SHA, Tries(0))
        monkeypatch.setattr(room, "free", lambda folder: room.SPARE + 400_000)
        transfer.transfer(address(server), tmp_path / "a.bin", SHA, Tries(0))
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_all_files_that_cannot_be_had_are_named_at_once(cache):
    with serving(Answer(status=503)) as server:
        remotes = [Remote(f"set/{name}.bin", address(server, f"/{name}"), SHA) for name in "abc"]
        (cache / "set").mkdir(parents=True)
        (cache / "set" / "b.bin").write_bytes(CONTENT)
        with pytest.raises(DataError) as caught:
            fetch_all(remotes, Tries(2, pause=0.001))
        assert [asked.path for asked in server.asked] == ["/a", "/a", "/a", "/c"]  # patience for the first alone
    text = str(caught.value)
    assert text.startswith("2 of 3 files could not be had: (1) set/a.bin: http://")
    for word in ("(2) set/c.bin", "503", f"by hand below {cache} under these names", "WARPBENCH_MIRROR"):
        assert word in text
    assert "b.bin" not in text
