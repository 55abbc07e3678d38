"""Train one method on one data set; a training that diverges or fails is a result too."""

from __future__ import annotations

from workflows.planning.specs import TrainSpec
from workflows.running.command import job
from workflows.training.one import train

if __name__ == "__main__":
    with job(TrainSpec, __doc__) as this:
        train(this.spec, this.threads, this.meter)
