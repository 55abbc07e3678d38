"""Options whose defaults depend on another option, such as a preset, and what all networks' options share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# The default of an option that `fill` gives its value: it has its type in the end, so that nobody has to ask for None.
OPEN: Any = None


def fill(options: DataclassInstance, defaults: DataclassInstance) -> None:
    """Give each option that was left open the value it has in ``defaults``; for the ``__post_init__`` of options."""
    for field in fields(defaults):
        if getattr(options, field.name) is None:
            object.__setattr__(options, field.name, getattr(defaults, field.name))


@dataclass(frozen=True)
class Resolution:
    """The option of every network that says how fine the images are which it sees."""

    shrink: int = 1  # train and register at a resolution lower by this factor

    def __post_init__(self) -> None:
        positive("params", shrink=self.shrink)


def part(options: DataclassInstance, kind: type[DataclassInstance]) -> dict[str, object]:
    """Return those of some options that a class they inherit from declares, by name."""
    return {field.name: getattr(options, field.name) for field in fields(kind)}


def positive(where: str, **values: float | None) -> None:
    """Raise ValueError naming the first value that is not more than 0; None passes."""
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f"{where}: {name} must be positive, got {value!r}")


def not_negative(where: str, **values: float | None) -> None:
    """Raise ValueError naming the first value below 0; None passes."""
    for name, value in values.items():
        if value is not None and not value >= 0:
            raise ValueError(f"{where}: {name} must not be negative, got {value!r}")
