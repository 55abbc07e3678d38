"""What a method has learnt on, it is not judged on: the data sets of the default profile, drawn small."""

import importlib

import numpy as np
import pytest

from datasets import phantom
from datasets.case import open_dataset
from workflows.configuration.resolve import resolve
from workflows.running.options import build

pytestmark = pytest.mark.early

SHAPE, MOST = [16, 16, 16], 3


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    """The mini profile and its data sets that networks see, with their own seeds and subjects, made small."""
    settings, folder = resolve({}), tmp_path_factory.mktemp("mini")
    learned = [(method, name) for method, name in settings.runs if settings.trains(method)]
    prepared = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom, "true_displacement", unmoved)  # which takes longest, and no image has anything of it
        for name in sorted({*(name for _, name in learned), *(settings.train_on(*run) for run in learned)}):
            entry = settings.dataset(name)
            params = {**(few(entry.params) if entry.params["anatomy"] == "lung" else entry.params), "shape": SHAPE}
            module = importlib.import_module(f"datasets.{entry.module}")
            module.prepare(folder / name, build(module.Params, params), name=name)
            prepared[name] = open_dataset(folder / name)
    return settings, prepared


def few(params):
    """The options of lungs with three subjects at most in a split; each is drawn from its own number."""
    lists = {name: params[name][:MOST] for name in ("severity", "landmarks") if isinstance(params.get(name), list)}
    return {**params, **lists, **{split: min(params[split], MOST) for split in ("training", "test")}}


def unmoved(fixed, moving, grid, *, centre):
    """What takes the place of the true displacement."""
    return np.zeros((3, *grid.shape), np.float32)


def images(data, cases):
    return {data.description.files[f"images/{case}.nii.gz"] for case in cases}


def test_no_test_image_is_in_the_training_set_that_a_method_learns_from(mini):
    settings, prepared = mini
    learned = [(method, name) for method, name in settings.runs if settings.trains(method)]
    assert len(learned) > 40
    for method, name in learned:
        data, source = prepared[name], prepared[settings.train_on(method, name)]
        atlas = source.description.training.atlas
        training = [case for case in source.training_cases if case != atlas]
        judged = {case for pair in data.test_pairs for case in (pair.fixed, pair.moving)}
        if data is source:  # the atlas is the fixed image of both, which is what registration to an atlas means
            judged -= {atlas}
            subjects = data.description.subjects
            assert not {subjects[case] for case in training} & {subjects[case] for case in judged}
        assert training
        assert not images(source, training) & images(data, judged), (method, name)


def test_data_sets_that_share_a_training_set_draw_their_subjects_from_other_seeds(mini):
    settings, prepared = mini
    for name, data in prepared.items():
        source = settings.dataset(name).train_on
        if source is not None:
            assert data.description.parameters["seed"] != prepared[source].description.parameters["seed"]


def test_students_and_teachers_learn_from_the_same_data(mini):
    settings, _ = mini
    for method, name in settings.runs:
        teacher = settings.teacher(method)
        if teacher is not None:
            assert settings.train_on(teacher, name) == settings.train_on(method, name)
