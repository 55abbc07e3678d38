"""The audit finds what is known to be wrong in print, what is put in, and nothing where a cell is corrected."""

import shutil

import pandas as pd
import pytest

from reports import AUDIT, PAPERS
from reports.audit.audit import CHECKS, audit, write_audit
from reports.audit.finding import COLUMNS
from reports.audit.sheet import open_sheet
from reports.paper.layout import load_paper
from reports.paper.printed import read_number
from tests.reports.paper.paper_inputs import write_paper

KEYS = ("ldr-aldk", "progressive")
# From the papers by hand: paper, finding, whether it holds, what comes out
KNOWN = [
    *[("ldr-aldk", f"overlap/{place}", "impossible", bound) for place, bound in {
        "1/voxelmorph/lits": "77.0", "1/vtn-addd/sliver": "89.0", "1/ldr-1-aldk/sliver": "83.8",
        "1/ldr-2-aldk/sliver": "87.3", "1/ldr-3-aldk/sliver": "88.7", "1/ldr-2-aldk/lits": "79.5",
        "2/ldr-2/lits": "74.7", "2/ldr-3/lits": "78.4", "3/voxelmorph-aldk/lits": "77.3",
        "4/ldr-1-aldk-from-vtn/sliver": "82.0",
    }.items()],
    *[("ldr-aldk", f"overlap/{place}", "implausible", bound) for place, bound in {
        "3/mobilenet-aldk/sliver": "65.8", "3/mobilenet-aldk/lits": "66.7", "3/unet-aldk/sliver": "75.7",
        "3/unet-aldk/lits": "72.7", "2/ldr-1/lspig": "61.2", "2/ldr-2/lspig": "64.7", "2/ldr-3/lspig": "68.4",
    }.items()],
    ("ldr-aldk", "overlap/1/ldr-3-aldk/lits", "yes", "80.8"),
    ("ldr-aldk", "gain/2/ldr_2_aldk/lspig_dice_gain", "no", "+5.5"),
    ("ldr-aldk", "gain/2/ldr_1_aldk/lpba_dice_gain", "no", "+1.5"),
    *[("ldr-aldk", f"throughput/{place}", holds, rate) for place, holds, rate in (
        ("1/voxelmorph", "implausible", "10.1"), ("1/vtn-addd", "implausible", "2.0"),
        ("1/rcn-1", "implausible", "2.0"), ("1/rcn-2", "implausible", "2.0"), ("1/rcn-3", "implausible", "2.0"),
        ("1/ldr-1-aldk", "yes", "319.8"), ("1/ldr-2-aldk", "yes", "337.7"), ("1/ldr-3-aldk", "yes", "355.9"),
        ("3/mobilenet-aldk", "implausible", "0.6"), ("3/unet-aldk", "implausible", "1.7"),
    )],
    ("ldr-aldk", "comparison/5/cpu_3/released", "yes", "21"),
    ("ldr-aldk", "comparison/5/cpu_1/released", "yes", "14.5"),
    ("ldr-aldk", "comparison/5/size_3/released", "yes", "88.3"),
    ("ldr-aldk", "comparison/5/dice_3/released", "yes", "0.3"),
    ("ldr-aldk", "comparison/5/dice_mean/released", "yes", "0.5"),
    ("ldr-aldk", "comparison/5/jacc_mean/released", "yes", "1.25"),
    ("ldr-aldk", "comparison/5/dice_1/released", "yes", "0.2"),
    ("ldr-aldk", "comparison/5/gain_jacc_3/released", "yes", "3.9"),
    ("ldr-aldk", "repeat/5/seconds_3/released", "yes", "1.24"),
    ("ldr-aldk", "comparison/5/size_1/released", "no", "50.4"),
    ("ldr-aldk", "student/text", "no", "18.2"),
    ("ldr-aldk", "student/composed", "no", "50.3"),
    ("ldr-aldk", "student/released", "no", "100.7"),
    ("ldr-aldk", "alike/1/gpu_sec/vtn_addd/rcn_3", "no", "0.40"),
    ("ldr-aldk", "alike/1/cpu_sec/vtn_addd/rcn_3", "yes", "26"),
    ("ldr-aldk", "training/hours", "implausible", "81"),
    ("ldr-aldk", "parameters/1/vtn-addd", "no", "98,922,897"),
    ("ldr-aldk", "parameters/1/rcn-3", "no", "98,922,897"),
    ("ldr-aldk", "parameters/1/rcn-1", "yes", "42,418,491"),
    ("ldr-aldk", "brain-parameters/1/ldr_1_aldk", "no", "613,539"),
    ("ldr-aldk", "pairs/sliver", "yes", "380"),
    ("ldr-aldk", "pairs/sliver-released", "no", "342"),
    ("ldr-aldk", "pairs/lits", "yes", "17,030"),
    ("ldr-aldk", "training/scans", "yes", "1,025"),
    ("ldr-aldk", "training/pairs", "no", "1,049,600"),
    ("ldr-aldk", "folding/none/sliver", "yes", "2.81"),
    ("progressive", "total/2/all/landmarks", "yes", "3,661"),
    ("progressive", "total/2/all/baseline", "yes", "3.38"),
    ("progressive", "total/2/all/before", "yes", "8.37"),
    ("progressive", "total/2/all/progressive_sd", "yes", "1.77"),
    ("progressive", "total/2/all/baseline_folding_sd", "yes", "0.11"),
    ("progressive", "total/3/proposed/tre", "yes", "2.43"),
    ("progressive", "ranks/signed_rank", "yes", "153"),
    ("progressive", "ranks/p_value", "no", "7.6e-06"),
    ("progressive", "repeat/5/seconds/progressive", "no", "0.56"),
    ("progressive", "comparison/5/gain/comparison", "yes", "1.02"),
    ("progressive", "quoted/conventional", "no", "1.36"),
    ("progressive", "rows/creatis", "no", "6"),
    ("progressive", "landmarks/creatis", "no", "620"),
    ("progressive", "extremes/lowest", "no", "1"),
]  # fmt: skip
# Two digits of a printed cell changed places: the cell, what it then says, and a finding that fails of it alone
MADE = [
    ("ldr-aldk", 1, "rcn_3", "sliver_jacc", "83.9", "overlap/1/rcn-3/sliver"),
    ("ldr-aldk", 1, "elastix_bspline", "sliver_jacc", "93.7", "overlap/1/elastix-bspline/sliver"),
    ("ldr-aldk", 2, "ldr_3_aldk", "lits_jacc_gain", "+5.3", "gain/2/ldr_3_aldk/lits_jacc_gain"),
    ("ldr-aldk", 4, "rcn", "sliver_dice", "92.1", "repeat/4/rcn/sliver_dice"),
    ("ldr-aldk", 1, "rcn_1", "cpu_sec", "01", "comparison/5/cpu_1/released"),
    ("ldr-aldk", 1, "rcn_2", "params", "76.07M", "parameters/1/rcn-2"),
    ("ldr-aldk", 2, "ldr_1", "cpu_sec", "6.09", "alike/2/cpu_sec/ldr_1/ldr_1_aldk"),
    ("ldr-aldk", 4, "vtn_addd", "sliver_jacc_gain", "+4.3", "gain/4/vtn_addd/sliver_jacc_gain"),
    ("ldr-aldk", 5, "jacc_mean", "released", "1.52", "comparison/5/jacc_mean/released"),
    ("ldr-aldk", 5, "gain_dice_2", "released", "+0.4", "comparison/5/gain_dice_2/released"),
    ("progressive", 5, "draw_3", "baseline", "4.34", "draws/draws/baseline"),
    ("progressive", 2, "dirlab_8", "baseline", "12.06", "total/2/all/baseline"),
    ("progressive", 2, "creatis_5", "landmarks", "170", "total/2/all/landmarks"),
    ("progressive", 2, "dirlab_7", "progressive_sd", "7.12", "total/2/all/progressive_sd"),
    ("progressive", 2, "dirlab_2", "progressive", "5.12", "ranks/signed_rank"),
    ("progressive", 4, "baseline", "tre", "9.33", "repeat/4/baseline/tre"),
    ("progressive", 5, "signed_rank", "comparison", "135", "ranks/signed_rank"),
]
CORRECTED = [
    ("ldr-aldk", 1, "voxelmorph", "lits_jacc", "77.0", "overlap/1/voxelmorph/lits"),
    ("ldr-aldk", 3, "mobilenet", "sliver_jacc", "66.9", "overlap/3/mobilenet-aldk/sliver"),
    ("ldr-aldk", 2, "ldr_2_aldk", "lspig_dice_gain", "+5.5", "gain/2/ldr_2_aldk/lspig_dice_gain"),
    ("ldr-aldk", 2, "ldr_1_aldk", "lpba_dice_gain", "+1.5", "gain/2/ldr_1_aldk/lpba_dice_gain"),
    ("ldr-aldk", 1, "vtn_addd", "gpu_sec", "0.40", "alike/1/gpu_sec/vtn_addd/rcn_3"),
    ("ldr-aldk", 1, "rcn_3", "params", "98.92M", "parameters/1/rcn-3"),
    ("ldr-aldk", 1, "voxelmorph", "cpu_sec", "1.4", "throughput/1/voxelmorph"),
    ("ldr-aldk", 5, "size_1", "released", "approximately 50", "comparison/5/size_1/released"),
    ("progressive", 5, "p_value", "comparison", "0.000008", "ranks/p_value"),
    ("progressive", 5, "seconds", "progressive", "0.56", "repeat/5/seconds/progressive"),
]


