"""Benchmarks: the judge. Measures what the methods return; never imports them, nor torch.

``metrics`` is the table of metrics and the one call that computes them from the ``evidence`` (``measures`` holds the
formulas, and their loops over voxels), ``ranking`` chooses what is quoted and shown. ``rows`` and ``results`` are the
tables on disk, ``records`` the outcomes of steps, ``clock`` and ``provenance`` say what a run cost and where it ran.
``statistics`` has means with their intervals and what these say, ``regression`` the gate in continuous integration.
Warps are the judge's own, pinned to `datasets.geometry` (NumPy, SciPy), so that a mistake in the methods cannot hide in
the score.
``speed`` times ours beside peers; its test files alone may look at the methods.
"""
