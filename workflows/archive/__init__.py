"""Archives of runs: written from a run, reported, compared and merged (`reports.archive`)."""
