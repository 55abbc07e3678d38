"""The report from hand-made results: numbers, texts, orientation of pictures, case choice, a page that stands alone."""

import io
import itertools
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import results
from benchmarks.metrics import METRICS
from datasets import geometry
from datasets.case import Pair, Truth, Writer, open_dataset
from datasets.files import Volume, write_displacement
from reports import cases, figures, montage, overview, page, pictures, planes, summary, tables
from reports.failures import failure_frame

SHAPE, SPACING = (18, 14, 11), (1.0, 1.5, 2.0)
AFFINE = np.diag([-1.0, 1.5, 2.0, 1.0])
REASON = "<worker> killed & 3_000 MB used, 95% of $limit\n{see #1}"
METHODS = {
    "identity": {"label": "Identity", "kind": "control", "cite": ""},
    "syn": {"label": "ANTs SyN", "kind": "classical", "cite": "doi:10.1016/j.media.2007.06.004"},
    "net": {"label": "Network & co", "kind": "learned", "cite": "see https://example.org/net"},
    "truth": {"label": "Truth", "kind": "control", "cite": None},
}


def write_dataset(folder, name, *, phantom, n_pairs, shape=SHAPE):
    rng = np.random.default_rng(3)
    writer, pairs = Writer(folder / name), [Pair("a", f"b{i}") for i in range(n_pairs)]
    x = geometry.identity_grid(shape) / np.reshape(shape, (3, 1, 1, 1)) - 0.5
    for case in ("a", *(pair.moving for pair in pairs)):
        centre = rng.uniform(-0.05, 0.05, (3, 1, 1, 1)) if case != "a" else np.zeros((3, 1, 1, 1))
        radius = np.sqrt(np.sum((x - centre) ** 2, axis=0))
        labels = (radius < 0.38).astype(int) + (radius < 0.2) + (radius < 0.1)
        image = 0.25 * labels + rng.uniform(0, 0.08, shape)
        writer.image(case, image, AFFINE)
        writer.labels(case, labels, AFFINE)
    writer.finish(
        {
            "name": name,
            "title": "Shells <b> phantom" if phantom else "Real shells",
            "phantom": phantom,
            "modality": "T1 MR",
            "shape": list(shape),
            "spacing": list(SPACING),
            "licence": "CC0 & friends",
            "source": "made here, doi:10.1000/xyz",
            "labels": {"1": "outer_shell", "2": "inner"},
            "evaluated_labels": [1, 2],
            "training": {"cases": []},
            "test": [{"fixed": pair.fixed, "moving": pair.moving} for pair in pairs],
        }
    )
    return open_dataset(folder / name)


def row(dataset, pair, method, metric, value, **more):
    protocol = {"dice": "linear_thr128", "seconds": "register", "tre": "continuous", "parameters": "network"}
    base = {"seed": 0, "protocol": protocol.get(metric, "central_grid"), "status": "ok", "reason": "", "run": method}
    base["region"] = "mean" if metric in ("dice", "tre", "displacement_error") else "all"
    return {"dataset": dataset, "pair": pair, "method": method, "metric": metric, "value": value, "unit": "1",
            **base, **more}  # fmt: skip


def failed_row(dataset, pair, method, status="failed", reason=REASON):
    return row(dataset, pair, method, "seconds", np.nan, status=status, reason=reason)


def rows_of(dataset, method, dice, seconds=1.0):
    """Status, Dice, per-label Dice and folding for pairs a__b0, a__b1, …"""
    out = []
    for i, value in enumerate(dice):
        pair = f"a__b{i}"
        out.append(row(dataset, pair, method, "seconds", seconds * (1 + 0.1 * i), unit="s"))
        out.append(row(dataset, pair, method, "dice", value))
        out += [row(dataset, pair, method, "dice", value + d, region=r) for r, d in (("label_1", 0.1), ("2", -0.1))]
        out.append(row(dataset, pair, method, "folding_percent", 0.0 if method == "identity" else 0.25 * i, unit="%"))
    return out


def frame(rows):
    return results.validate(rows, "metrics")


