"""The resolution levels of the progressive network that count at each iteration (doi:10.1109/TMI.2019.2953788, II-C).

Level 0 is the coarsest, the last one full resolution. The paper's symbols: delta is `Growth.transition`, Delta is
`Growth.duration`, tau is `Growth.starts`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Growth:
    """The growth of a network: weights of its levels that rise and fall as trapezoids; all times in iterations.

    Args:
        transition: how long a level fades in while the one below fades out; 0 makes that a step.
        duration: how long a level counts, both its transitions included: 0 or at least two transitions. 0 leaves all
            the weight on the last level from the start, which is the baseline network.
        levels: how many there are.
    """

    transition: float
    duration: float
    levels: int = 5

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise ValueError(f"Growth: levels must be at least 1, got {self.levels}")
        if not 0 <= self.transition < math.inf:
            raise ValueError(f"Growth: transition must be 0 or more iterations, got {self.transition}")
        if not 2 * self.transition <= self.duration < math.inf:
            raise ValueError(
                f"Growth: duration must be at least two transitions, {2 * self.transition}, got {self.duration}"
            )

    @property
    def starts(self) -> tuple[float, ...]:
        """The iterations at which each level begins to fade in: ``-Delta / 2 + (Delta - delta) i``."""
        return tuple(-self.duration / 2 + (self.duration - self.transition) * level for level in range(self.levels))

    @property
    def full(self) -> float:
        """The first iteration of the last level alone: ``(L - 1.5) Delta - (L - 2) delta``, 0 for one level."""
        return max(0.0, self.starts[-1] + self.transition)

    def alpha(self, iteration: float) -> tuple[float, ...]:
        """Return the weights of the levels' displacements, Eq. 2: they sum to one, at most two neighbours are not zero.

        The fade-out of a level is the fade-in of the next one, so that a weight is what has come in of its level and
        not yet of the next. At a step (``transition`` 0) the new level counts from its start on.
        """
        if not iteration >= 0:
            raise ValueError(f"Growth.alpha: iteration must be 0 or more, got {iteration}")
        risen = [*(self._risen(iteration - start) for start in self.starts), 0.0]
        return tuple(here - above for here, above in pairwise(risen))

    def _risen(self, since: float) -> float:
        if self.transition == 0:
            return float(since >= 0)
        return min(max(since / self.transition, 0.0), 1.0)


def final(levels: int) -> tuple[float, ...]:
    """Return the weights at the end of training: all on the last level."""
    return (0.0,) * (levels - 1) + (1.0,)


def input_weights(alpha: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return ``(beta, gamma)`` of Eq. 3 for all levels but the last: of a level's own images and of what is pooled.

    ``beta_i`` is the sum of ``alpha_0 .. alpha_i`` and ``gamma_i = 1 - beta_i``; exactly 0 and 1 wherever one of the
    two is not to be computed, whatever the rounding of ``alpha``.
    """
    beta = tuple(math.fsum(alpha[: level + 1]) if any(alpha[level + 1 :]) else 1.0 for level in range(len(alpha) - 1))
    return beta, tuple(1.0 - weight for weight in beta)
