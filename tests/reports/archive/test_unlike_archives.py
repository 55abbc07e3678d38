"""Rows of one method on one data set are of one configuration, or two archives do not merge."""

import json
from dataclasses import replace

import pytest

from benchmarks import results
from reports.archive.merge import merged
from reports.archive.packed import ArchiveError
from reports.archive.rows import ROWS
from tests.reports.archive.archive_inputs import archived, with_rows, with_told

WEIGHTS = "ab" * 32  # of all runs of these archives
LEARNED = {
    "module": "phantom", "collection": "", "phantom": True, "cases": 9, "shape": [9, 8, 7], "iterations": 100,
    "planned": 100,
}  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive with a training of ldr-1."""
    made = archived(tmp_path_factory.mktemp("one"), ("identity", "ldr-1"))
    return with_told(made, lambda told: told["trainings"][0].update(learned=LEARNED, sha256=WEIGHTS))


def of_seed(archive, seed, weights="cd" * 32, **learned):
    """What another machine did with ldr-1: the same by another seed."""
    other = with_rows(archive, "metrics", lambda rows: again(rows, seed))
    other = with_rows(other, "runs", lambda rows: again(rows, seed).assign(checkpoint_sha=weights))

    def told(told):
        told["trainings"][0].update(seed=seed, sha256=weights, learned={**LEARNED, **learned})

    return with_told(other, told)


def again(rows, seed):
    return rows[rows.method == "ldr-1"].assign(seed=seed, run=f"run-of-seed-{seed}")


def half(archive, pairs, **run):
    """The archive with the rows of some pairs of ldr-1 alone, its runs changed."""
    less = with_rows(archive, "metrics", lambda rows: rows[(rows.method != "ldr-1") | rows.pair.isin(pairs)])
    if "run" in run:
        hit = {"run-ldr-1": run["run"]}
        less = with_rows(less, "metrics", lambda rows: rows.replace({"run": hit}))
    return with_rows(less, "runs", lambda rows: changed(rows, run))


def changed(runs, parts):
    hit = runs.method == "ldr-1"
    return runs.assign(**{name: runs[name].mask(hit, value) for name, value in parts.items()})


def refusal(one, other):
    with pytest.raises(ArchiveError) as error:
        merged(one, other)
    line = str(error.value)
    assert line.endswith("nothing was written")
    assert "\n" not in line
    return line


def test_a_seed_that_was_trained_alike_joins(archive):
    rows = results.decode(merged(archive, of_seed(archive, 1)).content[ROWS["metrics"]], "metrics", where="test")
    assert set(rows[rows.method == "ldr-1"].seed) == {0, 1}


@pytest.mark.parametrize(("other", "words"), [
    ({"iterations": 5}, "iterations is 100 there, 5 here"),
    ({"planned": 5}, "planned is 100 there, 5 here"),
    ({"cases": 3}, "cases is 9 there, 3 here"),
    ({"phantom": False}, "phantom is True there, False here"),
    ({"teacher": "ef" * 32}, "teacher is False there, True here"),
])  # fmt: skip
def test_a_seed_that_was_trained_otherwise_does_not(archive, other, words):
    line = refusal(archive, of_seed(archive, 1, **other))
    assert "the training of ldr-1 on shells, seed 1, is not as in" in line
    assert words in line


def test_a_seed_that_was_trained_on_other_data_does_not(archive):
    def elsewhere(told):
        told["trainings"][0]["dataset"] = "spheres"

    line = refusal(archive, with_told(of_seed(archive, 1), elsewhere))
    assert "ldr-1 on shells is not as in" in line
    assert "what it was trained on is shells there, spheres here" in line


def test_a_seed_whose_training_is_not_on_record_does_not(archive):
    line = refusal(archive, with_told(of_seed(archive, 1), lambda told: told["trainings"].clear()))
    assert "what it was trained on is shells there, not on record here" in line


def test_two_trainings_of_one_seed_are_refused(archive):
    line = refusal(archive, with_told(archive, lambda told: told["trainings"][0].update(sha256="00" * 32)))
    assert "the training of ldr-1 on shells, seed 0, is not as in" in line
    assert "weights is abab" in line


@pytest.mark.parametrize(("run", "words"), [
    ({"params": json.dumps({"steps": 4})}, "its steps is 3 there, 4 here"),
    ({"params": json.dumps({"steps": 3, "refine": 9})}, "its refine is none there, 9 here"),
    ({"module": "methods.demons"}, "there, methods.demons here"),
])  # fmt: skip
def test_other_pairs_or_seeds_by_other_options_are_refused(archive, run, words):
    parts = half(archive, ["a__b0"]), half(archive, ["a__b1", "a__b2"], run="another", **run)
    line = refusal(*parts)
    assert "ldr-1 on shells is not as in" in line
    assert words in line
    assert words in refusal(archive, with_rows(of_seed(archive, 1), "runs", lambda rows: changed(rows, run)))


@pytest.mark.parametrize(("run", "words"), [
    ({"threads": 8}, "threads is 1 there, 8 here"),
    ({"versions": '{"numpy":"1"}'}, 'versions is {"numpy": "2.2", "torch": "2.8"} there, {"numpy":"1"} here'),
    ({}, "its code or the files that it was given differ"),
])  # fmt: skip
def test_pairs_of_another_run_do_not_come_beside_those_of_one(archive, run, words):
    parts = half(archive, ["a__b0"]), half(archive, ["a__b1", "a__b2"], run="another", **run)
    line = refusal(*parts)
    assert "ldr-1 on shells, seed 0, has registrations that are to come beside those of another run" in line
    assert words in line


def test_pairs_of_the_same_run_do_and_commits_may_differ(archive):
    other = half(archive, ["a__b1", "a__b2"], commit="f" * 40)
    other = replace(other, manifest=replace(other.manifest, commits=["f" * 40]))
    together = merged(half(archive, ["a__b0"]), other)
    rows = results.decode(together.content[ROWS["metrics"]], "metrics", where="test")
    assert set(rows[rows.method == "ldr-1"].pair) == {"a__b0", "a__b1", "a__b2"}
    assert [line for line in together.remarks if "Commits differ" in line and "f" * 12 in line]


def test_the_same_registrations_by_another_run_are_kept_once_and_said(archive):
    other = half(archive, ["a__b0", "a__b1", "a__b2"], run="another", threads=8)
    together = merged(archive, other)
    for kind in ("metrics", "runs"):
        kept, first = (each.content[ROWS[kind]] for each in (together, archive))
        assert results.decode(kept, kind, where="kept").equals(results.decode(first, kind, where="first"))
    assert any("1 runs have another fingerprint and the same numbers" in line for line in together.remarks)


@pytest.mark.parametrize(("key", "value"), [
    ("phantom", False), ("module", "rcn_hdf5"), ("collection", "sliver"), ("evaluated_labels", [1]),
    ("labels", {"1": "another", "2": "inner"}), ("subjects", {"a": "somebody"}), ("shape", [1, 2, 3]),
    ("test", [{"fixed": "a", "moving": f"b{place}"} for place in range(4)]),
])  # fmt: skip
def test_data_sets_that_are_described_otherwise_are_refused(archive, key, value):
    def described(told):
        told["datasets"][0]["description"][key] = value

    line = refusal(archive, with_told(archive, described))
    assert "the data set shells is not as in" in line
    assert f"{key} is " in line


def test_a_network_of_another_size_is_refused(archive):
    def sized(parameters):
        entry = {"method": "ldr-1", "timed_as": "ldr-1", "parameters": parameters, "macs": 9}
        return with_told(archive, lambda told: told.update(networks=[entry]))

    assert "the paper's network of ldr-1 is not as in" in refusal(sized(5), sized(6))


def test_whose_words_and_pictures_are_kept_is_said(archive):
    def words(told):
        told["datasets"][0]["description"]["title"] = "Another title"
        told["papers"]["ldr-aldk"]["lpba"] = "shells"

    other = with_told(archive, words)
    picture = next(name for name in archive.content if name.startswith("pictures/"))
    other = replace(other, content={**other.content, picture: b"drawn otherwise"})
    together = merged(archive, other)
    assert together.content[picture] == archive.content[picture]
    remarks = "\n".join(together.remarks)
    assert f"1 pictures differ: those of {archive.path} are kept." in remarks
    assert "title of shells" in remarks


def test_files_of_a_training_are_those_of_one_archive(archive):
    (curve,) = (name for name in archive.content if name.endswith("curve.jsonl"))
    more = {**archive.content, curve.replace("curve", "snapshots"): b'{"iteration": 1}\n'}
    assert set(merged(archive, replace(archive, content=more)).content) == set(archive.content)