@pytest.fixture(scope="module")
def audited():
    return {key: {each.key: each for each in audit(load_paper(key))} for key in KEYS}


def changed(folder, key, table, row, column, printed):
    """The paper with another text printed in one cell."""
    frame = pd.read_csv(PAPERS / f"{key}.csv", dtype=str, keep_default_na=False)
    at = (frame.table == str(table)) & (frame.row == row) & (frame.column == column)
    assert at.sum() == 1
    number = read_number(printed)
    frame.loc[at, ["printed", "value"]] = [printed, repr(number.value)]
    shutil.copy(PAPERS / f"{key}.yaml", folder)
    frame.to_csv(folder / f"{key}.csv", index=False)
    return load_paper(key, folder=folder)


@pytest.mark.parametrize(("paper", "key", "holds", "recomputed"), KNOWN)
def test_what_is_known_is_found(audited, paper, key, holds, recomputed):
    found = audited[paper][key]
    assert (found.holds, found.recomputed) == (holds, recomputed)


@pytest.mark.parametrize(("key", "expected"), [("ldr-aldk", 10), ("progressive", 0)])
def test_no_more_pairs_of_overlaps_are_impossible_than_are_known(audited, key, expected):
    assert sum(each.holds == "impossible" for each in audited[key].values()) == expected