def small_metrics():
    rows = rows_of("shells", "identity", [0.5, 0.6, 0.7], 0.001)
    rows += rows_of("shells", "syn", [0.7, 0.8, 0.84], 12.0)
    rows += rows_of("shells", "net", [0.9, 0.95], 0.2)
    rows += [failed_row("shells", "a__b2", "net")]
    rows += rows_of("shells", "truth", [0.97, 0.98, 0.99], 0.002)
    rows += rows_of("real", "identity", [0.4], 0.001) + rows_of("real", "syn", [0.66], 9.0)
    rows += rows_of("real", "net", [0.71], 0.3)
    rows += [failed_row("real", "a__b0", "truth", "not_applicable", "no true displacement")]
    rows += [row("shells", "*", "net", "parameters", 1234567.0)]
    return frame(rows)


def runs_frame():
    rows = []
    for dataset in ("shells", "real"):
        for method in METHODS:
            rows.append({"run": f"{dataset}-{method}", "dataset": dataset, "method": method, "seed": 0,
                         "module": method, "params": json.dumps({"steps": 3}), "checkpoint_sha": "ab" * 32,
                         "commit": "8cfb05d" * 5, "dirty": True, "started_utc": "2026-01-02T03:04:05Z",
                         "cpu": "A CPU", "gpu": "", "threads": 1, "device": "cpu", "precision": "float32",
                         "python": "3.11.2", "platform": "Linux", "load_average": 0.1,
                         "versions": json.dumps({"numpy": "2.2", "torch": "2.8"})})  # fmt: skip
    return results.validate(rows, "runs")


def timing_frame():
    return pd.DataFrame(
        [
            {"dataset": "shells", "pair": "a__b0", "method": method, "seed": 0, "device": "cpu", "threads": threads,
             "round": i, "phase": phase, "seconds": base / threads + 0.01 * i, "status": "ok", "reason": ""}
            for method, base in (("syn", 9.0), ("net", 0.4)) for threads in (1, 2)
            for phase, rounds in (("first", 1), ("warm", 5)) for i in range(rounds)
        ]
    )  # fmt: skip


def build(folder, metrics, datasets, *, timing=None, curves=None):
    def displacement_path(dataset, method, seed, pair):
        path = folder / "displacements" / f"{dataset}-{method}-{seed}-{pair}.nii.gz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            x = geometry.identity_grid(datasets[dataset].image("a").array.shape)
            wave = 1.5 * np.sin(x[[1, 2, 0]] / 2.5) if method != "identity" else 0 * x
            write_displacement(path, wave, AFFINE)
        return path

    page.build(folder / "report", metrics=metrics, runs=runs_frame(), timing=timing, datasets=datasets,
               methods=METHODS, displacement_path=displacement_path, profile="te<st", training_curves=curves,
               labels=lambda dataset, case: Truth(datasets[dataset].folder).labels(case))  # fmt: skip
    return folder / "report"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    datasets = {
        "shells": write_dataset(folder, "shells", phantom=True, n_pairs=3),
        "real": write_dataset(folder, "real", phantom=False, n_pairs=1),
    }
    curve = pd.DataFrame({"iteration": range(50), "loss": np.exp(-np.arange(50) / 9)})
    report = build(folder, small_metrics(), datasets, timing=timing_frame(), curves={("net", "shells"): curve})
    return report, datasets


def test_overview_by_hand(built):
    found = pd.read_csv(built[0] / "tables" / "overview.csv").set_index(["dataset", "method", "metric"])
    syn = found.loc[("shells", "syn", "dice")]
    # 0.70, 0.80, 0.84: mean 0.78, squared deviations 0.0064 + 0.0004 + 0.0036 over 2
    assert (syn["mean"], syn.sd, syn["median"], syn.n) == (0.78, 0.072111, 0.8, 3)
    assert syn.before == pytest.approx(0.6)
    assert found.loc[("shells", "syn", "seconds"), "median"] == pytest.approx(13.2)
    net = found.loc[("shells", "net", "dice")]
    assert (net.n, net.failed, net.tried) == (2, 1, 3)
    assert net.before == pytest.approx(0.55)  # the same two pairs
    assert found.loc[("shells", "net", "parameters"), "mean"] == 1234567
    assert found.loc[("real", "truth", "dice"), ["n", "not_applicable", "failed"]].tolist() == [0, 1, 0]


