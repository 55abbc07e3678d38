"""Report tables: by hand, escaped, and the same bytes whatever the surroundings."""

import html
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import ranking
from reports import page
from reports.overview.failures import failure_frame
from reports.overview.rows import label_rows, overview_rows, summarise
from reports.overview.tables import accuracy_table, dataset_table, label_table
from reports.tables import latex
from reports.tables.numbers import MINUS, quantity
from tests.reports.report_inputs import (
    REASON,
    failed_row,
    frame,
    make_run,
    row,
    rows_of,
    write_dataset,
)


def test_overview_by_hand(built):
    found = pd.read_csv(built[0] / "tables" / "overview.csv").set_index(["dataset", "method", "metric"])
    syn = found.loc[("shells", "syn", "dice")]
    # 0.70, 0.80, 0.84: mean 0.78, squared deviations 0.0064 + 0.0004 + 0.0036 over 2
    assert (syn["mean"], syn.sd, syn["median"], syn.n, syn.subjects) == (0.78, 0.072111, 0.8, 3, 4)
    assert syn.before == pytest.approx(0.6)
    seconds = found.loc[("shells", "syn", "seconds")].set_index("protocol")["median"]
    assert seconds.to_dict() == {"timed": pytest.approx(4.52), "register": pytest.approx(13.2)}
    net = found.loc[("shells", "net", "dice")]
    assert (net.n, net.failed, net.tried) == (2, 1, 3)
    assert net.before == pytest.approx(0.55)  # the same two pairs
    assert found.loc[("shells", "net", "parameters"), "mean"] == 1234567
    assert found.loc[("real", "truth", "dice"), ["n", "not_applicable", "failed"]].tolist() == [0, 1, 0]


def test_best_leaves_out_controls_and_methods_that_failed(built):
    found = pd.read_csv(built[0] / "tables" / "overview.csv")
    best = found[found.best & (found.metric == "dice")]
    assert list(zip(best.dataset, best.method, strict=True)) == [("shells", "syn"), ("real", "net")]
    text = (built[0] / "tables" / "overview.md").read_text(encoding="utf-8")
    assert "**0.780 ± 0.279**" in text
    assert "0.925 ± 0.318 †" in text
    assert "Dice ↑, linear\\_thr128" in text
    assert r"\textbf{0.780 $\pm$ 0.279}" in (built[0] / "tables" / "overview.tex").read_text(encoding="utf-8")


def test_seeds_are_averaged_within_a_pair_and_ties_share_the_bold(tmp_path):
    data = write_dataset(tmp_path, "d", phantom=False, n_pairs=2)
    rows = [row("d", f"a__b{i}", "syn", "dice", v, seed=s) for i, s, v in ((0, 0, 0.2), (0, 1, 0.4), (1, 0, 0.5))]
    rows += [row("d", f"a__b{i}", "net", "dice", v) for i, v in ((0, 0.35), (1, 0.4502))]
    found = summarise(make_run(frame(rows), {"d": data}), data, [ranking.Quote("dice", "linear_thr128", "mean")])
    syn = next(each for each in found if each.method == "syn")
    assert syn.mean == pytest.approx(0.4)
    assert syn.n == 2
    assert [each.method for each in found if each.best] == ["syn", "net"]  # 0.4000 and 0.4001 print alike


def test_lower_is_better_where_the_metric_says_so(tmp_path):
    data = write_dataset(tmp_path, "d", phantom=False, n_pairs=1)
    rows = [row("d", "a__b0", m, "tre", v, unit="mm") for m, v in (("identity", 3.0), ("syn", 2.5), ("net", 2.0))]
    metrics = frame([*rows, failed_row("d", "a__b0", "truth")])
    quote = ranking.primary(metrics, data)
    found = summarise(make_run(metrics, {"d": data}), data, [quote])
    assert quote.metric == "tre"
    assert [each.method for each in found if each.best] == ["net"]


def best_of(folder, by_method, metric="dice", **more):
    """Return who is best, and over how many pairs, of values by method and pair; None leaves a pair out."""
    pairs = max(map(len, by_method.values()))
    data = write_dataset(folder, "d", phantom=False, n_pairs=pairs)
    rows = [
        row("d", f"a__b{i}", name, metric, value, **more)
        for name, values in by_method.items()
        for i, value in enumerate(values)
        if value is not None
    ]
    metrics = frame(rows)
    found = summarise(make_run(metrics, {"d": data}), data, [ranking.quote(metrics, "d", metric)])
    return [each.method for each in found if each.best], {each.method: each.compared for each in found if each.n}


def test_a_method_that_skips_hard_pairs_does_not_win_by_it(tmp_path):
    """Its mean is the higher, 0.8 against 0.7; over the two pairs that both have it is the lower."""
    values = {"identity": [0.5, 0.5, 0.1], "syn": [0.9, 0.8, 0.4], "net": [0.85, 0.75, None]}
    best, compared = best_of(tmp_path, values)
    assert best == ["syn"]
    assert compared == {"identity": 0, "syn": 2, "net": 2}


