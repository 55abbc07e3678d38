"""gzip by the fast library and by Python's own: each reads what the other writes, and both find the same damage."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import deflate

BOTH = pytest.mark.parametrize("fast", [True, False])


@pytest.fixture(autouse=True)
def _libraries(request, monkeypatch):
    if not request.node.callspec.params["fast"]:
        monkeypatch.setattr(deflate, "igzip", None)
        monkeypatch.setattr(deflate, "isal_zlib", None)


def write(path, content):
    with deflate.written(path) as stream:
        stream.write(content)
    return path.read_bytes()


@BOTH
@given(content=st.binary())
def test_what_pythons_gzip_writes_is_read(fast, content):
    assert deflate.decompress(gzip.compress(content)) == content


@BOTH
def test_what_is_written_is_gzip_and_the_same_at_any_time(fast, tmp_path):
    content = bytes(range(256)) * 999
    packed = write(tmp_path / "a.nii.gz", content)
    assert gzip.decompress(packed) == deflate.decompress(packed) == content
    assert len(packed) < len(content) / 10
    assert write(tmp_path / "another.nii.gz", content) == packed
    assert write(tmp_path / "a.nii", content) == content


@BOTH
@pytest.mark.parametrize("place", [0, 2, 12, -1, -6])
def test_damage_is_found(fast, place, tmp_path):
    packed = bytearray(write(tmp_path / "a.gz", bytes(range(256)) * 9))
    packed[place] ^= 255
    with pytest.raises((OSError, EOFError, zlib.error)):
        deflate.decompress(bytes(packed))
    with pytest.raises(EOFError):
        deflate.decompress(write(tmp_path / "a.gz", b"abc")[:-3])
