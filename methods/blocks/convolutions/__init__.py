"""Convolutions as oneDNN computes them best: packed for registrations, cut or laid out in training."""
