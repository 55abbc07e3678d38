"""ANTs: known displacements, its settings as it hears them, and its folder left empty."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import numpy as np
import pytest

from methods import ants_syn
from tests.methods.calls import load
from tests.methods.classical_inputs import (
    SMALL,
    SMALL_SPACING,
    shifted_pair,
    texture,
)


class TestAnts:
    QUICK = {"iterations": [6, 3], "transform": "SyNOnly", "metric": "cc"}  # noqa: RUF012

    def run(self, **change):
        pair = shifted_pair(SMALL, (1, -0.5, 0.5))
        return load(ants_syn, **{**self.QUICK, **change})(*pair, SMALL_SPACING)

    @pytest.fixture(scope="class")
    def plain(self):
        return self.run()

    def test_every_keyword_has_a_name_that_antspyx_knows(self, calls):
        import ants

        known = set(inspect.signature(ants.registration).parameters)
        seen = calls(ants, "registration")
        load(ants_syn, **self.QUICK)(*shifted_pair(SMALL), SMALL_SPACING)
        assert set(seen[0][1]) - known == set()

    @pytest.mark.parametrize(
        "change",
        [
            {"metric": "mattes"},
            {"transform": "SyN"},
            {"radius": 3},
            {"iterations": [6, 4]},
            {"gradient_step": 0.4},
            {"flow_variance": 6.0},
            {"total_variance": 1.0},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_every_option_has_an_effect(self, change, plain):
        assert np.abs(self.run(**change) - plain).max() > 0.01

    def test_start_at_the_identity_skips_the_centres_of_mass(self):
        fixed = texture(SMALL)
        moving = fixed * np.linspace(0, 1, SMALL[0], dtype=np.float32)[:, None, None]  # same place, other balance
        quick = {"iterations": [1, 0]}
        mass, start = (load(ants_syn, start=s, **quick)(fixed, moving, SMALL_SPACING) for s in ("mass", "identity"))
        assert np.abs(mass - start).max() > 0.01

    @pytest.mark.parametrize(
        ("metric", "expected"), [("mattes", ("mattes", 32, (40, 20, 0))), ("cc", ("CC", 2, (100, 70, 50, 20)))]
    )
    def test_the_variants_have_their_own_iterations(self, metric, expected, monkeypatch):
        import ants

        class Asked(Exception):  # noqa: N818 - ends the call, is no error
            pass

        def asked(*args, syn_metric, syn_sampling, reg_iterations, **kwargs):
            raise Asked(syn_metric, syn_sampling, reg_iterations)

        register = load(ants_syn, metric=metric)
        monkeypatch.setattr(ants, "registration", asked)
        with pytest.raises(Asked) as caught:
            register(*shifted_pair(SMALL), SMALL_SPACING)
        assert caught.value.args == expected

    def test_the_folder_is_deleted_after_a_failure(self, empty_folder, monkeypatch):
        import ants

        def fail(*args, outprefix, **kwargs):
            with open(f"{outprefix}1Warp.nii.gz", "w") as stream:
                stream.write("half")
            raise RuntimeError("Registration failed")

        register = load(ants_syn)
        monkeypatch.setattr(ants, "registration", fail)
        with pytest.raises(RuntimeError, match="Registration failed"):
            register(*shifted_pair(SMALL), SMALL_SPACING)
        assert not list(empty_folder.iterdir())

    def test_the_seed_repeats_a_result_and_another_changes_it(self):
        """In a process of its own, started with one thread, as ANTs needs it."""
        program = (
            "from methods import ants_syn\n"
            "from tests.methods.calls import load\n"
            "from tests.methods.classical_inputs import *\n"
            "pair = make_pair(affine_and_sine(SMALL))\n"
            "methods = [load(ants_syn, seed=seed, iterations=[3, 0]) for seed in (0, 1)]\n"
            "a, b, c = (methods[n](*pair, SMALL_SPACING) for n in (0, 1, 0))\n"
            "assert np.array_equal(a, c), np.abs(a - c).max()\n"
            "assert np.abs(a - b).max() > 1e-3\n"
        )
        environment = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize("iterations", [[], [0, 0], [5, -1], [2.5]])
    def test_refuses_iterations_that_are_none(self, iterations):
        with pytest.raises(ValueError, match=r"ants_syn.load: iterations"):
            load(ants_syn, iterations=iterations)
