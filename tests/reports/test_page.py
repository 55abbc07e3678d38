"""The page and the figures of a report."""

import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import ranking
from benchmarks.metrics import METRICS
from reports import page
from reports.drawing.style import save
from reports.overview import figures
from reports.overview.timing import timing_table, timings
from tests.reports.report_inputs import (
    Links,
    build,
    failed_row,
    frame,
    make_run,
    row,
    rows_of,
    runs_frame,
    small_metrics,
    timing_frame,
    write_dataset,
)


def test_page_stands_alone(built):
    text = (built[0] / "index.html").read_text(encoding="utf-8")
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
    text = (built[0] / "index.html").read_text(encoding="utf-8")
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


@pytest.mark.fault(25)
def test_rows_of_several_versions_are_marked(built, tmp_path):
    assert "Mixed versions" not in (built[0] / "index.html").read_text(encoding="utf-8")
    runs = runs_frame()
    runs.loc[0, ["commit", "versions"]] = "1234567" * 5, json.dumps({"numpy": "2.3", "scipy": "1.17"})
    data = {name: write_dataset(tmp_path, name, phantom=False, n_pairs=3) for name in ("shells", "real")}
    text = (build(tmp_path, small_metrics(), data, runs=runs) / "index.html").read_text(encoding="utf-8")
    assert "(commit 123456712345 and 8cfb05d8cfb0; numpy 2.2 and 2.3)" in text
    assert "Python 3.11.2, numpy 2.3, scipy 1.17</td>" in text
    assert "Python 3.11.2, numpy 2.2, torch 2.8</td>" in text


def test_a_phantom_is_named_in_the_head_of_its_column(built):
    head = (built[0] / "tables" / "overview.md").read_text(encoding="utf-8").splitlines()[2]
    assert [("phantom" in cell) for cell in head.split(" | ")[1:]] == [True, False]


def test_a_data_set_may_name_its_own_primary_metric(tmp_path):
    data = write_dataset(tmp_path, "d", phantom=False, n_pairs=1)
    rows = [row("d", "a__b0", "syn", metric, 0.5) for metric in ("dice", "tre")]
    assert ranking.primary(frame(rows), data).metric == "dice"
    own = replace(data, description=replace(data.description, primary="tre"))
    assert ranking.primary(frame(rows), own).metric == "tre"


def test_figures_are_written_and_repeat(built, tmp_path):
    folder = built[0] / "figures"
    for name in ("accuracy-time", "dice-shells", "dice-real", "training-net-shells"):
        assert (folder / f"{name}.png").stat().st_size > 2000
        assert "</svg>" in (folder / f"{name}.svg").read_text(encoding="utf-8")
    metrics, datasets = small_metrics(), built[1]
    quote = ranking.primary(metrics, datasets["shells"])
    save(figures.spread(make_run(metrics, datasets), datasets["shells"], quote), tmp_path, "dice-shells")
    assert (tmp_path / "dice-shells.svg").read_bytes() == (folder / "dice-shells.svg").read_bytes()


def test_page_without_a_single_success(tmp_path):
    datasets = {"d": write_dataset(tmp_path, "d", phantom=True, n_pairs=1)}
    report = build(tmp_path, frame([failed_row("d", "a__b0", "net", "oom")]), datasets)
    text = (report / "index.html").read_text(encoding="utf-8")
    assert "No method was timed that has accuracy" in text
    assert "The timing stage was not run" in text
    assert "not measured: no CUDA device" in (report / "tables" / "timing.md").read_text(encoding="utf-8")
    assert pd.read_csv(report / "failures.csv").status.tolist() == ["oom"]


def test_page_without_failures_timing_or_kept_displacements(tmp_path):
    datasets = {"d": write_dataset(tmp_path, "d", phantom=False, n_pairs=1)}
    rows = rows_of("d", "identity", [0.4]) + rows_of("d", "net", [0.6])
    run = make_run(frame(rows), datasets, lambda *_: tmp_path / "absent.nii.gz", runs=runs_frame().iloc[:0])
    page.build(tmp_path / "report", run)
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "No failures: every registration of this run finished." in text
    assert "displacement of this pair was not kept" in text
    assert "phantom numbers" not in text
    assert (tmp_path / "report" / "failures.csv").read_text(encoding="utf-8") == "method,dataset,pair,status,reason\n"


def test_undescribed_methods_are_refused(tmp_path):
    datasets = {"d": write_dataset(tmp_path, "d", phantom=False, n_pairs=1)}
    run = make_run(frame([row("d", "a__b0", "stranger", "dice", 0.5)]), datasets, lambda *_: tmp_path)
    with pytest.raises(ValueError, match="methods that are not described: stranger"):
        page.build(tmp_path, run)


def test_timing_shows_cuda_where_it_was_measured(built):
    gpu = timing_frame().query("threads == 1 and method == 'net'").assign(device="cuda", seconds=0.0321)
    gpu.loc[gpu.phase == "first", ["status", "seconds"]] = ["oom", np.nan]
    dataset = built[1]["shells"]
    table = timing_table(make_run(small_metrics(), built[1]), timings(pd.concat([timing_frame(), gpu])), dataset)
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert [head.title for head in table.heads][-2:] == ["CUDA ↓", "First call ↓"]
    assert rows["Network & co"][-2:] == ["0.0321 (0.0321 to 0.0321; 5)", "failed (1)"]
    assert rows["ANTs SyN"][0] == "9.02 (9.01 to 9.03; 5)"  # 9.00 to 9.04 in steps of 0.01
    assert rows["ANTs SyN"][-1] == "not measured"
    assert set(rows) == {"ANTs SyN", "Network & co"}  # no controls


def test_no_figure_is_wider_than_a_narrow_screen():
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", (page.TEMPLATES / "style.css").read_text(encoding="utf-8"))
    drawn = [said for names, said in rules if re.search(r"svg|img|\.picture", names)]
    assert drawn
    assert not [said for said in drawn if re.search(r"(?<![-\w])(min-)?width:\s*\d+px|max-width:\s*none", said)]
