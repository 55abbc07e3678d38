"""The importer of CREATIS's six patients and of POPI, on small files of the genuine form behind a local server."""

import functools
import http.server
import threading

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from datasets import creatis, download
from datasets.case import Pair, Truth, open_dataset
from datasets.chest_ct.metaimage import read_metaimage
from datasets.files import DataError, parse_points, sha256
from tests.datasets.chest_inputs import SHAPE, SPACING, draw_chest, expected_hu, landmarks, seen_hu
from tests.datasets.creatis_inputs import BEFORE, OFFSET, metaimage, put_patients, put_popi
from workflows import prepare as step
from workflows.planning.specs import PrepareSpec
from workflows.running.options import build


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with everything that the site serves, and the checksums of POPI's files."""
    folder = tmp_path_factory.mktemp("site")
    put_patients(folder)
    return folder, put_popi(folder)


@pytest.fixture
def site(tmp_path, files, monkeypatch):
    """The site on a local server; its requests, and tables that fit the small files."""
    folder, checksums = files
    seen = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            super().do_GET()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "a cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    monkeypatch.setattr(creatis, "SITE", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(creatis, "MIRRORS", (f"http://127.0.0.1:{server.server_port}/mirror/{{checksum}}",))
    monkeypatch.setattr(creatis, "POPI_FILES", checksums)
    monkeypatch.setattr(creatis, "fetch_all", functools.partial(download.fetch_all, tries=download.Tries(0)))
    small = {"landmarks": 12, "published": {creatis.PROGRESSIVE: round(BEFORE, 2), creatis.AUTHORS: BEFORE + 0.5}}
    for table in (creatis.PATIENTS, creatis.POPI):
        for tag, patient in table.items():
            monkeypatch.setitem(table, tag, creatis.Patient(patient.inhale, patient.exhale, **small))
    yield seen
    server.shutdown()


def imported(tmp_path, **options):
    folder = tmp_path / "prepared"
    params = build(creatis.Params, {"shape": [40, 36, 44], "margin_mm": 8.0, **options})
    creatis.prepare(folder, params, name="lungs")
    return open_dataset(folder), Truth(folder)


def check_pair(data, truth, pair):
    for case, drawn, voxels, points in zip(
        (pair.fixed, pair.moving), ("inhale", "exhale"), landmarks(), truth.landmarks(pair), strict=True
    ):
        volume = data.image(case)
        assert volume.orientation == ("L", "P", "S")
        np.testing.assert_allclose(seen_hu(volume.array, points), expected_hu(drawn, voxels), atol=0.01)
        world = np.column_stack([points, np.ones(len(points))]) @ volume.affine.T
        np.testing.assert_allclose(world[:, :3] * (-1, -1, 1), voxels * SPACING + OFFSET, atol=1e-3)


def test_six_patients_in_the_papers_order(tmp_path, site):
    folder = tmp_path / "data"
    spec = PrepareSpec(name="creatis", module="creatis", params={"shape": [40, 36, 44]}, folder=folder)
    step.prepare(spec)
    data, truth = open_dataset(folder), Truth(folder)
    tags = ["bl", "ng", "dx", "gt", "mm2", "bh"]
    assert data.test_pairs == [Pair(f"{tag}-00", f"{tag}-{'60' if tag == 'bl' else '50'}") for tag in tags]
    for pair in data.test_pairs:
        check_pair(data, truth, pair)
        assert data.description.severity[pair.name] == pytest.approx(BEFORE, abs=1e-3)
        assert data.description.pairs[pair.name].reproduces == (creatis.PROGRESSIVE,)
    assert data.description.pairs["mm2-00__mm2-50"].rows == (15, 12)
    assert data.description.notes == ("mm2: 15 and 12 landmarks, published are 12; 12 are used",)
    assert set(data.description.notes) <= set(data.description.preprocessing)
    cached = tmp_path / "a cache" / "creatis" / "bh" / "mhd" / "50.raw"
    assert data.description.archives["bh/mhd/50.raw"] == sha256(cached)
    assert len(data.description.archives) == 6 * 2 * 3
    assert len(site) == 36
    imported(tmp_path)
    assert len(site) == 36  # the second time all lies in the cache


def test_the_exhale_phase_of_bl_can_be_chosen(tmp_path, site):
    data, _ = imported(tmp_path, bl_exhale=50, direction="exhale_fixed")
    assert data.test_pairs[0] == Pair("bl-50", "bl-00")
    assert data.description.pairs["bl-50__bl-00"].phases == ("00", "50")
    assert "/MedPhys11/bl/mhd/60.mhd" not in site


def test_which_published_distance_comes_out_is_said(tmp_path, site, monkeypatch):
    other = {creatis.PROGRESSIVE: BEFORE - 0.6, creatis.AUTHORS: BEFORE + 0.015}
    monkeypatch.setitem(creatis.PATIENTS, "bl", creatis.Patient("00", "60", 12, other))
    data, _ = imported(tmp_path)
    assert data.description.pairs["bl-00__bl-60"].reproduces == (creatis.AUTHORS,)
    assert f"bl-00__bl-60: {BEFORE:.2f} mm before registration, as in {creatis.AUTHORS}" in data.description.notes


def test_another_distance_is_refused(tmp_path, site, monkeypatch):
    far = {creatis.PROGRESSIVE: BEFORE + 0.03}
    monkeypatch.setitem(creatis.PATIENTS, "dx", creatis.Patient("00", "50", 12, far))
    with pytest.raises(DataError, match=rf"dx, phases 00 and 50: landmarks are {BEFORE:.3f} mm apart"):
        imported(tmp_path)
    imported(tmp_path, tolerance_mm=0.04)


