"""Obtain one data set and write it in prepared form."""

from __future__ import annotations

import importlib
import logging
import shutil
from collections.abc import Iterable

from datasets.case import Dataset, open_dataset
from datasets.description import IMAGES
from datasets.files import DataError
from datasets.originals import recording
from workflows.planning.specs import PrepareSpec
from workflows.running import stale
from workflows.running.command import job
from workflows.running.options import build

logger = logging.getLogger(__name__)


def prepare(spec: PrepareSpec) -> None:
    """Call the module's ``prepare`` and make sure that what it wrote can be registered."""
    folder = spec.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    logger.info("preparing")
    module = importlib.import_module(f"datasets.{spec.module}")
    with recording(folder) as originals:
        module.prepare(folder, build(module.Params, spec.params), name=spec.name)
    data = open_dataset(folder)
    known = {path.name.removesuffix(".nii.gz") for path in (folder / IMAGES).glob("*.nii.gz")}
    named = {case for pair in data.test_pairs for case in (pair.fixed, pair.moving)} | set(data.training_cases)
    if missing := sorted(named - known):
        raise DataError(f"{folder}: pairs name images that were not written: {', '.join(missing)}")
    leaked = sorted(_subjects(data, [c for p in data.test_pairs for c in (p.fixed, p.moving)]) & _trained(data))
    if leaked:
        raise DataError(f"{folder}: subjects in both training and test: {', '.join(leaked)}")
    stale.keep(originals, folder)
    logger.info("%d images, %d training and %d test pairs", len(known), len(data.training_pairs), len(data.test_pairs))


def _subjects(data: Dataset, cases: Iterable[str]) -> set[str]:
    return {data.description.subjects.get(case, case) for case in cases}


def _trained(data: Dataset) -> set[str]:
    # The atlas is the fixed image of training and test alike; that is the protocol of atlas registration.
    return _subjects(data, [case for case in data.training_cases if case != data.description.training.atlas])


if __name__ == "__main__":
    with job(PrepareSpec, __doc__) as this:
        prepare(this.spec)
