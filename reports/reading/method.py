"""A method as a report names it; the specification of the report step holds the same type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """How a method is named on the page: ``kind`` is classical, learned, given or control, ``cite`` its source.

    ``adapted`` names the data sets on which it registers by other options than everywhere else. ``reported`` are the
    seconds and the hardware that are said of displacements made elsewhere, in words.
    """

    label: str
    kind: str
    cite: str = ""
    adapted: Sequence[str] = ()
    reported: str = ""


Methods = Mapping[str, Method]
