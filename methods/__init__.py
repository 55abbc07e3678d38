"""Methods: the contestants. One file is one method; the file is the registration.

A method is a module ``methods/<module>.py``, or a file of your own that a configuration names by its path
(docs/own-method.md), with:

``Params``
    A frozen dataclass of the registration's options, all with defaults. One option is one line,
    ``name: type = default  # what it does``; its fields are the keys that a configuration may set under ``params``.
    Types are ``int``, ``float``, ``str``, ``bool``, ``Path``, ``Literal[...]``, tuples of these, ``| None``, or such a
    dataclass.
``load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register``
    Everything that is not on the clock: imports, weights, warm caches. ``device`` is ``cpu`` or ``cuda``, ``seed``
    draws whatever is random, ``checkpoint`` comes from ``train`` (without one a network is untrained); a method that
    has no use for one of them ignores it. A parameter ``data: Dataset | None`` receives the data set whose pairs will
    be asked for (images only, as `train` has it). A `datasets.files.DataError` ends the step before any pair, with that
    line. It returns

``register(fixed, moving, spacing, **extras) -> displacement``
    The call on the clock. ``fixed`` and ``moving`` are read-only float32 arrays ``(D, H, W)`` in [0, 1], ``spacing``
    three floats in mm, array-axis order. The result is the displacement of `datasets.geometry`:
    ``(3, D, H, W)`` float32, voxels of the fixed grid, pull-back. A text ``told`` of what is called, an attribute, is
    what the method has found out as it was loaded; the step logs it. A ``dict[str, str]`` ``found`` beside it is kept
    with the options of the run.

A method that learns has two members more:

``Training``
    A frozen dataclass of the options of training, the keys under ``training``; as a rule it inherits those that
    all share from `methods.blocks.training.settings.LoopOptions`.
``train(data: Dataset, folder: Path, params: Params, training: Training, *, device: str, seed: int) -> Path``
    Trains on ``data.training_pairs`` (images only; a `Dataset` gives no access to the truth), keeps its state in
    ``folder``, resumes from there when it finds some, and returns the path of a safetensors checkpoint.
    A parameter ``teacher: Path | None`` receives the checkpoint of the method that the configuration names as
    ``teacher``, trained on the same data. A parameter ``watch`` receives a function to call with the number of
    updates and the registration as it stands, now and then.

Optional members:

``cost(shape, params: Params) -> {"parameters": int, "macs": int}``
    Size of the network and multiply-accumulates of one registration at ``shape``, of the network actually run; beside
    them, where a profile may narrow it, ``full_parameters`` and ``full_macs`` at its paper's width and size.
``full(params: Params) -> Params``
    The same network at its paper's width and resolution, as it is timed at the paper's size. Networks of one module
    whose ``full`` is equal are one network there.
``across_modalities(params: Params) -> bool``
    Whether two images of different modalities can be registered; without it, not.
``NEEDS: tuple[str, ...]``
    Extras the call needs: ``fixed_mask``, ``moving_mask`` (boolean arrays), ``pair`` (the `datasets.case.Pair` that is
    asked for), or ``true_displacement`` (the positive control alone). Where a data set has none, the pair is recorded
    as ``not_applicable``.
``TEACHERS: tuple[str, ...]``
    The modules whose networks can be ``teacher``; without it the method's own.
``CLOCKED: bool``
    False for a method that does not register itself, but hands over what was made elsewhere (`methods.fields`): its
    seconds and its memory are not recorded, and it is not timed.

An option of the type ``Path`` names a file, or a folder of files, that the method reads: from a configuration file it
is relative to that file, and registrations are made anew when such a file changes.

Methods import `datasets` (never its `Truth`) and rooms of `methods`; never benchmarks, reports or workflows.
"""

from __future__ import annotations

from collections.abc import Callable

from datasets.geometry import Array

Register = Callable[..., Array]
