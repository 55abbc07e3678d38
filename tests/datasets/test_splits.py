"""Training, validation and test by subject: nobody is in two of them, and a run reads the truth of one alone."""

import gzip
import importlib
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from datasets import phantom
from datasets.case import Dataset, Pair, Truth, Writer, open_dataset
from datasets.description import Description, TrainingSplit, cases_of
from datasets.files import DataError
from datasets.problem import UnfitError
from datasets.withheld import withhold
from tests.datasets import every_mirror
from workflows import prepare as step
from workflows.configuration.resolve import resolve
from workflows.planning.specs import PrepareSpec
from workflows.running.options import build

pytestmark = pytest.mark.early

CATALOGUE = resolve({}).config.datasets
DRAWN = {
    "liver": {"anatomy": "liver", "shape": [16, 18, 20], "training": 2, "validation": 3, "test": 2},
    "paired": {
        "anatomy": "liver", "design": "intra_subject", "shape": [16, 18, 20], "training": 1, "validation": 1, "test": 2
    },
    "brain": {"anatomy": "brain", "design": "atlas", "shape": [32, 40, 32], "training": 2, "validation": 1, "test": 2},
    "lung": {"anatomy": "lung", "shape": [20, 18, 16], "training": 1, "validation": 1, "test": 1},
}  # fmt: skip
AFFINE, SHAPE = np.diag([1.0, 1.5, 2.0, 1.0]), (5, 6, 7)


def splits(data) -> dict[str, set[str]]:
    """The subjects of each split, the atlas of registration to one left out."""
    about, training = data.description, data.description.training
    atlas = training.atlas if training.pairs == "atlas" else None
    cases = {
        "training": {*data.training_cases, *cases_of(data.training_pairs)},
        "validation": cases_of(data.validation_pairs),
        "test": cases_of(data.test_pairs),
    }
    return {
        split: {about.subjects.get(case, case) for case in found if case != atlas} for split, found in cases.items()
    }


def bytes_apart(one, other) -> int:
    """How many bytes of two files of one length differ once unpacked."""
    first, second = (np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8) for file in (one, other))
    return int(np.count_nonzero(first != second))


def drawn(folder, name, **changes):
    phantom.prepare(folder, build(phantom.Params, DRAWN[name] | changes), name=name)
    return open_dataset(folder)


def gallery(params) -> Dataset:
    """Who is in which split of a phantom of livers or brains, before anything is drawn."""
    options = build(phantom.Params, params)
    made = phantom.gallery_of(phantom.TEMPLATES[options.anatomy], options)
    subjects = {drawing.case: drawing.subject for drawing in made.drawings}
    judged = {"validation": tuple(made.validation), "test": tuple(made.test)}
    return Dataset(Description(name="drawn", subjects=subjects, training=made.training, **judged), "")


def few(params):
    """The options of a lung phantom with two subjects at most in a split, and small."""
    lists = {name: params[name][:2] for name in ("severity", "landmarks") if isinstance(params.get(name), list)}
    counts = {split: min(params[split], 2) for split in ("training", "test")}
    return {**params, **counts, **lists, "shape": [16, 16, 16]}


@pytest.fixture(scope="module")
def built_in(tmp_path_factory):
    """Every data set of the catalogue: drawn small, or imported from small files of the genuine form."""
    folder, prepared = tmp_path_factory.mktemp("catalogue"), {}
    with pytest.MonkeyPatch.context() as patch:
        every_mirror.fill(folder / "mirror", patch)
        for name, entry in CATALOGUE.items():
            module = importlib.import_module(f"datasets.{entry.module}")
            if module is phantom and entry.params["anatomy"] in phantom.TEMPLATES:
                prepared[name] = gallery(entry.params)
                continue
            params = few(entry.params) if module is phantom else every_mirror.small(entry)
            module.prepare(folder / name, build(module.Params, params), name=name)
            prepared[name] = open_dataset(folder / name)
    return prepared


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_subject_of_a_built_in_data_set_is_in_two_splits(built_in, name):
    found = splits(built_in[name])
    assert any(found.values())
    for one, other in combinations(found, 2):
        assert not found[one] & found[other], (one, other)


@pytest.mark.parametrize("name", DRAWN)
def test_phantoms_draw_validation_subjects_of_their_own(tmp_path, name):
    data, without = drawn(tmp_path / "with", name), drawn(tmp_path / "without", name, validation=0)
    found = splits(data)
    assert len(found["validation"]) == DRAWN[name]["validation"]
    assert not any(found[one] & found[other] for one, other in combinations(found, 2))
    assert without.validation_pairs == []
    others = {file: value for file, value in data.description.files.items() if "validation" not in file}
    # More subjects leave the others as they were; where one differs, whether its voxels do or only how they are packed.
    changed = {file for file, value in others.items() if value != without.description.files[file]}
    apart = {file: bytes_apart(data.folder / file, without.folder / file) for file in changed}
    assert set(others) == set(without.description.files)
    assert not changed, apart
    for pair in data.validation_pairs:
        assert Truth(data.folder).labels(pair.fixed) is not None
        assert Truth(data.folder).displacement(pair) is not None


