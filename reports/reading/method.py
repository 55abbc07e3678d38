"""A method as a report names it; the specification of the report step holds the same type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """How a method is named on the page: ``kind`` is classical, learned or control, ``cite`` its source."""

    label: str
    kind: str
    cite: str = ""


Methods = Mapping[str, Method]
