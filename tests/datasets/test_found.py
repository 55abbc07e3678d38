"""Searching the folders that people fill: links, leftovers, endings, DICOM of any name, and any path."""

import os
import shutil

import numpy as np
import pytest

from datasets import dirlab, rcn_hdf5
from datasets.case import open_dataset
from datasets.chest_ct.dirlab_packs import find_members
from datasets.chest_ct.metaimage import read_metaimage
from datasets.files import DataError, read_volume, write_volume
from datasets.found import DICOM, search
from datasets.lidc import Params, prepare
from datasets.rcn_hdf5 import find_files
from tests.datasets.dicom_inputs import put_series
from tests.datasets.dirlab_inputs import put as put_pack
from tests.faults.originals_inputs import put_pigs
from tests.faults.surroundings import needs_root


def names(place, pattern=r".*\.img"):
    return [str(path.relative_to(place)) for path in search(place, pattern)]


def put(path, content="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_links_are_followed_and_loops_end(tmp_path):
    put(tmp_path / "far" / "deep" / "a.img")
    place = tmp_path / "place"
    put(place / "b.img")
    (place / "linked").symlink_to(tmp_path / "far")
    (place / "again").symlink_to(tmp_path / "far" / "deep")
    (place / "loop").symlink_to(place)
    (tmp_path / "far" / "up").symlink_to(place)
    (place / "c.img").symlink_to(tmp_path / "far" / "deep" / "a.img")
    (place / "broken.img").symlink_to(tmp_path / "nowhere")
    assert len(names(place)) == 2  # each file once, by whichever name it is met first
    assert {path.resolve().name for path in search(place, r".*\.img")} == {"a.img", "b.img"}


def test_a_link_to_a_place_is_the_place(tmp_path):
    put(tmp_path / "far" / "a.img")
    (tmp_path / "place").symlink_to(tmp_path / "far")
    assert names(tmp_path / "place") == ["a.img"]
    assert names(tmp_path / "nowhere") == []


def test_leftovers_are_passed_over_and_endings_have_any_case(tmp_path):
    for name in ("a.img", "B.IMG", "sub/c.Img"):
        put(tmp_path / name)
    for name in (
        "._a.img",
        ".a.img",
        ".hidden/d.img",
        "__MACOSX/e.img",
        "@eaDir/f.img",
        "a.img~",
        "#a.img#",
        "a.img.txt",
    ):
        put(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.img")
    assert sorted(names(tmp_path)) == ["B.IMG", "a.img", "sub/c.Img"]


@needs_root
def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    put(tmp_path / "closed" / "a.img")
    (tmp_path / "closed").chmod(0)
    child = os.fork()
    if not child:  # permissions do not bind root
        try:
            os.chmod(tmp_path, 0o755)
            os.setuid(65534)
            search(tmp_path / "closed", ".*")
        except DataError as error:
            os._exit(7 if "closed: cannot be listed (Permission denied)" in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (7, 9)


@pytest.mark.parametrize("rename", ["{}.DCM", "{}.ima", "IM{}", "1.2.840.{}", "{}.Dicom", "{}.any"])
def test_dicom_files_have_any_name(tmp_path, rename):
    put_series(tmp_path / "series", "1.2.9")
    for number, path in enumerate(sorted((tmp_path / "series").glob("*.dcm"))):
        path.rename(path.with_name(rename.format(number)))
    for other in ("notes.txt", "list.csv", "report.pdf", "README", "._0.dcm", "DICOMDIR"):
        put(tmp_path / "series" / other)
    shutil.copy(search(tmp_path, DICOM)[0], tmp_path / "series" / "DICOMDIR")
    assert len(search(tmp_path, DICOM)) == 5
    prepare(tmp_path / "out", Params(source=str(tmp_path), subjects=1, shape=(4, 5, 6)), name="lidc")


@pytest.mark.parametrize(("name", "content"), [("0-first.dcm", b""), ("IM0", bytes(4000)), ("0.DCM", b"DICM")])
def test_a_slice_that_is_lost_is_no_other_file(tmp_path, name, content):
    """Also where it is the first of its folder, by which the series is known."""
    put_series(tmp_path / "series", "1.2.9")
    (tmp_path / "series" / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: not a readable DICOM image"):
        prepare(tmp_path / "out", Params(source=str(tmp_path), subjects=1, shape=(4, 5, 6)), name="lidc")


@pytest.fixture
def linked(tmp_path, monkeypatch):
    """A mirror whose folders of packs, archives and series are links, with macOS's leftovers beside what they hold."""
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    put_pack(tmp_path / "far" / "packs", 1, unpacked=True)
    (tmp_path / "far" / "zips").mkdir()
    put_pack(tmp_path / "far" / "zips", 2)
    put_pigs(tmp_path / "far" / "pigs")
    put_series(tmp_path / "far" / "series", "1.2.9")
    for path in list((tmp_path / "far").rglob("*.*")):
        if path.is_file():
            path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7")
    links = {"dirlab/Case1Pack": "packs/Case1Pack", "dirlab/more": "zips", "rcn_hdf5/pigs": "pigs", "lidc/p1": "series"}
    for link, target in links.items():
        (tmp_path / "mirror" / link).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mirror" / link).symlink_to(tmp_path / "far" / target)


@pytest.mark.fault(23)
def test_every_importer_follows_links_and_passes_leftovers_over(tmp_path, dirlab_mirror, linked):
    dirlab.prepare(tmp_path / "a", dirlab.Params(cases=(1, 2), shape=(40, 36, 44), margin_mm=8.0), name="dirlab")
    rcn_hdf5.prepare(tmp_path / "b", rcn_hdf5.Params(collection="lspig"), name="lspig")
    prepare(tmp_path / "c", Params(subjects=1, shape=(4, 5, 6)), name="lidc")
    assert [len(open_dataset(tmp_path / name).test_pairs) for name in "ab"] == [2, 2]
    assert open_dataset(tmp_path / "c").training_cases == ["LIDC-IDRI-0001"]


ODD = [
    "50%",
    "%03d",
    "a b",
    "#1",
    "it's",
    'say "x"',
    "über",
    "u\u0308ber",
    "肺",
    "a\nb",
    "$HOME",
    "*?[a]",
    "x" * 250,
    os.fsdecode(b"\xff"),
]


@pytest.mark.parametrize("odd", ODD)
def test_any_path_is_read(tmp_path, odd, monkeypatch):
    place = tmp_path / odd
    monkeypatch.setenv("WARPBENCH_CACHE", str(place / "cache"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", str(place))
    values = np.arange(60, dtype="<i2").reshape(3, 4, 5)
    write_volume(place / f"{odd[:200]}.nii.gz", values, np.eye(4))
    np.testing.assert_array_equal(read_volume(place / f"{odd[:200]}.nii.gz").array, values)
    put(
        place / "a.mhd",
        "NDims = 3\nDimSize = 5 4 3\nElementSpacing = 1 1 1\nElementType = MET_SHORT\nElementDataFile = %d.raw\n",
    )
    (place / "%d.raw").write_bytes(values.tobytes())
    np.testing.assert_array_equal(read_metaimage(place / "a.mhd", place / "%d.raw").values, values.transpose(2, 1, 0))
    path = put_pigs(place / "pigs")
    assert find_files(["lspig_val.h5"], str(place / "pigs")) == {"lspig_val.h5": path}
    put_series(tmp_path / "plain", "1.2.9")
    shutil.move(tmp_path / "plain", place / "series")
    prepare(place / "out", Params(source=str(place / "series"), subjects=1, shape=(4, 5, 6)), name="lidc")
    put(place / "dirlab" / odd[:200] / "case1_T00_s.img")
    assert len(find_members([place / "dirlab"])) == 1