def test_pairs_that_no_two_methods_share_have_no_best(tmp_path):
    assert best_of(tmp_path, {"syn": [0.9, None], "net": [None, 0.8]})[0] == []


@pytest.mark.parametrize(("before", "best"), [(0.473, []), (0.1352, []), (0.134, ["net"])])
def test_none_is_best_that_is_no_better_than_before_registration(tmp_path, before, best):
    """0.1351 and 0.1352 print alike, so that one is not shown to be better."""
    assert best_of(tmp_path, {"identity": [before], "syn": [0.1], "net": [0.1351]})[0] == best


@pytest.mark.parametrize(
    ("folding", "best"), [((0.0, 0.0002), []), ((0.0, 0.01), ["syn"]), ((0.02, 0.02), ["syn", "net"])]
)
def test_no_tie_at_zero_is_best(tmp_path, folding, best):
    """Moving nothing folds nothing, so that folding need not be less than before registration."""
    values = {"identity": [0.0], **dict(zip(("syn", "net"), ([each] for each in folding), strict=True))}
    assert best_of(tmp_path, values, "folding_percent", unit="%")[0] == best


def test_pairs_are_counted_and_not_registrations(tmp_path):
    """Two pairs with three seeds are two pairs; one failed with one seed."""
    data = write_dataset(tmp_path, "d", phantom=False, n_pairs=2)
    rows = [
        {**each, "seed": seed} for seed in range(3) for each in rows_of("d", "net", [0.7, 0.8] if seed < 2 else [0.75])
    ]
    rows += [{**failed_row("d", "a__b1", "net"), "seed": 2}, *rows_of("d", "syn", [0.6, 0.7])]
    run = make_run(frame(rows), {"d": data})
    table = dataset_table(run, overview_rows(run), data)
    heads = [f"{head.title} {head.detail}" for head in table.heads]
    cells = {line[0].text: [cell.text for cell in line] for line in table.rows}
    done, failed = heads.index("Pairs done"), heads.index("Pairs failed")
    assert [cells["Network & co"][done], cells["Network & co"][failed]] == ["1 \N{MULTIPLICATION SIGN} 3 seeds", "1"]
    assert [cells["ANTs SyN"][done], cells["ANTs SyN"][failed]] == ["2", "0"]
    assert "mean over 2 pairs of 3 subjects ± half of its 95 % interval" in table.caption
    assert any("over subjects and trainings" in note for note in table.notes)


def test_a_phantoms_distances_before_registration_are_called_drawn(tmp_path):
    data = write_dataset(tmp_path, "d", phantom=True, n_pairs=1)
    rows = [row("d", "a__b0", name, "tre", value, unit="mm") for name, value in (("identity", 3.9), ("syn", 1.0))]
    drawn = replace(data, description=replace(data.description, severity={"a__b0": 3.89}))
    for each, expected in ((data, False), (drawn, True)):
        run = make_run(frame(rows), {"d": each})
        notes = dataset_table(run, overview_rows(run), each).notes
        assert any("no result" in note for note in notes) == expected


def test_what_is_synthetic_stands_below_every_table_of_it(tmp_path):
    data = write_dataset(tmp_path, "shells", phantom=False, n_pairs=2)
    data = replace(data, description=replace(data.description, synthetic="shells are real, colours are made"))
    run = make_run(frame(rows_of("shells", "identity", [0.5, 0.6])), {"shells": data})
    said, rows = "Real shells: shells are real, colours are made.", overview_rows(run)
    assert said in dataset_table(run, rows, data).notes
    assert said in accuracy_table(run, rows).notes
    assert said in label_table(run, label_rows(run), data).notes


def test_every_failure_is_listed(built):
    found = pd.read_csv(built[0] / "failures.csv", keep_default_na=False)
    assert list(found.columns) == ["method", "dataset", "pair", "status", "reason"]
    assert found.values.tolist() == [
        ["net", "shells", "a__b2", "failed", REASON],
        ["truth", "real", "a__b0", "not_applicable", "no true displacement"],
    ]
    page_text = (built[0] / "index.html").read_text(encoding="utf-8")
    assert "&lt;worker&gt; killed &amp; 3_000 MB used, 95% of $limit" in page_text
    assert "<worker>" not in page_text
    tex = (built[0] / "tables" / "failures.tex").read_text(encoding="utf-8")
    assert r"\textless{}worker\textgreater{} killed \& 3\_000 MB used, 95\% of \$limit \{see \#1\}" in tex