def test_best_leaves_out_controls_and_methods_that_failed(built):
    found = pd.read_csv(built[0] / "tables" / "overview.csv")
    best = found[found.best & (found.metric == "dice")]
    assert list(zip(best.dataset, best.method, strict=True)) == [("shells", "syn"), ("real", "net")]
    text = (built[0] / "tables" / "overview.md").read_text()
    assert "**0.780 ± 0.072**" in text
    assert "0.925 ± 0.035 †" in text
    assert "Dice ↑, linear\\_thr128" in text
    assert r"\textbf{0.780 $\pm$ 0.072}" in (built[0] / "tables" / "overview.tex").read_text()


def test_seeds_are_averaged_within_a_pair_and_ties_share_the_bold(tmp_path):
    data = write_dataset(tmp_path, "d", phantom=False, n_pairs=2)
    rows = [row("d", f"a__b{i}", "syn", "dice", v, seed=s) for i, s, v in ((0, 0, 0.2), (0, 1, 0.4), (1, 0, 0.5))]
    rows += [row("d", f"a__b{i}", "net", "dice", v) for i, v in ((0, 0.35), (1, 0.4502))]
    found = summary.summarise(frame(rows), data, METHODS, [summary.Quote("dice", "linear_thr128", "mean")])
    found = found.set_index("method")
    assert found.loc["syn", "mean"] == pytest.approx(0.4)
    assert found.loc["syn", "n"] == 2
    assert found.best[found.best].index.tolist() == ["syn", "net"]  # 0.4000 and 0.4001 print alike


def test_lower_is_better_where_the_metric_says_so(tmp_path):
    data = write_dataset(tmp_path, "d", phantom=False, n_pairs=1)
    rows = [row("d", "a__b0", m, "tre", v, unit="mm") for m, v in (("identity", 1.0), ("syn", 2.5), ("net", 2.0))]
    metrics = frame([*rows, failed_row("d", "a__b0", "truth")])
    quote = summary.primary(metrics, data)
    found = summary.summarise(metrics, data, METHODS, [quote]).set_index("method")
    assert quote.metric == "tre"
    assert found.best[found.best].index.tolist() == ["net"]


def test_every_failure_is_listed(built):
    found = pd.read_csv(built[0] / "failures.csv", keep_default_na=False)
    assert list(found.columns) == ["method", "dataset", "pair", "status", "reason"]
    assert found.values.tolist() == [
        ["net", "shells", "a__b2", "failed", REASON],
        ["truth", "real", "a__b0", "not_applicable", "no true displacement"],
    ]
    page_text = (built[0] / "index.html").read_text()
    assert "&lt;worker&gt; killed &amp; 3_000 MB used, 95% of $limit" in page_text
    assert "<worker>" not in page_text
    tex = (built[0] / "tables" / "failures.tex").read_text()
    assert r"\textless{}worker\textgreater{} killed \& 3\_000 MB used, 95\% of \$limit \{see \#1\}" in tex


def test_failures_of_several_seeds_name_the_seed():
    rows = [failed_row("d", "a__b0", "net", reason="out of memory") | {"seed": seed} for seed in (0, 4)]
    assert failure_frame(frame(rows)).reason.tolist() == ["out of memory (seed 0)", "out of memory (seed 4)"]


