"""The glue: one module per step of the pipeline, each runnable by hand as ``python -m workflows.<step> --help``."""

import os

# Before anything imports Matplotlib: a notebook names a backend that exists inside of it alone.
os.environ["MPLBACKEND"] = "Agg"
