"""What every method keeps to, found by listing the folder: a new file is tested without another line here."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
import typing
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from datasets import geometry
from tests.methods import calls
from workflows.configuration import sources

# ITK reads it once, before its first use. One thread: what the repeatability of ANTs needs.
os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")

FOLDER = Path(__file__).resolve().parents[2] / "methods"
METHODS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
SHAPE, SPACING = (24, 28, 32), (2.0, 1.5, 2.5)
EXTRAS = ("fixed_mask", "moving_mask", "true_displacement")  # beside pair
WORDS = re.compile(r"\w+").findall
SLOW_TO_IMPORT = {"ants", "itk", "SimpleITK"}
IMPORTED = "import sys, methods.{}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"

# Options that make a method quick enough for a tiny pair, without changing what it is.
QUICK = {
    "elastix_bspline": {"iterations": 100, "resolutions": 2},
    "ants_syn": {"iterations": [10, 5]},
    "recursive": {"channels": 2},
    "progressive": {"channels": 2, "levels": 3},
    "swift": {"channels": 2},
}


def module(name):
    """The method's module, or a skip that says which library is missing."""
    try:
        return importlib.import_module(f"methods.{name}")
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] in ("methods", "datasets"):
            raise
        pytest.skip(f"{name}: {error}")


def load(name, **params):
    """Load a method as the benchmark does, on the CPU, untrained."""
    try:
        return calls.load(module(name), **{**QUICK.get(name, {}), **params})
    except ModuleNotFoundError as error:
        pytest.skip(f"{name}: {error}")


def learns(name):
    return hasattr(module(name), "train")


def make_pair(shift=(1.0, -0.7, 0.4)):
    """A read-only smooth pair with ``fixed(x) = moving(x + shift)``, and what the extras of `methods` may be."""
    rng = np.random.default_rng(0)
    moving = ndimage.gaussian_filter(rng.normal(size=SHAPE), 2) + 2 * ndimage.gaussian_filter(rng.normal(size=SHAPE), 4)
    moving = ((moving - moving.min()) / np.ptp(moving)).astype(np.float32)
    u = np.broadcast_to(np.float32(shift)[:, None, None, None], (3, *SHAPE)).copy()
    fixed = geometry.warp(moving, u).astype(np.float32)
    extras = dict(zip(EXTRAS, (np.ones(SHAPE, bool), np.ones(SHAPE, bool), u), strict=True))
    for array in (fixed, moving, *extras.values()):
        array.flags.writeable = False
    return fixed, moving, extras


def register(name, fixed, moving, extras, **params):
    if not getattr(module(name), "CLOCKED", True):
        pytest.skip("hands over what was made elsewhere: tests/methods/given")
    needed = {key: extras[key] for key in getattr(module(name), "NEEDS", ())}
    return load(name, **params)(fixed, moving, SPACING, **needed)


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


def test_the_folder_has_methods():
    assert {"identity", "truth", "ants_syn", "elastix_bspline", "demons"} <= set(METHODS)


