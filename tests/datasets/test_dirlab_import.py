"""The importer of the DIR-Lab packs, on small packs in the genuine layout, sound and spoilt."""

import numpy as np
import pytest

from benchmarks.measures.landmarks import tre
from datasets import dirlab
from datasets.case import Pair, Truth, open_dataset
from datasets.chest_ct import dirlab_packs
from datasets.chest_ct.lungs import WINDOW
from datasets.files import DataError, sha256
from tests.datasets import chest_inputs
from tests.datasets.chest_inputs import SHAPE, SPACING, expected_hu, landmarks, seen_hu
from tests.datasets.dirlab_inputs import BEFORE, COUNT, put
from tests.datasets.dirqa_inputs import dirqa_file
from workflows import prepare as step
from workflows.evaluate import judge
from workflows.planning.specs import PrepareSpec
from workflows.running.options import build


@pytest.fixture
def mirror(dirlab_mirror):
    return dirlab_mirror


def imported(tmp_path, **options):
    folder = tmp_path / "prepared"
    params = build(dirlab.Params, {"shape": [40, 36, 44], "margin_mm": 8.0, **options})
    dirlab.prepare(folder, params, name="dirlab")
    return open_dataset(folder), Truth(folder)


def test_images_and_landmarks_meet_in_the_prepared_axes(tmp_path, mirror):
    put(mirror, 1)
    data, truth = imported(tmp_path, cases=[1])
    pair = data.test_pairs[0]
    assert pair == Pair("case01-T00", "case01-T50")
    for case, drawn, voxels, points in zip(
        (pair.fixed, pair.moving), ("inhale", "exhale"), landmarks(), truth.landmarks(pair), strict=True
    ):
        volume = data.image(case)
        assert volume.array.shape == (40, 36, 44)
        assert volume.orientation == ("L", "P", "S")
        np.testing.assert_allclose(seen_hu(volume.array, points), expected_hu(drawn, voxels), atol=0.01)
        world = np.column_stack([points, np.ones(COUNT)]) @ volume.affine.T
        np.testing.assert_allclose(world[:, :3] * (-1, -1, 1), voxels * SPACING, atol=1e-3)


def test_distances_before_registration_stay_as_they_were(tmp_path, mirror):
    put(mirror, 4)
    data, truth = imported(tmp_path, cases=[4])
    pair = data.test_pairs[0]
    still = np.zeros((3, 40, 36, 44), np.float32)
    values = tre(still, *truth.landmarks(pair), data.image(pair.fixed).spacing)
    np.testing.assert_allclose(values, np.linalg.norm((landmarks()[0] - landmarks()[1]) * SPACING, axis=1), atol=1e-4)
    rows = {(row["metric"], row["protocol"], row["region"]): row["value"] for row in judge(still, pair, data, truth)}
    assert rows["tre", "continuous", "mean"] == pytest.approx(BEFORE, abs=1e-4)
    assert rows["tre", "continuous", "count"] == COUNT
    assert data.description.severity == {pair.name: pytest.approx(BEFORE, abs=1e-3)}


def test_the_crop_is_the_lungs_of_both_scans_and_a_margin(tmp_path, mirror):
    put(mirror, 1)
    data, _ = imported(tmp_path, cases=[1], margin_mm=8.0)
    facts = data.description.pairs["case01-T00__case01-T50"]
    spread = np.argwhere(chest_inputs.lungs() | chest_inputs.lungs(phase="exhale"))
    low, high = (spread.min(axis=0) - 0.5) * SPACING - 8, (spread.max(axis=0) + 0.5) * SPACING + 8
    box = np.asarray(facts.box_mm)
    assert np.all(box[0] <= low + 1e-6)
    assert np.all(box[0] > low - SPACING)
    assert np.all(box[1] >= high - 1e-6)
    assert np.all(box[1] < high + SPACING)
    np.testing.assert_allclose(facts.spacing, (box[1] - box[0]) / (40, 36, 44), atol=1e-5)
    np.testing.assert_allclose(data.image("case01-T00").spacing, facts.spacing, rtol=1e-5)
    first = data.image("case01-T00").affine[:3, 3] * (-1, -1, 1)
    np.testing.assert_allclose(first, box[0] + np.asarray(facts.spacing) / 2, atol=1e-3)  # voxels fill the box
    assert data.description.spacings == {"case01-T00__case01-T50": facts.spacing}


