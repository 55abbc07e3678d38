"""Student's t, and the normal distribution where degrees of freedom are infinite."""

from __future__ import annotations

import numpy as np
from scipy import special

from datasets.files import Array


def quantile(df: float, probability: float) -> float:
    """Return the value that a t exceeds with one less ``probability``; NaN for 0 degrees of freedom."""
    return float(special.ndtri(probability) if np.isinf(df) else special.stdtrit(df, probability))


def cumulative(t: float, df: float) -> float:
    """Return the probability of a value of ``t`` or less."""
    return float(special.ndtr(t) if np.isinf(df) else special.stdtr(df, t))


def power_of(shift: float, df: float, critical: float) -> float:
    """Return the probability that a t whose mean is ``shift`` standard errors off lies beyond -+ ``critical``.

    The noncentral t by its definition, a normal over the root of a chi-squared, integrated over the latter's quantiles:
    library functions of it return NaN or lose digits for the few degrees of freedom that three trainings leave.
    """
    bar = critical * _scales(df)
    return float(_WEIGHTS @ (special.ndtr(shift - bar) + special.ndtr(-shift - bar)))


def _scales(df: float) -> Array:
    """Return estimated standard errors for a true one of 1, at the probabilities of the integration."""
    return np.ones(len(_PLACES)) if np.isinf(df) else np.sqrt(2 * special.gammaincinv(df / 2, _PLACES) / df)


_NODES, _HALVES = np.polynomial.legendre.leggauss(200)
_PLACES, _WEIGHTS = (_NODES + 1) / 2, _HALVES / 2
