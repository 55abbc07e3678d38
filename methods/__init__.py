"""Methods: the contestants. One file is one method; the file is the registration.

A method is a module ``methods/<module>.py`` with:

``load(*, device: str, seed: int, checkpoint: Path | None = None, **params) -> Callable``
    Everything that is not on the clock: imports, weights, warm caches. Its keyword-only parameters after
    ``checkpoint``, with their annotations (``int``, ``float``, ``str``, ``bool``, ``Literal[...]`` or lists of these)
    and defaults, are the keys that a configuration may set under ``params``. It returns

``register(fixed, moving, spacing, **extras) -> displacement``
    The call on the clock. ``fixed`` and ``moving`` are read-only float32 arrays ``(D, H, W)`` in [0, 1], ``spacing``
    three floats in mm, array-axis order. The result is the displacement of `datasets.geometry`:
    ``(3, D, H, W)`` float32, voxels of the fixed grid, pull-back.

Optional members:

``train(data: Dataset, folder: Path, *, device: str, seed: int, **params) -> Path``
    Trains on ``data.training_pairs`` (images only; a `Dataset` gives no access to the truth), keeps its state in
    ``folder``, resumes from there when it finds some, and returns the path of a safetensors checkpoint. Its keyword
    parameters beyond those of ``load`` are the keys allowed under ``training``; an option of ``load`` that it does not
    name concerns the registration alone.
    A parameter ``teacher: Path | None`` receives the checkpoint of the method that the configuration names as
    ``teacher``, trained on the same data. A parameter whose annotation is a dataclass is given as a mapping of its
    fields.
``cost(shape, **params) -> {"parameters": int, "macs": int}``
    Size of the network and multiply-accumulates of one registration at ``shape``, of the network actually run; beside
    them, where a profile may narrow it, ``full_parameters`` and ``full_macs`` at its paper's width and size.
``NEEDS: tuple[str, ...]``
    Extras the call needs: ``fixed_mask``, ``moving_mask`` (boolean arrays), or ``true_displacement`` (the positive
    control alone). Where a data set has none, the pair is recorded as ``not_applicable``.

Methods import `datasets` (never its `Truth`) and `methods.blocks`; never benchmarks, reports or workflows.
"""
