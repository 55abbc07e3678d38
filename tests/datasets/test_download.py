"""Downloads: checksums, retries, mirrors and error pages, against a local HTTP server."""

import hashlib
import http.server
import subprocess
import sys
import threading
import time

import pytest

from datasets import download, transfer
from datasets.download import Remote, fetch
from datasets.files import DataError
from datasets.originals import recording
from datasets.transfer import Tries

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


PAGE = b" \n<!DOCTYPE html><p>Too many users have viewed or downloaded this file recently.</p>"
FAULTS = {"/flaky": 503, "/forbidden": 403, "/missing": 404, "/busy": 429, "/always-busy": 429}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests_seen.append(self.path)
        first = self.server.requests_seen.count(self.path) == 1
        if self.path in FAULTS and (first or self.path not in ("/flaky", "/busy")):
            self.send_response(FAULTS[self.path])
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(PAGE)
        elif self.path == "/hangs-up-at-once":
            self.connection.close()
        else:
            body = {"/page": PAGE, "/html": b"<html>quota exceeded</html>", "/short": CONTENT[:99]}.get(
                self.path, CONTENT
            )
            cut = self.path == "/always-cut" or (first and self.path == "/cut")
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            time.sleep(0.5 if self.path == "/slow" else 0)
            self.wfile.write(b"" if cut else body[len(body) // 2 :])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "a cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.requests_seen = []
    threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
    yield httpd
    httpd.shutdown()


def remote(server, path="/good") -> Remote:
    return Remote("set/file.bin", f"http://127.0.0.1:{server.server_port}{path}", DIGEST)


def test_a_good_file_is_downloaded_once(server):
    assert fetch(remote(server)).read_bytes() == CONTENT
    fetch(remote(server))
    assert server.requests_seen == ["/good"]


def test_a_bad_copy_in_the_cache_gives_way_and_is_no_original(server, tmp_path):
    bad = tmp_path / "a cache" / "set" / "file.bin"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(CONTENT[:-1])
    with recording(tmp_path / "run" / "prepared") as kept:
        assert fetch(remote(server)) == bad
    assert [each.sha256 for each in kept.files.values()] == [DIGEST]


def test_a_passing_fault_is_retried(server):
    assert fetch(remote(server, "/flaky"), Tries(1, pause=0.01)).read_bytes() == CONTENT


@pytest.mark.fault(3)
@pytest.mark.parametrize("path", ["/flaky", "/busy", "/cut"])
def test_what_may_pass_is_tried_again(server, path):
    assert fetch(remote(server, path), Tries(pause=0.01)).read_bytes() == CONTENT
    assert server.requests_seen == [path, path]


@pytest.mark.fault(3)
@pytest.mark.parametrize("path", ["/forbidden", "/missing", "/page", "/html"])
def test_what_does_not_pass_is_asked_for_once(server, path):
    with pytest.raises(
        DataError, match=rf"file\.bin: http://\S+{path}: .*download http://\S+{path} by hand to .*MIRROR"
    ):
        fetch(remote(server, path), Tries(pause=0.01))
    assert server.requests_seen == [path]


@pytest.mark.fault(3)
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/always-busy", "the server answered 429 Too Many Requests"),
        ("/always-cut", "download failed .*5120 bytes read, 5120 more expected"),
        ("/hangs-up-at-once", "download failed"),
        (
            "/short",
            rf"wrong checksum \(99 bytes, sha256 {hashlib.sha256(CONTENT[:99]).hexdigest()}, expected {DIGEST}\)",
        ),
    ],
)
def test_three_retries_then_the_manual_way_and_no_file(server, path, said):
    with pytest.raises(DataError, match=rf"http://\S+{path}: {said}.*by hand to .*file\.bin, or set WARPBENCH_MIRROR"):
        fetch(remote(server, path), Tries(pause=0.01))
    assert server.requests_seen == [path] * 4
    left = [entry.name for entry in (download.cache_folder() / "set").iterdir() if not entry.name.endswith(".lock")]
    assert not left