def test_a_registration_of_the_worst_printed_pair_has_a_dice_of_at_most_three_tenths(audited):
    worst = audited["ldr-aldk"]["overlap/3/mobilenet-aldk/sliver"]
    assert "A registration with a Dice of 0.30 or less is needed" in worst.follows


def test_a_count_is_a_share_of_two_grids(audited):
    assert (
        "of the 127 x 127 x 127 that have forward differences 2.88 %"
        in audited["ldr-aldk"]["folding/none/sliver"].finding
    )


@pytest.mark.parametrize(("paper", "table", "row", "column", "printed", "key"), MADE)
def test_a_made_error_is_found(tmp_path, audited, paper, table, row, column, printed, key):
    assert audited[paper][key].holds == "yes"
    found = {each.key: each for each in audit(changed(tmp_path, paper, table, row, column, printed))}
    assert found[key].holds != "yes"


@pytest.mark.parametrize(("paper", "table", "row", "column", "printed", "key"), CORRECTED)
def test_a_corrected_cell_takes_its_finding_away(tmp_path, audited, paper, table, row, column, printed, key):
    assert audited[paper][key].holds != "yes"
    found = {each.key: each for each in audit(changed(tmp_path, paper, table, row, column, printed))}
    assert found[key].holds == "yes"


@pytest.mark.parametrize("key", KEYS)
def test_every_finding_says_where_and_what_follows(audited, key):
    for each in audited[key].values():
        assert all((each.locator, each.finding, each.printed, each.recomputed, each.unit)), each.key
        assert each.follows.endswith("."), each.key
    assert len(audit(load_paper(key))) == len(audited[key])  # no key stands for two findings


def test_every_check_says_something_of_some_paper(audited):
    heads = {key.split("/")[0] for found in audited.values() for key in found}
    assert heads == {
        "overlap", "gain", "repeat", "comparison", "total", "ranks", "throughput", "alike", "training", "parameters",
        "brain-parameters", "student", "folding", "pairs", "rows", "landmarks", "extremes",
        "draws", "quoted",
    }  # fmt: skip
    sheets = [open_sheet(load_paper(key)) for key in KEYS]
    assert [check.__name__ for check in CHECKS if not any(list(check(sheet)) for sheet in sheets)] == []


def test_the_file_has_all_and_the_table_what_matters(tmp_path, audited):
    tables = write_audit(tmp_path, [load_paper(key) for key in KEYS])
    written = pd.read_csv(tmp_path / AUDIT, dtype=str, keep_default_na=False)
    assert tuple(written.columns) == COLUMNS
    assert written.groupby("paper").size().to_dict() == {key: len(audited[key]) for key in KEYS}
    for key in KEYS:
        wrong = [each for each in audited[key].values() if each.holds != "yes"]
        holds = [row[4].text for row in tables[key].rows]
        assert len([text for text in holds if text != "yes"]) == len(wrong)
        assert len(holds) < len(audited[key]) / 2


def test_a_paper_of_which_nothing_is_known_is_audited_too(tmp_path):
    found = {each.key: each for each in audit(load_paper("toy", folder=write_paper(tmp_path)))}
    gain = found["gain/1/taught/one_dice_gain"]
    assert (gain.printed, gain.recomputed, gain.holds) == ("+3.4", "+21.2", "no")
    assert write_audit(tmp_path, []) == {}
    assert (tmp_path / AUDIT).read_text(encoding="utf-8") == ",".join(COLUMNS) + "\n"