@pytest.mark.parametrize(("validation", "words"), [(-1, "0 or at least 2, got -1"), (1, "0 or at least 2, got 1")])
def test_a_number_of_validation_subjects_that_makes_no_pair_is_refused(validation, words):
    with pytest.raises(ValueError, match=words):
        build(phantom.Params, DRAWN["liver"] | {"validation": validation})


def written(folder, about):
    """A data set with an image, labels and, for each judged pair, landmarks and truth."""
    writer = Writer(folder)
    rng = np.random.default_rng(0)
    judged = (*about.test, *about.validation)
    for case in dict.fromkeys([*about.training.cases, *cases_of(judged)]):
        writer.image(case, rng.random(SHAPE), AFFINE)
        writer.mask(case, np.ones(SHAPE), AFFINE)
        writer.labels(case, np.ones(SHAPE), AFFINE)
    for pair in judged:
        writer.landmarks(pair, [[1, 2, 3]], [[2, 2, 2]])
        writer.displacement(pair, np.zeros((3, *SHAPE), np.float32), AFFINE)
    writer.finish(about)
    return open_dataset(folder)


ATLAS = Description(
    name="mine",
    training=TrainingSplit(("a", "b"), "atlas", "a"),
    validation=(Pair("a", "v"),),
    test=(Pair("a", "t"), Pair("a", "u")),
    severity={"a__v": 1.0, "a__t": 2.0},
)


def test_the_atlas_is_in_all_splits_and_nobody_else(tmp_path):
    assert written(tmp_path / "sound", ATLAS).validation_pairs == [Pair("a", "v")]
    for wrong in (
        replace(ATLAS, training=TrainingSplit(("a", "b"), "ordered", "a")),  # an atlas by name alone
        replace(ATLAS, subjects={"v": "one", "t": "one"}),
        replace(ATLAS, subjects={"b": "one", "v": "one"}),
        replace(ATLAS, subjects={"b": "a", "t": "a"}),  # further scans of the atlas's subject
    ):
        with pytest.raises(UnfitError, match=r"subject (a|one): in both .* and .*; take it out of one of them"):
            written(tmp_path / "wrong", wrong)


def test_validation_pairs_are_looked_at_as_test_pairs_are(tmp_path):
    writer = Writer(tmp_path)
    for case in "tuvw":
        writer.image(
            case, np.random.default_rng(1).random(SHAPE), AFFINE @ np.diag([*(1.1 if case == "w" else 1.0,) * 3, 1])
        )
    writer.labels("v", np.ones(SHAPE), AFFINE)
    with pytest.raises(UnfitError) as caught:
        writer.finish(
            Description(name="x", training=TrainingSplit(()), validation=(Pair("v", "w"),), test=(Pair("t", "u"),))
        )
    found = "\n".join(map(str, caught.value.problems))
    assert "validation pair v__w: grids differ" in found
    assert "truth/labels/w.nii.gz: missing" in found


def test_a_run_that_judges_the_test_pairs_has_no_truth_of_validation(tmp_path):
    data = written(tmp_path, ATLAS)
    assert withhold(tmp_path, data.description) == open_dataset(tmp_path).description
    data, truth = open_dataset(tmp_path), Truth(tmp_path)
    data.check_files()
    assert data.image("v").array.shape == SHAPE
    (pair,) = data.validation_pairs
    assert truth.labels("v") is truth.landmarks(pair) is truth.displacement(pair) is None
    for pair in data.test_pairs:
        assert truth.landmarks(pair) is not None
        assert truth.displacement(pair) is not None
        assert truth.labels(pair.fixed) is not None
        assert truth.labels(pair.moving) is not None


def test_a_run_that_chooses_cannot_read_the_test_pairs(tmp_path):
    data = written(tmp_path, ATLAS)
    chosen = withhold(tmp_path, data.description, "validation")
    data, truth = open_dataset(tmp_path), Truth(tmp_path)
    data.check_files()
    assert data.description == chosen
    assert (data.test_pairs, data.validation_pairs) == ([Pair("a", "v")], [])
    assert data.description.display_title == "mine, validation subjects"
    assert data.description.severity == {"a__v": 1.0}
    assert truth.landmarks(Pair("a", "v")) is not None
    assert truth.labels("a") is not None
    assert truth.labels("b") is not None  # of training
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert not {"t.nii.gz", "u.nii.gz", "disp_a_t.nii.gz", "a__u_fixed.csv"} & left


def test_the_step_judges_what_its_entry_says(tmp_path):
    spec = PrepareSpec(name="liver", module="phantom", params=DRAWN["liver"], folder=tmp_path, judge="validation")
    step.prepare(spec)
    data = open_dataset(tmp_path)
    assert len(data.test_pairs) == 6
    assert all(pair.fixed.startswith("validation") for pair in data.test_pairs)
    assert "phantom" in data.description.display_title
    with pytest.raises(DataError, match="liver: has no validation pairs to be judged; take out `judge: validation`"):
        step.prepare(replace(spec, params=DRAWN["liver"] | {"validation": 0}))
    judged = resolve({"datasets": {"phantom-liver": {"judge": "validation"}}}).dataset("phantom-liver").judge
    assert judged == "validation"
