"""Timed calls: who takes turns, on which cores, and what becomes of a call that was disturbed."""
