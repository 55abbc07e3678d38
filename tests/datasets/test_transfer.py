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

from datasets import download, transfer
from datasets.download import Remote, fetch
from datasets.transfer import TransferError, Tries
from tests.datasets.serving import CONTENT, QUICK, SHA, Answer, address, parts, serving, sha

pytestmark = pytest.mark.usefixtures("cache")

MARK = {"ETag": '"one"'}
PIECE = 2**16


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
