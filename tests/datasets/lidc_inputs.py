"""A small collection of DICOM series as LIDC-IDRI comes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.datasets.dicom_inputs import FIRST, SIZE, put_series, put_slice, values_of


def collection(root: Path, patients: int = 3) -> None:
    """Patients as the archive's own downloader lays them out; the second has two CT series, others have other files."""
    for number in range(1, patients + 1):
        patient = f"LIDC-IDRI-{number:04d}"
        put_series(root / patient / "study" / "b", f"1.2.9.{number}", values=values_of(seed=number), patient=patient)
        x_ray = {"patient": patient, "modality": "DX"}
        put_slice(root / patient / "other" / "x" / "1.dcm", np.zeros(SIZE), FIRST, f"1.2.1.{number}", **x_ray)
    put_series(root / "LIDC-IDRI-0002" / "study" / "c", "1.2.8.2", values=values_of(seed=9), patient="LIDC-IDRI-0002")
    report = root / "LIDC-IDRI-0003" / "study" / "sr" / "1.dcm"
    report.parent.mkdir(parents=True)
    report.write_bytes(b"a structured report, no image")
