"""Declare claims, margins and budgets before the first job: digests of them stand in the results, then in the archive.

python -m workflows.ahead.declaring workflows/config/study.yaml    prints what a run of the profile would declare
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.provenance import git_state
from benchmarks.records import Declared, digest, keep_lines, read_lines, text_of
from datasets.files import DataError
from reports.claims.declared import of_claims
from reports.paper.layout import load_paper, margins_of
from workflows.configuration import sources
from workflows.configuration.resolve import read_yaml, resolve
from workflows.configuration.settings import Settings
from workflows.planning.plan import Plan


def declare(plan: Plan) -> None:
    """Note what is declared, where it is not what was noted last; nothing where a given archive is reported."""
    if plan.given:
        return
    path = plan.layout.declared
    noted, now = list(read_lines(path, Declared)), declaration(plan.settings)
    if not noted or noted[-1].content != now.content:
        path.parent.mkdir(parents=True, exist_ok=True)
        keep_lines(path, [*noted, now])


def declaration(settings: Settings) -> Declared:
    """Return what a configuration and its papers declare."""
    papers = {key: load_paper(key) for key in settings.config.papers}
    return Declared(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=git_state(sources.ROOT)[0],
        budgets=budgets(settings),
        margins={key: margins_of(paper) for key, paper in papers.items()},
        claims={key: of_claims(paper.claims) for key, paper in papers.items()},
    )


def budgets(settings: Settings) -> str:
    """Return the digest of all that the stages of a profile ask for, however far a run of it goes."""
    whole = replace(settings, config=replace(settings.config, stage=None, first_stage=1), lacking={})
    runs = [
        [method, dataset, whole.params(method, dataset), whole.training(method, dataset), whole.seeds(method, dataset),
         whole.teacher(method), whole.train_on(method, dataset)]
        for method, dataset in whole.runs
    ]  # fmt: skip
    data = [[name, whole.dataset(name).module, whole.dataset(name).params] for name in whole.prepared]
    cast = {paper: whole.cast(paper) for paper in whole.config.papers}
    return digest([runs, data, cast, [[each.datasets, each.methods, each.seeds] for each in whole.config.stages]])


def main() -> None:
    """Print what a run of a profile would declare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configfile", type=Path)
    given = parser.parse_args()
    try:
        sys.stdout.write(text_of(declaration(resolve(read_yaml(given.configfile), [given.configfile]))))
    except DataError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