@pytest.mark.parametrize(("path", "said"), [("/page", "a web page"), ("/short", DIGEST)])
def test_a_wrong_file_is_refused_and_removed(server, path, said):
    with pytest.raises(DataError, match=f"{said}.*by hand"):
        fetch(remote(server, path), Tries(0))
    assert not (download.cache_folder() / "set" / "file.bin").exists()


@pytest.mark.fault(22)
def test_two_runs_that_share_a_cache_download_once(server):
    """Each in a process of its own; the second waits for the first, and then finds the file."""
    code = (
        "import sys; from datasets.download import Remote, fetch; print('ready', flush=True); sys.stdin.readline(); "
        "print(len(fetch(Remote('set/file.bin', *sys.argv[1:])).read_bytes()))"
    )
    command = [sys.executable, "-c", code, remote(server, "/slow").url, DIGEST]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    assert [run.communicate()[0] for run in runs] == [f"{len(CONTENT)}\n"] * 2
    assert server.requests_seen == ["/slow"]


def test_pauses_double_and_heed_the_server(server, monkeypatch):
    pauses = []
    monkeypatch.setattr(transfer.time, "sleep", pauses.append)
    with pytest.raises(DataError):
        fetch(remote(server, "/always-busy"))
    assert pauses == [1, 2, 4]


def test_a_web_page_is_no_data_where_no_checksum_is_published(server):
    with pytest.raises(DataError, match="a web page came instead of the file"):
        fetch(Remote("set/file.bin", remote(server, "/page").url, ""))
    assert not (download.cache_folder() / "set" / "file.bin").exists()


def test_a_refusing_server_leads_to_the_manual_way(server):
    with pytest.raises(DataError, match=r"403.*by hand.*WARPBENCH_MIRROR"):
        fetch(remote(server, "/forbidden"), Tries(0))


def test_the_mirror_is_asked_first_and_checked(server, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror" / "set"
    mirror.mkdir(parents=True)
    monkeypatch.setenv("WARPBENCH_MIRROR", str(mirror.parent))
    (mirror / "file.bin").write_bytes(CONTENT)
    assert fetch(remote(server)) == mirror / "file.bin"
    assert server.requests_seen == []
    (mirror / "file.bin").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(DataError, match=r"wrong checksum.*mirror"):
        fetch(remote(server))


def test_a_missing_mirror_folder_is_named(server, tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="no such folder"):
        fetch(remote(server))


def test_a_damaged_cache_is_downloaded_again(server):
    path = fetch(remote(server))
    path.write_bytes(CONTENT[:10])
    assert fetch(remote(server)).read_bytes() == CONTENT


def test_the_next_address_is_asked_when_one_fails(server):
    addresses = [f"http://127.0.0.1:{server.server_port}{path}" for path in ("/forbidden", "/page", "/good")]
    assert fetch(Remote("set/file.bin", addresses[0], DIGEST, tuple(addresses[1:])), Tries(0)).read_bytes() == CONTENT
    assert server.requests_seen == ["/forbidden", "/page", "/good"]


def test_a_longer_checksum_is_sha_512(server, tmp_path, monkeypatch):
    longer = hashlib.sha512(CONTENT).hexdigest()
    good = Remote("set/file.bin", remote(server).url, longer)
    assert fetch(good).read_bytes() == CONTENT
    with pytest.raises(DataError, match=longer):
        fetch(Remote("set/other.bin", remote(server, "/short").url, longer), Tries(0))
    (tmp_path / "mirror" / "set").mkdir(parents=True)
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    (tmp_path / "mirror" / "set" / "file.bin").write_bytes(b"else")
    with pytest.raises(DataError, match=r"wrong checksum \(4 bytes, sha512"):
        fetch(good)


def test_where_no_checksum_is_published_any_file_is_taken_once(server, tmp_path, monkeypatch):
    unknown = Remote("set/file.bin", remote(server, "/short").url, "")
    assert fetch(unknown).read_bytes() == fetch(unknown).read_bytes() == CONTENT[:99]
    assert server.requests_seen == ["/short"]
    (tmp_path / "mirror" / "set").mkdir(parents=True)
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    (tmp_path / "mirror" / "set" / "file.bin").write_bytes(b"mine")
    assert fetch(unknown).read_bytes() == b"mine"
