"""Speed of ours beside peers that do the same work in the same run: ``make bench``.

Each ``test_*.py`` here is a test file for pytest-benchmark, and as tests do it sees everything: it says what is
measured, and asserts that ours and the peers agree before any of them is timed. `duel` calls them in turns. Run as
``python -m benchmarks.speed`` the package makes ``speed.csv`` and ``speed.png`` of pytest-benchmark's file (`rows`,
`figure`). Nothing is asserted about time, and ratios of one run carry over to another machine where seconds do not.
"""