@pytest.mark.fault(13)
def test_a_method_that_moves_nothing_is_named(tmp_path):
    data = write_dataset(tmp_path, "shells", phantom=True, n_pairs=3)
    rows = rows_of("shells", "identity", [0.5, 0.6, 0.7]) + rows_of("shells", "syn", [0.5, 0.9, 0.7])
    for each in rows:  # the control's folding is zero, the method's is not on two pairs
        if each["metric"] == "folding_percent" and each["pair"] == "a__b0":
            each["value"] = 0.0
    run = make_run(frame(rows), {"shells": data})
    notes = dataset_table(run, overview_rows(run), data).notes
    assert notes[-1] == "ANTs SyN left 1 of its pairs exactly as they were before registration."


def test_a_method_that_was_not_available_is_named_with_its_reason(tmp_path):
    data = write_dataset(tmp_path, "shells", phantom=True, n_pairs=2)
    run = make_run(frame(rows_of("shells", "identity", [0.5, 0.6])), {"shells": data}, lambda *_: tmp_path / "none")
    run = replace(run, unavailable={("shells", "syn"): "No module named 'ants'"})
    page.build(tmp_path / "report", run)
    sentence = "ANTs SyN was not available, so nothing is measured of it on Shells"
    assert sentence in html.unescape((tmp_path / "report" / "index.html").read_text(encoding="utf-8"))
    failures = pd.read_csv(tmp_path / "report" / "failures.csv").values.tolist()
    assert failures == [["syn", "shells", "*", "unavailable", "No module named 'ants'"]]
    assert "registrations, none failed" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_failures_of_several_seeds_name_the_seed():
    rows = [failed_row("d", "a__b0", "net", reason="out of memory") | {"seed": seed} for seed in (0, 4)]
    assert failure_frame(frame(rows)).reason.tolist() == ["out of memory (seed 0)", "out of memory (seed 4)"]


def test_latex_escapes_and_balances(built):
    special = r"\a{b}&%$#_~^<>|" + f"\n± ↑†{MINUS}"
    escaped = latex.escape(special)
    bare = re.sub(r"\\[&%$#_{}]", "", re.sub(r"\$\\?[a-z-]+\$", "", escaped))
    assert not re.search(r"[&%$#_~^<>|\n±↑†\u2212]", bare)
    assert escaped.startswith(r"\textbackslash{}a\{b\}\&\%\$\#\_")
    for path in (built[0] / "tables").glob("*.tex"):
        text = path.read_text(encoding="utf-8")
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
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
        widths = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
        changes = [i for i in range(1, len(widths)) if widths[i] != widths[i - 1]]
        assert lines, path
        assert all(set(lines[i + 1]) <= set("|-: ") for i in changes), path  # the width changes only at a new table


@pytest.mark.parametrize(("metric", "value", "text"), [
    ("dice", 0.7805, "0.780"), ("tre", -0.001, "0.00"), ("tre", -1.25, f"{MINUS}1.25"),
    ("seconds", 0.00061, "0.0006"),
    ("seconds", 0.3041, "0.304"), ("seconds", 20.26, "20.3"), ("seconds", 1234.5, "1234"),
])  # fmt: skip
def test_quantities_as_text(metric, value, text):
    assert quantity(metric, value) == text


_CHILD = """
import locale, sys
from pathlib import Path
from tests.reports import report_inputs as t
from datasets.case import open_dataset
from reports.overview import rows, tables
from reports.tables.write import write_tables
try:
    locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
except locale.Error:
    pass
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
datasets = {name: open_dataset(folder / name) for name in ("shells", "real")}
metrics = t.small_metrics().sample(frac=1, random_state=int(sys.argv[3])).reset_index(drop=True)
run = t.make_run(metrics, datasets, timing=t.timing_frame())
found, labels = rows.overview_rows(run), rows.label_rows(run)
shown = [tables.accuracy_table(run, found), *(tables.dataset_table(run, found, d) for d in datasets.values())]
write_tables(out, "overview", rows.frame_of(found), shown)
shown = [tables.label_table(run, labels, d) for d in datasets.values()]
write_tables(out, "labels", rows.frame_of(labels, labels=True), shown)
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


def test_label_table_has_the_means_of_named_sets(tmp_path):
    data = write_dataset(tmp_path, "d", phantom=False, n_pairs=1)
    data = replace(data, description=replace(data.description, label_sets={"both": ((1, 2),)}))
    rows = [
        row("d", "a__b0", "syn", "dice", value, region=region) for region, value in (("mean", 0.5), ("mean_both", 0.8))
    ]
    found = label_rows(make_run(frame(rows), {"d": data}))
    assert [(each.label, each.mean) for each in found if each.method == "syn"] == [("mean of both", 0.8)]


def test_label_table_names_structures(built):
    found = pd.read_csv(built[0] / "tables" / "labels.csv").set_index(["dataset", "method", "label"])
    assert found.loc[("shells", "syn", "outer_shell"), "mean"] == pytest.approx(0.88)
    assert found.loc[("shells", "syn", "inner"), "mean"] == pytest.approx(0.68)
