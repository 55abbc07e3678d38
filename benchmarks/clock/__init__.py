"""The clock: what a call takes, on which cores of which hardware, and what disturbed it. See docs/timing.md."""
