"""As the paper, or not: what a run recorded decides, whatever it is called, and every departure is named."""

from dataclasses import replace

import pytest

from reports.paper.layout import load_paper
from reports.paper.ledger import judge
from tests.reports.paper.paper_inputs import (
    LEARNED,
    TRAINING,
    dice_rows,
    layout,
    make_run,
    runs_of,
    trainings_of,
    varied,
    weights,
    widths,
)
from tests.reports.report_inputs import frame, write_dataset

OWN = {"phantom": False, "shape": (6, 5, 4), "module": "hospital", "collection": "one"}
GRID = {"grid": [6, 5, 4]}


def alike(dataset, dice, *, pairs=3, trainings=3):
    """As many trainings of the network that differ by 0.01 % and give the same Dice on every pair."""
    by_seed = {seed: dice + 1e-4 * (seed - (trainings - 1) / 2) for seed in range(trainings)}
    return [
        each | {"seed": seed} for seed, mean in by_seed.items() for each in dice_rows(dataset, "net", [mean] * pairs)
    ]


def taught(paper_run):
    there = {(each.cell.row.key, each.cell.column.key): each for each in judge(paper_run)}
    return there["taught", "one_dice"]


def learned_by(paper_run, **changes):
    """The same run, its trainings with another record."""
    rows = alike("one", 0.912)
    return varied(paper_run, trainings=trainings_of(rows, replace(LEARNED, **changes)))


@pytest.fixture(scope="module")
def perfect(tmp_path_factory):
    """Three trainings as the paper's, on its own pairs, that each give the printed 91.2."""
    whole = layout() | GRID | {"software": "TensorFlow"}
    return make_run(tmp_path_factory.mktemp("perfect"), alike("one", 0.912), plays={"one": "one"}, layout=whole)


def test_a_perfect_reproduction_agrees_and_says_what_was_otherwise(perfect):
    found = taught(perfect)
    assert (found.verdict, found.stand_in) == ("agrees", False)
    assert "3 trainings, the paper's 1" in found.notes
    assert "by PyTorch 2.8, the paper's by TensorFlow" in found.notes


@pytest.mark.parametrize(("change", "words"), [
    ({"iterations": 50}, "50 of 500 iterations"),
    ({"iterations": 0}, "iterations not on record"),
    ({"batch": 1}, "1 pairs an update, the paper's 2"),
    ({"learning_rate": 4e-2}, "learning rate 0.04, the paper's 0.001"),
    ({"shrink": 2}, "images of 1/2 of the resolution"),
    ({"cases": 12}, "trained on 12 of the paper's 40 scans"),
    ({"phantom": True}, "trained on lessons, the paper's on LESSONS"),
    ({"collection": "others"}, "trained on lessons, the paper's on LESSONS"),
    ({"module": "phantom"}, "trained on lessons, the paper's on LESSONS"),
    ({"teacher": "f" * 64}, "what the teacher of net learned is not on record"),
])  # fmt: skip
def test_a_training_otherwise_reduces_and_is_named(perfect, change, words):
    found = taught(learned_by(perfect, **change))
    assert found.verdict == "reduced"
    assert words in found.remark


@pytest.mark.parametrize(("change", "words"), [
    ({"iterations": 600}, ""), ({"cases": 38}, "trained on 38 of the paper's 40 scans"),
])  # fmt: skip
def test_what_is_little_otherwise_is_said_beside(perfect, change, words):
    found = taught(learned_by(perfect, **change))
    assert found.verdict == "agrees"
    assert words in found.note


def test_a_teacher_of_a_tenth_of_the_iterations_reduces_its_student(perfect):
    rows = alike("one", 0.912)
    teacher = replace(trainings_of(rows)[0], method="syn", sha256="f" * 64, learned=replace(LEARNED, iterations=50))
    run = varied(perfect, trainings=[*trainings_of(rows, replace(LEARNED, teacher="f" * 64)), teacher])
    found = taught(replace(run, paper=replace(run.paper, taught={"net": "syn"})))
    assert (found.verdict, found.remark) == ("reduced", "taught by syn: 50 of 500 iterations")


