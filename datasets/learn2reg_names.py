"""The names under which Learn2Reg's evaluator looks for a displacement."""

from __future__ import annotations

import re

CASE = re.compile(r"(?:^|_)(\d{4})_(\d{4})$")  # a case and its modality, as Learn2Reg names images
LONGEST = 255  # bytes that a file's name may have


def displacement_names(fixed: str, moving: str) -> list[str]:
    """Return the names under which Learn2Reg's evaluator looks for a displacement.

    For cases that are named as there (``OASIS_0395_0000``) these are numbers, with the modalities where they are not 0
    and 1; as the evaluator has changed its mind about pairs of one modality, both names then. Names that are too long
    for a file lose their first letters.
    """
    found = [CASE.search(name) for name in (fixed, moving)]
    if not all(found):
        while len((name := f"disp_{fixed}_{moving}.nii.gz").encode()) > LONGEST:
            fixed, moving = (fixed[1:], moving) if len(fixed) > len(moving) else (fixed, moving[1:])
        return [name]
    (case_f, kind_f), (case_m, kind_m) = (each.groups() for each in found if each)
    short, long = f"disp_{case_f}_{case_m}.nii.gz", f"disp_{case_f}_{kind_f}_{case_m}_{kind_m}.nii.gz"
    return [short] if (kind_f, kind_m) == ("0000", "0001") else [long, short]