class TestOptions:
    def classes(self, name):
        found = [getattr(module(name), kind, None) for kind in ("Params", "Training")]
        assert found[0] is not None
        assert (found[1] is not None) == learns(name)
        return [kind for kind in found if kind is not None]

    def test_options_are_frozen_dataclasses_with_defaults_alone(self, name):
        for kind in self.classes(name):
            assert kind.__dataclass_params__.frozen
            assert [f.name for f in fields(kind) if f.default is MISSING] == []
            assert kind() == kind()

    def test_every_default_has_its_options_type(self, name):
        for kind in self.classes(name):
            options, hints = kind(), typing.get_type_hints(kind)
            assert [f.name for f in fields(kind) if not fits(hints[f.name], getattr(options, f.name))] == []

    def test_every_option_has_a_type_that_a_configuration_can_give(self, name):
        for kind in self.classes(name):
            declared = sources.options_of(FOLDER / f"{name}.py", kind.__name__)
            assert list(declared) == [f.name for f in fields(kind)]
            used = {word for option in declared.values() for word in WORDS(option.annotation)}
            assert used & {"Any", "dict", "Mapping"} == set()

    def test_every_option_says_what_it_does(self, name):
        for kind in self.classes(name):
            declared = sources.options_of(FOLDER / f"{name}.py", kind.__name__)
            inside = [each for option in declared.values() for each in (option.fields or {}).values()]
            assert [option.name for option in (*declared.values(), *inside) if not option.doc] == []

    def test_load_train_and_cost_take_them(self, name):
        for function, before in (("load", []), ("train", ["data", "folder"]), ("cost", ["shape"])):
            if hasattr(module(name), function):
                parameters = inspect.signature(getattr(module(name), function)).parameters
                positional = [key for key, p in parameters.items() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
                assert positional == [*before, "params", *(["training"] if function == "train" else [])]
                others = [key for key in parameters if key not in positional]
                known = {"load": ["device", "seed", "checkpoint"], "cost": []}
                others = others[:-1] if function == "load" and others[-1] == "data" else others
                assert others == known[function] if function in known else others[:2] == ["device", "seed"]

    def test_an_unknown_option_is_refused(self, name):
        with pytest.raises(TypeError, match="unexpected keyword argument 'no_such_option'"):
            load(name, no_such_option=1)

    def test_needs_known_extras_alone(self, name):
        assert set(getattr(module(name), "NEEDS", ())) <= {*EXTRAS, "pair"}


def fits(hint, value):
    """Whether a default has its declared type, among the types a configuration file can express."""
    options = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return value in options
    if typing.get_origin(hint) in (list, tuple, typing.get_origin(typing.Sequence[int])):
        return isinstance(value, list | tuple) and all(fits(options[0], item) for item in value)
    if options:
        return any(fits(option, value) for option in options)
    return isinstance(value, (int, float) if hint is float else hint)


def test_importing_a_method_does_not_import_a_slow_library(name):
    module(name)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED.format(name)], cwd=FOLDER.parent, capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    assert "methods" in imported
    assert imported & SLOW_TO_IMPORT == set()
    if not learns(name):
        assert "torch" not in imported


class TestCall:
    def test_gives_a_finite_displacement_on_the_fixed_grid(self, name):
        fixed, moving, extras = make_pair()
        u = register(name, fixed, moving, extras)
        assert isinstance(u, np.ndarray)
        assert u.dtype == np.float32
        assert u.shape == (3, *SHAPE)
        assert np.isfinite(u).all()

    def test_leaves_its_inputs_as_they_are(self, name):
        fixed, moving, extras = make_pair()
        before = [array.copy() for array in (fixed, moving, *extras.values())]
        for array in (fixed, moving, *extras.values()):
            array.flags.writeable = True  # so that a change is seen here, and not as an error inside the method
        register(name, fixed, moving, extras)
        for array, copy in zip((fixed, moving, *extras.values()), before, strict=True):
            np.testing.assert_array_equal(array, copy)

    def test_accepts_read_only_inputs_and_repeats_itself_with_the_same_seed(self, name):
        pair = make_pair()
        first, second = (register(name, *pair, seed=3) for _ in range(2))
        # ANTs repeats itself exactly on one thread alone, which only the start of the process can promise.
        np.testing.assert_allclose(first, second, atol=0.05 if name == "ants_syn" else 0)

    def test_does_not_move_equal_images(self, name):
        if learns(name):
            pytest.skip("untrained")
        fixed, _, extras = make_pair()
        extras = {**extras, "true_displacement": np.zeros((3, *SHAPE), np.float32)}
        u = register(name, fixed, fixed, extras)
        assert np.median(np.linalg.norm(u, axis=0)) < 0.5

    def test_brings_a_shifted_image_closer(self, name):
        if learns(name) or name == "identity":
            pytest.skip("untrained" if learns(name) else "the negative control")
        fixed, moving, extras = make_pair()
        inner = (slice(4, -4),) * 3
        warped = geometry.warp(moving, register(name, fixed, moving, extras))
        before, after = (np.square(image - fixed)[inner].mean() for image in (moving, warped))
        assert after < 0.25 * before


def test_memory_layout_does_not_matter(name):
    """An image in another memory order is the same image; on a cube a library that disagrees would go unseen."""
    fixed, moving, extras = make_pair()
    turned = [np.asfortranarray(image) for image in (fixed, moving)]
    usual, other = (np.asarray(register(name, *pair, extras)) for pair in ((fixed, moving), turned))
    assert other.shape == (3, *SHAPE)
    assert np.abs(other - usual).max() < (0.05 if name == "ants_syn" else 1e-5)