@pytest.mark.parametrize(("weights_of_teacher", "words"), [
    ("", "net learned without a teacher"),
    ("f" * 64, "net learned from syn, the paper's from rcn-3"),
])  # fmt: skip
def test_a_student_without_its_teacher_or_of_another_is_reduced(perfect, weights_of_teacher, words):
    rows = alike("one", 0.912)
    teacher = replace(trainings_of(rows)[0], method="syn", sha256="f" * 64)
    run = varied(perfect, trainings=[*trainings_of(rows, replace(LEARNED, teacher=weights_of_teacher)), teacher])
    found = taught(replace(run, paper=replace(run.paper, taught={"net": "rcn-3"})))
    assert (found.verdict, found.remark) == ("reduced", words)


def test_a_method_that_had_a_teacher_and_has_none_in_the_paper_is_reduced(perfect):
    rows = alike("one", 0.912)
    teacher = replace(trainings_of(rows)[0], method="syn", sha256="f" * 64)
    found = taught(varied(perfect, trainings=[*trainings_of(rows, replace(LEARNED, teacher="f" * 64)), teacher]))
    assert (found.verdict, found.remark) == ("reduced", "net learned from syn, the paper's from none")


def test_a_training_that_diverged_stands_for_no_seed_that_has_numbers(perfect):
    """No run says whose weights they were, and a training of the same seed left none."""
    ended = [replace(each, status="diverged", sha256="") for each in trainings_of(alike("one", 0.912))]
    runs = perfect.run.runs.assign(checkpoint_sha="")
    found = taught(varied(perfect, runs=runs, trainings=ended))
    assert (found.verdict, found.remark) == ("reduced", "what net learned is not on record")


def test_two_methods_that_left_the_same_weights_are_each_its_own(perfect):
    """They learned alike, bit for bit, and differ in what follows registration."""
    rows = alike("one", 0.912)
    other = [replace(each, method="syn") for each in trainings_of(rows)]
    assert taught(varied(perfect, trainings=[*trainings_of(rows), *other])).verdict == "agrees"


def test_numbers_that_are_all_zero_are_no_copy(perfect):
    """No fold in any pair of any training is what smooth networks leave."""
    zero = perfect.run.metrics.assign(value=perfect.run.metrics.value.where(perfect.run.metrics.metric != "dice", 0.0))
    assert "under several seeds" not in taught(varied(perfect, metrics=zero)).note


def test_the_paper_names_the_teacher_of_every_student():
    paper = load_paper("ldr-aldk")
    students = {cell.methods[0] for cell in paper.cells if cell.methods and "aldk" in cell.methods[0]}
    assert students <= set(paper.taught)


def test_weights_are_traced_and_no_name_stands_for_them(perfect):
    """Trainings of the right names, of which one left other weights than those that registered."""
    rows = alike("one", 0.912)
    others = [replace(each, sha256=weights("else", each.seed)) if each.seed else each for each in trainings_of(rows)]
    lost = "what net learned is not on record"
    for trainings, which in ((others, " for seed 1, 2"), ([], ""), (trainings_of(rows, None), "")):
        found = taught(varied(perfect, trainings=trainings))
        assert (found.verdict, found.remark) == ("reduced", f"{lost}{which}")
    none = taught(varied(perfect, runs=perfect.run.runs.iloc[:0]))
    assert (none.verdict, none.remark) == ("reduced", lost)


@pytest.mark.parametrize("size", ["parameters", "full_parameters"])
def test_a_width_that_is_not_on_record_reduces(perfect, size):
    rows = perfect.run.metrics
    found = taught(varied(perfect, metrics=rows[rows.metric != size]))
    assert (found.verdict, found.remark) == ("reduced", "the width of net is not on record")


