"""The names under which Learn2Reg's evaluator looks for a displacement."""

from __future__ import annotations

import re

CASE = re.compile(r"(?:^|_)(\d{4})_(\d{4})$")  # a case and its modality, as Learn2Reg names images


def displacement_names(fixed: str, moving: str) -> list[str]:
    """Return the names under which Learn2Reg's evaluator looks for a displacement.

    For cases that are named as there (``OASIS_0395_0000``) these are numbers, with the modalities where they are not 0
    and 1; as the evaluator has changed its mind about pairs of one modality, both names then.
    """
    found = [CASE.search(name) for name in (fixed, moving)]
    if not all(found):
        return [f"disp_{fixed}_{moving}.nii.gz"]
    (case_f, kind_f), (case_m, kind_m) = (each.groups() for each in found if each)
    short, long = f"disp_{case_f}_{case_m}.nii.gz", f"disp_{case_f}_{kind_f}_{case_m}_{kind_m}.nii.gz"
    return [short] if (kind_f, kind_m) == ("0000", "0001") else [long, short]
