"""Convolutions as oneDNN computes them best: packed for registrations, cut to what they reach in training."""