def test_latex_escapes_and_balances(built):
    special = r"\a{b}&%$#_~^<>|" + f"\n± ↑†{tables.MINUS}"
    escaped = tables.latex_escape(special)
    bare = re.sub(r"\\[&%$#_{}]", "", re.sub(r"\$\\?[a-z-]+\$", "", escaped))
    assert not re.search(r"[&%$#_~^<>|\n±↑†\u2212]", bare)
    assert escaped.startswith(r"\textbackslash{}a\{b\}\&\%\$\#\_")
    for path in (built[0] / "tables").glob("*.tex"):
        text = path.read_text()
        plain = re.sub(r"\\[{}\\&]", "", text)
        assert plain.count("{") == plain.count("}"), path
        assert text.isascii(), path
        for block in re.findall(r"\\begin\{tabular\}\{((?:p\{\w+\}|.)*?)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL):
            columns = len(re.sub(r"p\{\w+\}", "p", block[0]))
            rows = [line for line in block[1].splitlines() if line.endswith(r"\\")]
            assert rows
            assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {columns - 1}


def test_markdown_rows_have_as_many_cells_as_heads(built):
    for path in (built[0] / "tables").glob("*.md"):
        lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
        widths = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
        changes = [i for i in range(1, len(widths)) if widths[i] != widths[i - 1]]
        assert lines, path
        assert all(set(lines[i + 1]) <= set("|-: ") for i in changes), path  # the width changes only at a new table


@pytest.mark.parametrize(("metric", "value", "text"), [
    ("dice", 0.7805, "0.780"), ("tre", -0.001, "0.00"), ("tre", -1.25, f"{tables.MINUS}1.25"),
    ("seconds", 0.00061, "0.0006"),
    ("seconds", 0.3041, "0.304"), ("seconds", 20.26, "20.3"), ("seconds", 1234.5, "1234"),
])  # fmt: skip
def test_quantities_as_text(metric, value, text):
    assert tables.quantity(metric, value) == text


_CHILD = """
import locale, sys
from pathlib import Path
from tests import test_reports as t
from datasets.case import open_dataset
from reports import overview, tables
try:
    locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
except locale.Error:
    pass
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
datasets = {name: open_dataset(folder / name) for name in ("shells", "real")}
metrics = t.small_metrics().sample(frac=1, random_state=int(sys.argv[3])).reset_index(drop=True)
frame = overview.overview_frame(metrics, datasets, t.METHODS)
tables.write_tables(out, "overview", frame, overview.overview_tables(frame, metrics, datasets, t.METHODS))
labels = overview.label_frame(metrics, datasets, t.METHODS)
tables.write_tables(out, "labels", labels, [overview.label_table(labels, d, t.METHODS) for d in datasets.values()])
"""


def test_tables_do_not_depend_on_hash_seed_locale_or_row_order(built, tmp_path):
    report, datasets = built
    root = Path(page.__file__).parents[1]
    environment = os.environ | {"PYTHONHASHSEED": "77", "LC_ALL": "C", "LANG": "C", "PYTHONPATH": str(root)}
    folder = datasets["shells"].folder.parent
    command = [sys.executable, "-c", _CHILD, str(folder), str(tmp_path), "5"]
    subprocess.run(command, check=True, env=environment, cwd=root)
    for name in ("overview.csv", "overview.md", "overview.tex", "labels.csv", "labels.md", "labels.tex"):
        assert (tmp_path / name).read_bytes() == (report / "tables" / name).read_bytes(), name


def test_label_table_names_structures(built):
    found = pd.read_csv(built[0] / "tables" / "labels.csv").set_index(["dataset", "method", "label"])
    assert found.loc[("shells", "syn", "outer_shell"), "mean"] == pytest.approx(0.88)
    assert found.loc[("shells", "syn", "inner"), "mean"] == pytest.approx(0.68)


AFFINES = {
    "RAS": np.diag([1.0, 1.5, 2.0, 1.0]),
    "LPI": np.diag([-1.0, -1.5, -2.0, 1.0]),
    "PIR": np.array([[0, 0, 2.0, -9], [-1.0, 0, 0, 4], [0, -1.5, 0, 7], [0, 0, 0, 1]]),
}


def extreme(affine, shape, world):
    """Index of the voxel that lies farthest in a direction of RAS space."""
    index = np.stack(np.meshgrid(*map(range, shape), indexing="ij")).reshape(3, -1)
    return tuple(index[:, np.argmax(np.asarray(world) @ (affine[:3, :3] @ index))])


@pytest.mark.parametrize("name", AFFINES)
@pytest.mark.parametrize(("world", "axis", "side"), [
    ((-1, 0.1, 0.1), 2, "right"), ((1, 0.1, 0.1), 2, "left"), ((0.1, 1, 0.1), 2, "top"), ((0.1, -1, 0.1), 2, "bottom"),
    ((-1, 0.1, 0.1), 1, "right"), ((0.1, 0.1, 1), 1, "top"), ((0.1, 0.1, -1), 1, "bottom"),
])  # fmt: skip
def test_patient_left_is_on_the_right_front_and_head_on_top(name, world, axis, side):
    affine, shape = AFFINES[name], (5, 7, 9)
    image = np.zeros(shape)
    image[extreme(affine, shape, world)] = 1
    shown = planes.oriented(image, affine).sum(axis=axis).T
    y, x = np.argwhere(shown)[0]
    expected = {"left": (x, 0), "right": (x, shown.shape[1] - 1), "top": (y, 0), "bottom": (y, shown.shape[0] - 1)}
    assert expected[side][0] == expected[side][1]


@pytest.mark.parametrize("name", AFFINES)
def test_planes_agree_with_the_whole_volume(name):
    rng, shape, affine = np.random.default_rng(1), (9, 11, 13), AFFINES[name]
    fixed, moving = (Volume(rng.uniform(0, 1, shape).astype(np.float32), affine) for _ in range(2))
    labels = tuple(rng.integers(0, 4, shape).astype(np.uint16) for _ in range(2))
    u = rng.normal(0, 1, (3, *shape)).astype(np.float32)
    spacing = planes.oriented_spacing(fixed)
    warped = planes.oriented(geometry.warp(moving.array, u), affine)
    warped_labels = planes.oriented(geometry.warp(labels[1], u, order=0), affine)
    determinant = planes.oriented(geometry.jacobian_determinant(u), affine)
    middle = [n // 2 for n in warped.shape]
    for plane, axis in zip(planes.planes(fixed, moving, u, labels), (2, 1), strict=True):
        found = [i for i in range(warped.shape[axis])
                 if np.allclose(np.take(warped, i, axis).T, plane.warped, atol=1e-4)]  # fmt: skip
        assert len(found) == 1
        assert abs(found[0] - middle[axis]) <= 1
        np.testing.assert_allclose(plane.determinant, np.take(determinant, found[0], axis).T, rtol=1e-3, atol=1e-3)
        assert np.array_equal(plane.warped_labels, np.take(warped_labels, found[0], axis).T)
        assert plane.voxel == (spacing[0], spacing[1 if axis == 2 else 2])


def test_a_shift_to_the_patients_left_moves_the_grid_to_the_viewers_right():
    affine, shape = AFFINES["RAS"], (6, 7, 8)
    u = np.zeros((3, *shape), np.float32)
    u[0], u[2] = -2, 1  # two voxels towards the left, one upwards
    volume = Volume(np.ones(shape, np.float32), affine)
    axial, coronal = planes.planes(volume, volume, u)
    assert np.all(axial.displacement[0] == 2)
    assert np.all(axial.displacement[1] == 0)
    assert np.all(coronal.displacement[1] == -1)
    lines = planes.grid_lines(axial.displacement, axial.voxel)
    assert min(line[:, 0].min() for line in lines) == 2
    assert max(line[:, 0].max() for line in lines) == 5 + 2


def test_the_drawn_picture_shows_left_on_the_right_and_folds_in_magenta():
    shape, affine = (24, 20, 16), np.diag([1.0, 1.0, 1.5, 1.0])
    image = np.full(shape, 0.2, np.float32)
    image[:4] = 1.0  # the patient's left
    u = np.zeros((3, *shape), np.float32)
    u[1, :, 8:14] = -3 * np.arange(6, dtype=np.float32)[None, :, None]  # folds along axis 1
    volume = Volume(image, affine)
    figure = montage.draw(planes.planes(volume, volume, u), "title")
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    one, gap = montage.WIDTH * montage.DPI, montage.GAP * montage.DPI
    top, left = round(montage.TOP * montage.DPI), montage.LEFT * montage.DPI
    first = pixels[top + 25 : top + 60, round(left) + 4 : round(left + one) - 4].mean(axis=(0, 2))
    assert first[-8:].mean() > first[:8].mean() + 100
    last = pixels[top : top + 100, round(left + 6 * (one + gap)) :]
    magenta = np.all(np.abs(last - [255, 0, 200]) < 12, axis=-1)
    assert 0.02 < magenta.mean() < 0.6


def test_outline_runs_between_labels():
    labels = np.zeros((4, 5), int)
    labels[1, 2] = 7
    segments = {tuple(map(tuple, segment)) for segment in planes.outline(labels).tolist()}
    assert segments == {((1.5, 0.5), (2.5, 0.5)), ((1.5, 1.5), (2.5, 1.5)), ((1.5, 0.5), (1.5, 1.5)),
                        ((2.5, 0.5), (2.5, 1.5))}  # fmt: skip


def test_worst_median_and_best_case():
    rows = [row("d", f"a__b{i}", "net", "dice", v) for i, v in enumerate((0.7, 0.5, 0.9, 0.6))]
    rows += [row("d", f"a__b{i}", "net", "tre", v, unit="mm") for i, v in enumerate((1.0, 4.0, 4.0))]
    metrics = frame(rows)
    dice, tre = summary.quote(metrics, "d", "dice"), summary.quote(metrics, "d", "tre")
    found = [(rank, pair) for rank, pair, _, _ in cases.ranked(metrics, "d", "net", dice)]
    assert found == [("worst", "a__b1"), ("median", "a__b3"), ("best", "a__b2")]
    found = [(rank, pair) for rank, pair, _, _ in cases.ranked(metrics, "d", "net", tre)]
    assert found == [("worst", "a__b1"), ("median", "a__b2"), ("best", "a__b0")]  # ties go by name


def test_pictures_are_small_and_complete(built):
    folder = built[0] / "figures" / "cases"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    expected = {f"shells/{m}-{r}.png" for m in METHODS for r in cases.RANKS}
    expected |= {f"real/{m}-{r}.png" for m in ("identity", "syn", "net") for r in cases.RANKS}
    assert names == expected
    assert max(path.stat().st_size for path in folder.rglob("*.png")) <= 150_000
    # one pair: the three ranks are the same picture
    assert len({(folder / "real" / f"syn-{rank}.png").read_bytes() for rank in cases.RANKS}) == 1
    assert len({(folder / "shells" / f"syn-{rank}.png").read_bytes() for rank in cases.RANKS}) == 3


def test_shrink_obeys_its_limit():
    noise = np.random.default_rng(0).integers(0, 256, (300, 800, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, format="PNG")
    small = pictures.shrink(stream.getvalue(), 60_000)
    assert len(small) <= 60_000 < stream.tell()


class Links(HTMLParser):
    """Collects what a page would load, its links, its ids, and pictures without text."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.ids, self.bare, self.headings = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in ("script", "link", "iframe", "object"):
            self.loads.append(tag)
        self.loads += [v for k, v in attrs if k in ("src", "srcset", "poster", "data") and not v.startswith("data:")]
        self.links += [v for k, v in attrs if k in ("href", "xlink:href")]
        self.ids += [values["id"]] if "id" in values else []
        if (tag == "img" and not values.get("alt")) or (tag == "svg" and not values.get("aria-label")):
            self.bare.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))


def test_page_stands_alone(built):
    text = (built[0] / "index.html").read_text()
    found = Links(text)
    assert found.loads == []
    assert found.bare == []
    local = [link[1:] for link in found.links if link.startswith("#")]
    assert set(local) <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    outside = {link for link in found.links if not link.startswith("#")}
    assert "https://doi.org/10.1016/j.media.2007.06.004" in outside
    assert all(link.startswith("https://") for link in outside)
    assert not re.search(r"url\((?!#)|@import|file:", text)
    assert found.headings[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(found.headings))
    assert len(text) < 15_000_000


def test_page_says_what_a_reader_must_know(built):
    text = (built[0] / "index.html").read_text()
    for words in (
        "Numbers from phantoms are phantom numbers, not reproductions",
        "not measured: no CUDA device",
        "with uncommitted changes",
        "CC0 &amp; friends",
        "Shells &lt;b&gt; phantom",
        "te&lt;st",
        "Before registration",
        METRICS["dice"].protocols["linear_thr128"].replace(">", "&gt;"),
        "8cfb05d8cfb0",
        "torch 2.8",
    ):
        assert words in text, words
    assert text.count("data:image/png;base64,") == 3 * 3 + 2 + 3  # net finished two pairs, real has one


def test_a_phantom_is_named_in_the_head_of_its_column(built):
    head = (built[0] / "tables" / "overview.md").read_text().splitlines()[2]
    assert [("phantom" in cell) for cell in head.split(" | ")[1:]] == [True, False]


def test_a_data_set_may_name_its_own_primary_metric(tmp_path):
    data = write_dataset(tmp_path, "d", phantom=False, n_pairs=1)
    rows = [row("d", "a__b0", "syn", metric, 0.5) for metric in ("dice", "tre")]
    assert summary.primary(frame(rows), data).metric == "dice"
    own = type(data)(data.folder, {**data.about, "primary": "tre"})
    assert summary.primary(frame(rows), own).metric == "tre"


def test_figures_are_written_and_repeat(built, tmp_path):
    folder = built[0] / "figures"
    for name in ("accuracy-time", "dice-shells", "dice-real", "training-net-shells"):
        assert (folder / f"{name}.png").stat().st_size > 2000
        assert "</svg>" in (folder / f"{name}.svg").read_text()
    metrics, datasets = small_metrics(), built[1]
    quote = summary.primary(metrics, datasets["shells"])
    figures.save(figures.spread(metrics, datasets["shells"], quote, METHODS), tmp_path, "dice-shells")
    assert (tmp_path / "dice-shells.svg").read_bytes() == (folder / "dice-shells.svg").read_bytes()


def test_page_without_a_single_success(tmp_path):
    datasets = {"d": write_dataset(tmp_path, "d", phantom=True, n_pairs=1)}
    report = build(tmp_path, frame([failed_row("d", "a__b0", "net", "oom")]), datasets)
    text = (report / "index.html").read_text()
    assert "No method finished a registration" in text
    assert "The timing stage was not run" in text
    assert "not measured: no CUDA device" in (report / "tables" / "timing.md").read_text()
    assert pd.read_csv(report / "failures.csv").status.tolist() == ["oom"]


def test_page_without_failures_timing_or_kept_displacements(tmp_path):
    datasets = {"d": write_dataset(tmp_path, "d", phantom=False, n_pairs=1)}
    rows = rows_of("d", "identity", [0.4]) + rows_of("d", "net", [0.6])
    page.build(
        tmp_path / "report", metrics=frame(rows), runs=runs_frame().iloc[:0], timing=None, datasets=datasets,
        methods=METHODS, displacement_path=lambda *_: tmp_path / "absent.nii.gz", profile="x",
    )  # fmt: skip
    text = (tmp_path / "report" / "index.html").read_text()
    assert "No failures: every registration of this run finished." in text
    assert "displacement of this pair was not kept" in text
    assert "phantom numbers" not in text
    assert (tmp_path / "report" / "failures.csv").read_text() == "method,dataset,pair,status,reason\n"


def test_undescribed_methods_are_refused(tmp_path):
    with pytest.raises(ValueError, match="methods that are not described: stranger"):
        page.build(
            tmp_path, metrics=frame([row("d", "a__b0", "stranger", "dice", 0.5)]), runs=runs_frame(), timing=None,
            datasets={"d": write_dataset(tmp_path, "d", phantom=False, n_pairs=1)}, methods=METHODS,
            displacement_path=lambda *_: tmp_path, profile="x",
        )  # fmt: skip


def test_timing_shows_cuda_where_it_was_measured(built):
    gpu = timing_frame().query("threads == 1 and method == 'net'").assign(device="cuda", seconds=0.0321)
    gpu.loc[gpu.phase == "first", ["status", "seconds"]] = ["oom", np.nan]
    dataset = built[1]["shells"]
    table = overview.timing_table(overview.timing_frame(pd.concat([timing_frame(), gpu])), dataset, METHODS)
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert [head.title for head in table.heads][-2:] == ["CUDA ↓", "First call ↓"]
    assert rows["Network & co"][-2:] == ["0.0321 (0.0321 to 0.0321; 5)", "failed (1)"]
    assert rows["ANTs SyN"][0] == "9.02 (9.01 to 9.03; 5)"  # 9.00 to 9.04 in steps of 0.01
    assert rows["ANTs SyN"][-1] == "not measured"
    assert set(rows) == {"ANTs SyN", "Network & co"}  # no controls
