"""Data sets: what a case is and what a displacement means (NumPy and SciPy only; imports no other room of the house).

A data set is a module ``datasets/<module>.py``; the file is the registration. It has:

``prepare(folder: Path, *, name: str, **params) -> None``
    Obtains the data (generated, downloaded, or read from the folder that the environment variable
    ``WARPBENCH_MIRROR`` names), checks it against known checksums, converts it and writes the prepared form of
    `datasets.case` into ``folder``. The keyword-only parameters after ``name``, with their annotations, are the keys
    that a configuration may set.

Its module docstring says licence, source and how to obtain the data.
"""
