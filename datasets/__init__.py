"""Data sets: what a case is and what a displacement means (NumPy and SciPy only; imports no other room of the house).

A data set is a module ``datasets/<module>.py``; the file is the registration. It has:

``Params``
    A frozen dataclass: the options that a configuration may set, one line each, with type, default and a comment that
    says what it does.

``prepare(folder: Path, params: Params, *, name: str) -> None``
    Obtains the data (generated, downloaded, or read from the folder that the environment variable
    ``WARPBENCH_MIRROR`` names), checks it against known checksums, converts it and writes the prepared form of
    `datasets.case` into ``folder``. A run prepares the data set anew when a file behind it changes: files that come by
    `datasets.download.fetch` or `datasets.found.search`, and those that `datasets.files` reads, are watched by
    themselves. So are those that the module opens in Python, and all files of a folder that an option names and
    nothing searched, unless the data set is a phantom. Of others, which a library in C opens elsewhere, tell
    `datasets.originals.note`.

It may have

``supply(params: Params) -> Supply``
    What it needs from outside and what of it is there (`datasets.supply`). ``python -m workflows.show data`` prints it,
    and a run that lacks files which nobody fetches starts no job.

Its module docstring says licence, source and how to obtain the data.
"""
