"""The glue: one module per step of the pipeline, each runnable by hand as ``python -m workflows.<step> --help``."""