def test_checksums_can_be_pinned(tmp_path, site):
    with pytest.raises(DataError, match=r"creatis/ng/pts/50\.pts.*by hand"):
        imported(tmp_path, checksums={"ng/pts/50.pts": "0" * 64})


def test_popi_by_its_checksums(tmp_path, site, monkeypatch):
    monkeypatch.setattr(creatis, "WHOLE_SLICE", (64, 56))
    data, truth = imported(tmp_path, collection="popi")
    (pair,) = data.test_pairs
    assert pair == Pair("popi-10", "popi-60")
    check_pair(data, truth, pair)
    assert data.description.title == "POPI model"
    assert data.description.collection == "popi"


def test_popi_from_a_mirror_where_the_site_has_another_file(tmp_path, site, files, monkeypatch):
    monkeypatch.setattr(creatis, "WHOLE_SLICE", (64, 56))
    folder, checksums = files
    name = "Landmarks/60-Landmarks.pts"
    copy = folder / "mirror" / checksums[name]
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes((folder / name).read_bytes())
    original = (folder / name).read_bytes()
    try:
        (folder / name).write_bytes(b"<html>moved</html>")
        imported(tmp_path, collection="popi")
    finally:
        (folder / name).write_bytes(original)
    assert {f"/{name}", f"/mirror/{checksums[name]}"} <= set(site)


def test_popi_has_the_disc_of_the_slices_it_was_cut_from(tmp_path, site, monkeypatch):
    monkeypatch.setattr(creatis, "WHOLE_SLICE", (64, 56))
    data, _ = imported(tmp_path, collection="popi", margin_mm=500)
    mask = data.mask("popi-10")[:, :, 0]
    assert mask.shape == (40, 36)
    i, j = ((np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(mask.shape, SHAPE, strict=False))
    disc = np.hypot(((i + 4) / 64 - 0.5)[:, None], (j + 19) / 56 - 0.5) < 250 / 512
    assert 0 < disc.mean() < 1
    np.testing.assert_array_equal(mask, disc)


def test_the_tables_are_the_published_ones():
    assert [patient.landmarks for patient in creatis.PATIENTS.values()] == [100, 100, 100, 100, 107, 113]
    before = [patient.published[creatis.PROGRESSIVE] for patient in creatis.PATIENTS.values()]
    assert before == [5.75, 13.98, 7.69, 7.34, 7.13, 6.67]
    assert {len(checksum) for checksum in creatis.POPI_FILES.values()} == {128}
    assert (creatis.POPI["popi"].landmarks, creatis.POPI["popi"].published[creatis.PROGRESSIVE]) == (41, 6.29)


@pytest.fixture
def volume(tmp_path):
    """A header and its data, apart from each other in folders with spaces."""
    header, values = metaimage("inhale", "elsewhere.raw")
    paths = tmp_path / "one place" / "a.mhd", tmp_path / "another place" / "b.bin"
    for path, content in zip(paths, (header, values), strict=True):
        path.parent.mkdir()
        path.write_bytes(content)
    return paths


def test_a_metaimage_is_read_in_the_patients_axes(volume):
    scan = read_metaimage(*volume)
    np.testing.assert_array_equal(scan.values, draw_chest("inhale"))
    assert scan.grid.origin == pytest.approx(OFFSET)
    assert scan.grid.spacing == pytest.approx(SPACING)


def test_turned_axes_are_turned_back(volume):
    header, data = volume
    text = header.read_text(encoding="utf-8").replace(
        "TransformMatrix = 1 0 0 0 1 0 0 0 1", "TransformMatrix = 1 0 0 0 -1 0 0 0 -1"
    )
    header.write_text(text)
    scan = read_metaimage(header, data)
    np.testing.assert_array_equal(scan.values, draw_chest("inhale")[:, ::-1, ::-1])
    last = np.multiply(SPACING, np.subtract(SHAPE, 1))
    assert scan.grid.origin == pytest.approx([OFFSET[0], OFFSET[1] - last[1], OFFSET[2] - last[2]])
    stored = sitk.GetImageFromArray(np.zeros(SHAPE[::-1]))
    stored.SetOrigin(OFFSET)
    stored.SetSpacing(SPACING)
    stored.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, -1))
    place = scan.grid.to_mm([[3, SHAPE[1] - 1 - 5, SHAPE[2] - 1 - 7]])[0]
    assert place == pytest.approx(stored.TransformIndexToPhysicalPoint((3, 5, 7)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, d: d.write_bytes(d.read_bytes()[:-2]), r"b\.bin: 81598 bytes, expected 81600"),
        (lambda h, d: h.write_text("<html>not found</html>"), r"a\.mhd: not a MetaImage header"),
        (
            lambda h, d: h.write_text(h.read_text(encoding="utf-8").replace("MET_SHORT", "MET_ELSE")),
            r"a\.mhd: not a MetaImage header.*MET_ELSE",
        ),
        (
            lambda h, d: h.write_text(
                h.read_text(encoding="utf-8").replace("1 0 0 0 1 0 0 0 1", "1 0 0 0 .8 .6 0 -.6 .8")
            ),
            "oblique",
        ),
    ],
)
def test_damaged_metaimages_are_named(volume, change, message):
    change(*volume)
    with pytest.raises(DataError, match=message):
        read_metaimage(*volume)


@pytest.mark.parametrize("text", ["", "#X Y Z\n", "1 2\n", "1 2 x\n", "1 2 nan\n", "<html>not found</html>"])
def test_bad_points_name_the_file(tmp_path, text):
    path = tmp_path / "00.pts"
    path.write_text(text)
    with pytest.raises(DataError, match=r"00\.pts"):
        parse_points(path.read_text(errors="replace"), str(path))
