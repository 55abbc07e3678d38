"""Whether every field of a set can be used, found before any is scored: each that cannot is named at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from datasets.case import Dataset, Pair
from datasets.files import DataError
from methods.given.names import Files
from methods.given.reading import read_field

MOST = 200  # fields that are read at the start, in the order of the pairs
NAMED = 10

Form = tuple[bool, tuple[str, ...]]  # whether a field has half as many voxels, and how its axes may lie


def check_all(data: Dataset, files: Mapping[Pair, Files]) -> None:
    """Read the first `MOST` fields of a set; raise `DataError` that says what is wrong with each that is of no use."""
    faults, forms = list[str](), dict[str, Form]()
    for pair, each in list(files.items())[:MOST]:
        try:
            stored = read_field(each, data.placement(pair.fixed))
            forms[each.where] = stored.half, stored.axes
        except DataError as error:
            faults.append(str(error))
    faults += _unlike(forms)
    if not faults:
        return
    more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
    count = f"{len(faults)} of {len(files)} fields cannot be used: " if len(faults) > 1 else ""
    raise DataError(count + "; ".join(faults[:NAMED]) + more)


def _unlike(forms: Mapping[str, Form]) -> list[str]:
    """Return a line on each field whose grid has another form than that of most."""
    if not forms:
        return []
    halves = Counter(half for half, _ in forms.values())
    axes = Counter(name for _, names in forms.values() for name in names)
    half, lie = halves.most_common(1)[0][0], axes.most_common(1)[0][0]
    wrong = {
        "has another number of voxels than the other fields of the set; bring all to one grid": [
            where for where, form in forms.items() if form[0] != half
        ],
        "the axes of its grid lie otherwise than in the other fields of the set; bring all to one form": [
            where for where, form in forms.items() if lie not in form[1]
        ],
    }
    return [f"{where}: {what}" for what, places in wrong.items() for where in places]