def test_all_ten_in_order_zipped_or_not(tmp_path, mirror):
    for number in range(1, 11):
        put(mirror / ("below" if number % 2 else "."), number, unpacked=number % 2 == 1)
    folder = tmp_path / "data"
    step.prepare(PrepareSpec(name="dirlab", module="dirlab", params={"shape": [16, 12, 20]}, folder=folder))
    data = open_dataset(folder)
    assert data.test_pairs == [Pair(f"case{n:02d}-T00", f"case{n:02d}-T50") for n in range(1, 11)]
    assert len(set(data.description.subjects.values())) == 10
    assert data.training_pairs == []
    assert data.description.hu_offset == -1024
    assert data.description.intensity == WINDOW
    assert any("an assumption" in text for text in data.description.preprocessing)
    assert data.description.archives["Case8Pack.zip"] == sha256(mirror / "Case8Pack.zip")
    assert "case7_T50.img" in data.description.archives
    assert "Case2Pack.zip: another checksum than a public study recorded" in data.description.notes
    assert len(data.description.notes) == 5
    data.check_files()


def test_exhale_may_be_fixed(tmp_path, mirror):
    put(mirror, 2)
    data, truth = imported(tmp_path, cases=[2], direction="exhale_fixed")
    pair = data.test_pairs[0]
    assert pair == Pair("case02-T50", "case02-T00")
    fixed, _ = truth.landmarks(pair)
    np.testing.assert_allclose(
        seen_hu(data.image(pair.fixed).array, fixed), expected_hu("exhale", landmarks()[1]), atol=0.01
    )
    assert "fixed is end-exhale, moving end-inhale" in data.description.preprocessing


def test_the_mask_is_the_bore_where_slices_are_whole(tmp_path, mirror, monkeypatch):
    put(mirror, 6)
    data, _ = imported(tmp_path / "a", cases=[6], margin_mm=500)
    assert data.mask("case06-T00").all()
    monkeypatch.setattr(dirlab, "WHOLE_SLICE", SHAPE[:2])
    data, _ = imported(tmp_path / "b", cases=[6], margin_mm=500)  # the margin ends with the image
    mask = data.mask("case06-T50")
    assert mask.mean() == pytest.approx(np.pi * (250 / 512) ** 2, abs=0.01)
    assert not mask[0, 0].any()
    assert np.all(mask == mask[:, :, :1])


def test_missing_cases_are_named_with_what_to_do(tmp_path, mirror):
    put(mirror, 3)
    put(mirror, 5, unpacked=True, T50_xyz=None)
    with pytest.raises(DataError, match=r"case 1, .*case 5 \(landmarks T50\), case 6.*form.*`cases: \[3\]`"):
        imported(tmp_path)
    with pytest.raises(DataError, match=r"not found: case 4; fill in"):
        imported(tmp_path, cases=[3, 4])
    with pytest.raises(DataError, match=r"from 1 to 10, got \[0, 3\]"):
        imported(tmp_path, cases=[0, 3])
    assert not (tmp_path / "prepared").exists()


def test_packs_are_found_in_a_named_folder_and_in_the_cache(tmp_path, mirror):
    put(tmp_path, 1, unpacked=True)
    imported(tmp_path / "a", cases=[1], source=str(tmp_path))
    (tmp_path / "cache" / "dirlab").mkdir(parents=True)
    put(tmp_path / "cache" / "dirlab", 2)
    imported(tmp_path / "b", cases=[2])
    with pytest.raises(DataError, match="no such folder"):
        imported(tmp_path, source=str(tmp_path / "nowhere"))


