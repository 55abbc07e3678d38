"""Obtain one data set and write it in prepared form."""

from __future__ import annotations

import importlib
import logging
import shutil

from datasets.case import open_dataset
from datasets.description import DATASET_JSON, IMAGES
from datasets.files import DataError
from datasets.found import note_unseen
from datasets.originals import recording
from datasets.problem import UnfitError
from datasets.withheld import withhold
from workflows.planning.specs import PrepareSpec
from workflows.running import stale
from workflows.running.command import job
from workflows.running.options import build

logger = logging.getLogger(__name__)
SHOWN = 20  # problems that are listed


def prepare(spec: PrepareSpec) -> None:
    """Call the module's ``prepare`` and list what is wrong with the data, if anything is."""
    folder = spec.folder
    if folder.is_symlink() or folder.is_file():
        logger.info("%s: a link or file; the data take its place, and what a link points to stays", folder)
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    logger.info("preparing")
    module = importlib.import_module(f"datasets.{spec.module}")
    try:
        with recording(folder) as originals:
            params = build(module.Params, spec.params)
            module.prepare(folder, params, name=spec.name)
            if not (folder / DATASET_JSON).exists():
                raise DataError(f"datasets/{spec.module}.py: wrote no dataset; end its prepare with Writer.finish")
            data = open_dataset(folder)
            if not data.description.phantom:  # what is drawn comes from no file, so a title names none
                note_unseen(params)
            about = withhold(folder, data.description, spec.judge)
    except UnfitError as error:
        for problem in error.problems[:SHOWN]:
            logger.error("%s", problem)
        if left := len(error.problems[SHOWN:]):
            logger.error("and %d more", left)
        raise
    stale.keep(originals, folder)
    images, trained = len(list((folder / IMAGES).iterdir())), len(about.training.every_pair)
    judged = f"{len(about.test)} {spec.judge}"
    logger.info("%d images, %d training and %s pairs", images, trained, judged)


if __name__ == "__main__":
    with job(PrepareSpec, __doc__) as this:
        prepare(this.spec)
