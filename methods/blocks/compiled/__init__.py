"""Loops for the CPU, compiled by numba where it is installed: what torch would do in many passes or on one thread."""