def test_the_same_file_twice_is_refused(tmp_path, mirror):
    put(mirror, 1)
    put(mirror, 1, unpacked=True)
    with pytest.raises(DataError, match=r"case 1, image T00 is there twice: .*Case1Pack\.zip.*keep one"):
        imported(tmp_path, cases=[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"T00_s.img": lambda data: data[:-2]}, r"Case1Pack\.zip.*case1_T00_s\.img: \d+ bytes, expected 81600"),
        ({"T50_xyz": lambda data: data[: len(data) // 2]}, "12 inhale|landmarks|three numbers"),
        ({"T00_xyz": lambda data: b"no\tpoints\there\n"}, r"Case1_300_T00_xyz\.txt, line 1: expected three numbers"),
        ({"T50_xyz": lambda data: b"\r\n".join(sorted(data.split(b"\r\n"))[1:])}, "apart before registration"),
    ],
)
def test_spoilt_packs_are_refused(tmp_path, mirror, changes, message):
    put(mirror, 1, **changes)
    with pytest.raises(DataError, match=message):
        imported(tmp_path, cases=[1])


def test_a_cut_archive_is_named(tmp_path, mirror):
    path = put(mirror, 1)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"Case1Pack\.zip: not a readable zip archive"):
        imported(tmp_path, cases=[1])


def test_a_damaged_member_is_named(tmp_path, mirror):
    path = put(mirror, 1)
    content = bytearray(path.read_bytes())
    content[1500:1600] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"Case1Pack\.zip: .*cannot be read"):
        imported(tmp_path, cases=[1])


@pytest.mark.parametrize("spoil", ["upside_down", "swapped", "no_lungs"])
def test_what_distances_cannot_show_the_lungs_do(tmp_path, mirror, spoil):
    """Images and landmarks in unlike axes: every distance stays as published."""

    def turn(data: bytes) -> bytes:
        stored = np.frombuffer(data, "<i2").reshape(SHAPE[::-1])
        return (stored + 700 if spoil == "no_lungs" else stored[::-1]).astype("<i2").tobytes()

    def swap(data: bytes) -> bytes:
        return "".join("{1}\t{0}\t{2}\n".format(*row.split()) for row in data.decode().splitlines()).encode()

    put(mirror, 1, **({"T00_xyz": swap, "T50_xyz": swap} if spoil == "swapped" else {"T00_s": turn}))
    with pytest.raises(
        DataError, match="no lungs found" if spoil == "no_lungs" else "of the landmarks lie in the lungs"
    ):
        imported(tmp_path, cases=[1])


def test_impossible_options_are_refused(tmp_path, mirror):
    for options in ({"shape": [4, 4]}, {"margin_mm": -1.0}, {"inside": 1.5}):
        with pytest.raises(ValueError, match=next(iter(options))):
            imported(tmp_path, **options)


def test_genuine_landmarks_in_a_volume_of_genuine_size(tmp_path, monkeypatch):
    """Case 1 as it is but for its images: 300 landmarks at their distances, in boxes of air."""
    points = dirlab.read_dirqa(dirqa_file(1))
    case = dirlab.CASES[1]
    both = np.concatenate(points)
    values = np.full(case.shape, 1064, "<i2")
    for side in (both[:, 0] < np.median(both[:, 0]), both[:, 0] >= np.median(both[:, 0])):
        low, high = both[side].min(axis=0).astype(int) - 1, both[side].max(axis=0).astype(int) + 2
        values[tuple(slice(max(a, 2), min(b, n - 2)) for a, b, n in zip(low, high, case.shape, strict=True))] = 200
    for phase, voxels in zip(dirlab_packs.PHASES, points, strict=True):
        (tmp_path / f"case1_{phase}_s.img").write_bytes(values.transpose(2, 1, 0).tobytes())
        np.savetxt(tmp_path / f"Case1_300_{phase}_xyz.txt", voxels + 1, fmt="%d", delimiter="\t")
    data, truth = imported(tmp_path, cases=[1], source=str(tmp_path), shape=[32, 32, 32])
    pair = data.test_pairs[0]
    gap = (truth.landmarks(pair)[0] - truth.landmarks(pair)[1]) * data.image(pair.fixed).spacing
    assert np.linalg.norm(gap, axis=1).mean() == pytest.approx(3.89, abs=0.01)
    assert gap[:, 2].mean() < -1  # the diaphragm is lower at inhale, and the prepared axis points up
