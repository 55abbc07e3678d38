"""Downloads that break off, go on, begin anew, or are no data at all, against a local server."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import download, room, transfer
from datasets.download import Remote, fetch, fetch_all
from datasets.files import DataError
from datasets.transfer import TransferError, Tries
from tests.datasets.serving import QUOTA_PAGE, Answer, address, serving

CONTENT = np.random.default_rng(0).bytes(700_000)
SHA = hashlib.sha256(CONTENT).hexdigest()
MARK = {"ETag": '"one"'}
PIECE = 2**16
QUICK = Tries(pause=0.001)
SCAN = b"<html><head><title>Virus scan warning</title></head>Google Drive can't scan this file for viruses.</html>"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    return tmp_path / "cache"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def parts(folder) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.part*"))


@pytest.mark.parametrize(("checksum", "headers"), [(SHA, {}), ("", MARK), (SHA, MARK)])
def test_a_download_goes_on_where_it_broke_off(tmp_path, checksum, headers):
    with serving(Answer(CONTENT, cut=400_000, headers=headers), Answer(CONTENT, headers=headers)) as server:
        transfer.transfer(address(server), tmp_path / "a.bin", checksum, QUICK)
        first, second = server.asked
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    kept = int(second.rest.removeprefix("bytes=").removesuffix("-"))
    assert 400_000 - PIECE < kept <= 400_000
    assert (first.sent, second.sent) == (400_000, len(CONTENT) - kept)
    assert second.condition == headers.get("ETag", "")
    assert parts(tmp_path) == []


def test_without_mark_and_checksum_nothing_proves_that_two_halves_belong_together(tmp_path):
    with serving(Answer(CONTENT, cut=400_000), Answer(CONTENT)) as server:
        transfer.transfer(address(server), tmp_path / "a.bin", "", QUICK)
        assert [asked.rest for asked in server.asked] == ["", ""]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_weak_mark_proves_nothing(tmp_path):
    weak = {"ETag": 'W/"one"'}
    with serving(Answer(CONTENT, cut=400_000, headers=weak), Answer(CONTENT, headers=weak)) as server:
        transfer.transfer(address(server), tmp_path / "a.bin", "", QUICK)
        assert server.asked[1].rest == ""


def test_a_server_without_ranges_begins_anew_and_is_not_asked_for_the_rest_again(tmp_path):
    answers = [Answer(CONTENT, cut=400_000, ranges=False), Answer(CONTENT, cut=500_000, ranges=False)]
    with serving(*answers, Answer(CONTENT, ranges=False)) as server:
        transfer.transfer(address(server), tmp_path / "a.bin", SHA, QUICK)
        assert [bool(asked.rest) for asked in server.asked] == [False, True, False]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_another_content_under_the_address_is_not_joined_to_the_old_one(tmp_path):
    other = CONTENT[::-1]
    with serving(Answer(CONTENT, cut=400_000, headers=MARK), Answer(other, headers={"ETag": '"two"'})) as server:
        transfer.transfer(address(server), tmp_path / "a.bin", "", QUICK)
    assert (tmp_path / "a.bin").read_bytes() == other


def test_halves_that_do_not_fit_the_checksum_are_thrown_away(tmp_path):
    other = CONTENT[::-1]
    with serving(Answer(other, cut=400_000), Answer(CONTENT), Answer(CONTENT)) as server:
        transfer.transfer(address(server), tmp_path / "a.bin", SHA, QUICK)
        assert [bool(asked.rest) for asked in server.asked] == [False, True, False]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_server_that_goes_on_elsewhere_or_with_a_longer_file_is_not_believed(tmp_path):
    longer = CONTENT + b"more"
    with serving(Answer(CONTENT, cut=400_000), Answer(longer), Answer(longer)) as server:
        transfer.transfer(address(server), tmp_path / "a.bin", sha(longer), QUICK)
        assert [bool(asked.rest) for asked in server.asked] == [False, True, False]
    assert (tmp_path / "a.bin").read_bytes() == longer


def test_a_part_that_was_whole_already_is_taken(tmp_path):
    path = tmp_path / "a.bin"
    with serving(Answer(CONTENT, cut=400_000), Answer(CONTENT)) as server:
        with pytest.raises(TransferError):
            transfer.transfer(address(server), path, SHA, Tries(0))
        (tmp_path / "a.bin.part").write_bytes(CONTENT)
        transfer.transfer(address(server), path, SHA, Tries(0))
        assert [asked.sent for asked in server.asked] == [400_000, 0]
    assert path.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(tmp_path):
    path = tmp_path / "a.bin"
    with serving(Answer(CONTENT, cut=400_000), Answer(CONTENT)) as server:
        with pytest.raises(TransferError):
            transfer.transfer(address(server), path, SHA, Tries(0))
        (tmp_path / "a.bin.part").write_bytes(CONTENT + b"more")
        transfer.transfer(address(server), path, SHA, QUICK)
    assert path.read_bytes() == CONTENT


def test_another_address_goes_on_with_a_file_of_known_checksum():
    with serving(Answer(CONTENT, cut=400_000, headers=MARK), Answer(CONTENT)) as server:
        remote = Remote("set/a.bin", address(server, "/one"), SHA, (address(server, "/two"),))
        assert fetch(remote, Tries(0)).read_bytes() == CONTENT
        assert [(asked.path, bool(asked.rest), asked.condition) for asked in server.asked] == [
            ("/one", False, ""),
            ("/two", True, ""),
        ]


def test_a_line_that_breaks_more_often_than_there_are_retries_still_brings_the_file(tmp_path):
    """Each try brings some more, and only tries in vain are counted."""
    with serving(Answer(CONTENT, cut=70_000)) as server:
        transfer.transfer(address(server), tmp_path / "a.bin", SHA, Tries(1, pause=0.001))
        assert len(server.asked) > 8
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@given(cuts=st.lists(st.integers(0, 300), max_size=8), size=st.integers(1, 900))
def test_whatever_breaks_off_where_the_bytes_are_the_file(tmp_path_factory, cuts, size):
    folder, content = tmp_path_factory.mktemp("cut"), CONTENT[:size]
    with (
        serving(*(Answer(content, cut=cut) for cut in cuts), Answer(content)) as server,
        pytest.MonkeyPatch.context() as m,
    ):
        m.setattr(transfer, "_PIECE", 1)  # so that no byte that has come is lost
        transfer.transfer(address(server), folder / "a.bin", sha(content), Tries(len(cuts), pause=0.0))
        assert sum(asked.sent for asked in server.asked) == size
    assert (folder / "a.bin").read_bytes() == content


@pytest.mark.parametrize("size", [5_000_000, pytest.param(200_000_000, marks=pytest.mark.slow)])
def test_a_killed_download_fetches_only_the_rest(tmp_path, size, record_property):
    """The process is killed in the midst of it, as by a power cut; the next one asks for what is missing."""
    content = np.random.default_rng(1).bytes(size)
    code = "import sys; from datasets.download import Remote, fetch; fetch(Remote('set/a.bin', *sys.argv[1:]))"
    with serving(Answer(content, pace=3 * 2**16 / size), Answer(content)) as server:
        command = [sys.executable, "-c", code, address(server), sha(content)]
        process = subprocess.Popen(command)
        part = tmp_path / "cache" / "set" / "a.bin.part"
        deadline = time.monotonic() + 60
        while not part.exists() or part.stat().st_size < size // 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kept = part.stat().st_size
        assert size // 3 <= kept < size
        subprocess.run(command, check=True)
        assert server.asked[1].sent == size - kept
    record_property("bytes of the second try", size - kept)
    assert sha((tmp_path / "cache" / "set" / "a.bin").read_bytes()) == sha(content)
    assert parts(tmp_path) == []


def test_redirects_are_followed_by_both_tries_and_circles_are_refused_at_once(tmp_path):
    with serving(Answer(CONTENT, cut=400_000), Answer(CONTENT)) as target:
        away = Answer(status=302, headers={"Location": address(target)})
        with serving(away) as server:
            transfer.transfer(address(server), tmp_path / "a.bin", SHA, QUICK)
        assert [bool(asked.rest) for asked in target.asked] == [False, True]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    with serving(Answer(status=302, headers={"Location": "/file.bin"})) as server:
        with pytest.raises(TransferError, match="redirects"):
            transfer.transfer(address(server), tmp_path / "b.bin", SHA, QUICK)
        assert len(server.asked) == 31  # one try


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


def test_a_long_download_says_how_far_it_is(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(transfer, "TOLD_EVERY", 0.0)
    with serving(Answer(CONTENT, cut=400_000), Answer(CONTENT)) as server, caplog.at_level("INFO"):
        transfer.transfer(address(server), tmp_path / "a.bin", SHA, QUICK)
    text = "\n".join(caplog.messages)
    assert "a.bin: goes on after 393 kB of 700 kB" in text
    assert "a.bin: 700 kB of 700 kB, about 0 s left, " in text


def test_known_copies_are_found_without_being_read(cache):
    remote = Remote("set/a.bin", "http://127.0.0.1:9/none", SHA)
    assert download.placed(remote) is None
    (cache / "set").mkdir(parents=True)
    (cache / "set" / "a.bin").write_bytes(b"any")
    assert download.placed(remote) == cache / "set" / "a.bin"
    assert download.placed(Remote("set", "", "")) == cache / "set"


def test_md5_is_a_checksum_too(tmp_path):
    with serving(Answer(CONTENT)) as server:
        transfer.transfer(address(server), tmp_path / "a.bin", hashlib.md5(CONTENT).hexdigest(), QUICK)
        with pytest.raises(TransferError, match=r"wrong checksum .*md5"):
            transfer.transfer(address(server), tmp_path / "b.bin", "0" * 32, QUICK)
