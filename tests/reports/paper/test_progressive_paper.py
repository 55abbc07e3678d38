"""The progressive paper's tables: the printed numbers put in as if measured must come out again, pooled as printed."""

import numpy as np
import pandas as pd
import pytest

from reports.paper.ledger import TIMES, beside, judge
from reports.paper.tables import write_paper_tables
from reports.tables.numbers import MINUS
from tests.reports.paper.progressive_inputs import (
    FRAME,
    METHODS,
    PAPER,
    by_place,
    make_run,
    pair_rows,
    places,
    repeated,
)


def test_the_paper_is_whole():
    """Cells counted by hand: rows x columns, SD of folding in row All alone, durations without SD in five rows."""
    assert FRAME.groupby("table").size().to_dict() == {
        1: 3 * 4, 2: 18 * 9 + 2, 3: 7 * 3 + 2, 4: 6 * 2, 5: 4 * 4 + 2 * 2 + 2 + 2 + 4 + 1 + 3 + 3,
    }  # fmt: skip
    assert [figure.number for figure in PAPER.figures] == [2, 4, 5, 6, 7, 8, 9]
    words = FRAME[FRAME.value.isna()].printed.value_counts().to_dict()
    assert words == {"N/A": 3, "None": 2}


def test_the_printed_rows_give_the_printed_row_all(agreeing):
    """TRE is over 3,661 landmarks, folding over 17 pairs; the one cell that rounds otherwise has a note."""
    off = []
    for column in PAPER.tables[1].columns:
        cell = agreeing[2, "all", column.key]
        if round(cell.measured.value, 2) != cell.cell.printed.value:
            off.append((column.key, round(cell.measured.value, 3)))
    assert off == [("baseline", pytest.approx(3.384, abs=2e-3))]
    assert "within their rounding" in agreeing[2, "all", "baseline"].note
    assert agreeing[2, "all", "before"].measured.statistic == "mean over landmarks"
    assert agreeing[2, "all", "progressive_folding_sd"].measured.statistic == "sd"
    assert agreeing[2, "all", "landmarks"].measured.value == 3661


def test_every_printed_number_of_the_networks_agrees_with_itself(agreeing):
    verdicts = {key: each.verdict for key, each in agreeing.items() if key[0] in (2, 4)}
    assert {key for key, verdict in verdicts.items() if verdict != "agrees"} == set()
    assert {each.verdict for key, each in agreeing.items() if key[0] == 1} == {"as configured"}


def test_numbers_in_the_text(agreeing):
    def of(row, column="comparison"):
        return agreeing[5, row, column]

    assert of("gain").measured.value == pytest.approx(1.013, abs=5e-4)
    assert of("gain").verdict == "agrees"
    assert of("signed_rank").measured.value == 153
    assert of("signed_rank").verdict == "agrees"
    assert of("p_value").measured.value == pytest.approx(0.000293, abs=5e-7)
    assert of("p_value").verdict == "agrees"
    assert "the first draw's; of all: 0.00029, 0.00029, 0.00029, 0.00029, 0.00029" in of("p_value").note
    assert of("p_value").measured.n == 17
    assert of("all", "progressive").measured.value == pytest.approx(2.37, abs=5e-3)
    assert of("dirlab", "progressive").measured.value == pytest.approx(2.43, abs=5e-3)
    assert of("folding", "baseline_sd").measured.value == pytest.approx(0.107, abs=1e-3)


@pytest.mark.parametrize(("worse", "ranks", "verdict"), [(0, 153, "agrees"), (4, 143, "differs")])
def test_the_printed_test_agrees_where_all_pairs_improve_and_not_where_four_do_not(tmp_path, worse, ranks, verdict):
    """Baseline less progressive is 1 to 17 mm, of the first ``worse`` pairs with the other sign: 153 less 10."""
    rows = []
    for at, (key, number) in enumerate(places(), start=1):
        gain = -at if at <= worse else at
        for method, mean in (("progressive", 20.0), ("progressive-baseline", 20.0 + gain)):
            rows += pair_rows(key, f"a__b{number - 1}", method, 100, mean, 1.0, 0.1)
    found = by_place(judge(make_run(tmp_path, repeated(rows, 3))))
    assert found[5, "signed_rank", "comparison"].measured.value == ranks
    assert found[5, "signed_rank", "comparison"].verdict == verdict
    assert found[5, "p_value", "comparison"].verdict == verdict
    exact = by_place(beside(make_run(tmp_path / "exact", repeated(rows, 3))))[5, "p_exact", "comparison"]
    assert exact.measured.value == pytest.approx(
        sum(1 for signs in range(2**17) if sum(k + 1 for k in range(17) if signs >> k & 1) >= ranks) / 2**17
    )