@pytest.mark.parametrize(("name", "about", "words"), [
    ("one", {"phantom": True}, "on Shells <b> phantom, which plays ONE"),
    ("one", {"module": "mine"}, "on Real shells, which plays ONE"),
    ("one", {"collection": "two"}, "on Real shells, which plays ONE"),
    ("one", {"shape": (6, 5, 5)}, "on 6 x 5 x 5 voxels, the paper's 6 x 5 x 4"),
])  # fmt: skip
def test_a_data_set_is_not_what_it_is_called(perfect, tmp_path, name, about, words):
    found = taught(varied(perfect, plays={"one": write_dataset(tmp_path, name, n_pairs=3, **{**OWN, **about})}))
    assert found.verdict == "reduced"
    assert words in found.remark


def test_a_data_set_of_another_name_is_the_papers_where_it_was_prepared_so(tmp_path):
    rows = alike("renamed", 0.912)
    paper_run = make_run(tmp_path, rows, plays={}, layout=layout() | GRID)
    found = taught(varied(paper_run, plays={"one": write_dataset(tmp_path, "renamed", n_pairs=3, **OWN)}))
    assert (found.verdict, found.stand_in) == ("agrees", False)


@pytest.mark.parametrize(("here", "verdict"), [(10, "agrees"), (9, "agrees"), (8, "reduced"), (3, "reduced")])
def test_fewer_than_85_per_cent_of_the_pairs_reduce_and_more_are_said(tmp_path, here, verdict):
    whole = layout() | GRID
    whole["datasets"]["one"]["pairs"] = 10
    paper_run = make_run(tmp_path, alike("one", 0.912, pairs=here), plays={}, layout=whole)
    found = taught(varied(paper_run, plays={"one": write_dataset(tmp_path, "one", n_pairs=here, **OWN)}))
    assert found.verdict == verdict
    assert (f"which has {here} of the paper's 10 pairs" in found.note) == (here < 10)


def test_pairs_that_were_never_registered_are_missed(tmp_path):
    """The data set has all ten pairs, the rows are of three of them."""
    whole = layout() | GRID
    whole["datasets"]["one"]["pairs"] = 10
    paper_run = make_run(tmp_path, alike("one", 0.912), plays={}, layout=whole)
    found = taught(varied(paper_run, plays={"one": write_dataset(tmp_path, "one", n_pairs=10, **OWN)}))
    assert (found.verdict, found.remark) == ("reduced", "over 3 of the paper's 10 pairs")


def test_the_nine_cells_of_a_data_set_called_lits_are_reduced(tmp_path):
    """Three pairs on a grid of 6 x 5 x 4, networks that learned from phantoms: as printed, and no reproduction."""
    paper = load_paper("ldr-aldk")
    printed = [cell for cell in paper.cells if cell.datasets == ("lits",) and cell.metric == "dice" and not cell.less]
    cells = {cell.method: cell for cell in printed if cell.printed.number and cell.table == 1}
    paper_run = make_run(tmp_path, [], plays={"lits": "lits"})
    methods = {name: replace(paper_run.run.methods["net"], label=name) for name in cells}
    rows = [
        each | {"method": name, "run": name, "seed": seed}
        for name, cell in cells.items()
        for seed in range(3)
        for each in dice_rows("lits", "net", [cell.printed.value / 100] * 3)
    ]
    drawn = trainings_of(rows, replace(LEARNED, module="phantom", phantom=True), "liver-training")
    forged = replace(
        paper_run.run, metrics=frame([*rows, *widths(rows)]), methods=methods, runs=runs_of(rows), trainings=drawn
    )
    named = [each for each in judge(replace(paper_run, paper=paper, run=forged)) if each.cell in cells.values()]
    assert len(named) == len(cells) >= 9
    assert {each.verdict for each in named} == {"reduced"}


def test_what_the_paper_says_of_its_training_is_all_that_is_asked(perfect):
    """Without words on batch and rate in the paper's layout, another batch is no departure."""
    silent = replace(perfect.paper.trainings[0], batch=0, learning_rate=0.0)
    assert TRAINING["batch"] == perfect.paper.trainings[0].batch
    other = learned_by(perfect, batch=1, learning_rate=4e-2)
    assert taught(varied(other, paper=replace(perfect.paper, trainings=[silent]))).verdict == "agrees"
