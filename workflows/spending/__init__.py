"""Where the minutes of a run go: each job notes its CPU seconds, and `python -m workflows.spending` adds them up."""