def test_counts_beside_the_paper(own):
    found = {(each.cell.table, each.cell.row.key, each.cell.column.key): each for each in beside(own)}
    assert found[5, "improved", "comparison"].measured.value == 17
    assert found[5, "folds_more", "comparison"].measured.value == 15 / 5  # the further draws fold alike
    assert found[5, "draws_improved", "comparison"].measured.value == 5
    assert "of 5 seeds: 0, 1, 2, 3, 4" in found[5, "draws_improved", "comparison"].note
    assert found[3, "demons", "tre"].measured.value == pytest.approx(1.5)
    assert {each.verdict for each in found.values()} == {"not in the paper"}
    assert not set(found) & {(each.cell.table, each.cell.row.key, each.cell.column.key) for each in judge(own)}


@pytest.fixture(scope="module")
def written(own, judged, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    return folder, write_paper_tables(folder, own, [*judged.values(), *beside(own)])


def test_the_tables_of_the_paper(written):
    names = {path.name for path in written[0].iterdir()}
    assert names == {f"progressive-table{n}.{end}" for n in range(1, 6) for end in ("csv", "md", "tex")}
    one, two, three, four, five = written[1]
    assert [cell.text for cell in one.rows[1]] == [
        "t2,1", TIMES.join("444"), f"[{MINUS}3.2, 3.2]", f"[{MINUS}6.4, 6.4]", f"[{MINUS}12.8, 12.8]",
    ]  # fmt: skip
    assert one.rows[1][4].printed == f"[{MINUS}12.8, 12.8]"
    assert [head.title for head in two.heads] == [
        "Data set",
        "Image pair",
        "Landmarks",
        "TRE (mm)",
        "TRE (mm)",
        "Folding (%)",
        "TRE (mm)",
        "Folding (%)",
    ]
    assert len(two.rows) == 18
    last = two.rows[-1]
    assert last[5].printed == "0.18 ± 0.11"
    assert (two.rows[0][5].text, two.rows[0][5].printed) == ("0.15", "0.33")  # (0.33 + 4 x 0.1) / 5
    assert last[2].printed == "3,661"
    assert (three.rows[2][1].text.split(" [")[0], three.rows[2][1].printed) == ("n. m.", "1.43 ± 1.3")
    assert (three.rows[2][2].printed, three.rows[0][2].printed) == ("7.97 min", "N/A")
    assert (three.rows[6][2].text, three.rows[6][2].printed) == ("0.550 ± 0.050 s", "0.56 ± 0.08 s")
    assert three.rows[10][2].text == "21.0 ± 1.0 s"
    assert three.rows[10][2].printed == three.rows[10][1].printed == ""
    assert any("Rows without brackets are not in the paper" in note for note in three.notes)
    assert (four.rows[1][3].text.split(" [")[0], four.rows[1][3].printed) == ("diverged", "None")
    assert five.caption.startswith("Numbers in the text (no table of the paper) of Eppenhof")
    texts = {row[1].text: row for row in five.rows}
    assert (texts["TRE, further draw 1"][2].text, texts["TRE, further draw 1"][2].printed) == (
        "4.20 ± 3.93 mm",
        "4.20 ± 3.93 mm",
    )
    printed_p = texts["p of it as printed, two-sided by the normal approximation"][-1]
    assert printed_p.text == "0.00029"  # the first draw's, for a mean of p values is none
    assert texts["p of it, one-sided and exact"][-1].text == "0.0000076"
    assert texts["p of it, one-sided and exact"][2].text == ""
    assert texts["Pairs that fold more, mean of the draws (by Table II 15 of 17)"][-1].text == "3.0 of 17"
    assert texts["Wilcoxon's W over pair means of TRE"][-1].text == "153"
    assert all("Cut: less of everything." in table.notes for table in written[1])
    for path in written[0].glob("*.tex"):
        assert path.read_text(encoding="utf-8").isascii(), path


def test_the_csv_says_units_that_differ(written):
    found = pd.read_csv(written[0] / "progressive-table3.csv").set_index("row")
    assert found.duration_unit[["heinrich", "proposed"]].tolist() == ["min", "s"]
    assert found.tre_printed["proposed"] == 2.43
    assert np.isnan(found.tre_printed["demons"])
    assert "tre_unit" not in found
    schedules = pd.read_csv(written[0] / "progressive-table4.csv")
    assert list(schedules.columns)[:5] == ["row", "transition", "period", "effect", "method"]


def test_every_cell_of_the_layout_has_a_known_method_and_metric():
    from workflows.configuration.resolve import catalogue

    known = catalogue()["methods"]
    later = {name for name in METHODS if name.startswith("progressive") or name == "ants-syn-lung"}
    for table in PAPER.tables:
        for cell in table.cells.values():
            assert {*cell.methods} <= {*known, *later}
