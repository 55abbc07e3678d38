"""Benchmarks: the judge. Measures what the methods return; never imports them, nor torch.

``metrics`` is the table of metrics and the one call that computes them (`overlap`, `landmarks`, `deformation` hold the
formulas), ``results`` the tables on disk, ``stopwatch`` and ``provenance`` what a run cost and where it ran,
``statistics`` the paired comparisons, ``regression`` the gate in continuous integration. Warps and derivatives come
from `datasets.geometry` (NumPy, SciPy), so that a mistake in the methods' torch code cannot hide in the score.
``test_speed`` is a test file, for pytest-benchmark; it alone may look at the methods.
"""
