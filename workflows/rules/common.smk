import json
import os
import sys
from pathlib import Path

from workflows import guard, settings, sources, supervisor

try:
    SETTINGS = settings.resolve(config, workflow.config_settings.configfiles)
    RESULTS = f"results/{SETTINGS.profile}"
    if workflow.is_main_process and not guard.only_looking(sys.argv[1:]):
        guard.check_writable(Path(RESULTS))
        CLAIM = guard.hold(Path("."))
except settings.SettingsError as error:
    sys.exit(f"WarpBench: {error}")

if workflow.is_main_process:
    supervisor.announce_runner()
# The steps run as `python -m workflows.<step>`, from whatever directory the run was started in.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(sources.ROOT), os.environ.get("PYTHONPATH")]))
PYTHON = sys.executable


wildcard_constraints:
    dataset="[a-z0-9][a-z0-9-]*",
    method="[a-z0-9][a-z0-9-]*",
    seed=r"\d+",
    chunk=r"\d+",


def code(*modules):
    """The project's source files that some modules depend on: an edited file reruns what it touches."""
    return [os.path.relpath(path) for path in sources.sources_of(modules)]


def method_code(wildcards):
    return code(SETTINGS.module(wildcards.method), "workflows.register", "workflows.worker")


def as_json(**values):
    """The specification of a step, as one shell-safe argument."""
    return json.dumps(values, sort_keys=True)


def run_folder(method, dataset, seed):
    return f"{RESULTS}/runs/{dataset}/{method}/seed{seed}"


def all_chunks(name):
    """A file of every chunk of every selected run."""
    return [
        f"{run_folder(method, dataset, seed)}/chunk{chunk}/{name}"
        for method, dataset in SETTINGS.runs
        for seed in SETTINGS.seeds
        for chunk in range(SETTINGS.dataset(dataset).get("chunks", 1))
    ]


def all_trainings(name):
    return sorted(
        {
            f"{RESULTS}/models/{SETTINGS.train_on(method, dataset)}/{method}/seed{seed}/{name}"
            for method, dataset in SETTINGS.runs
            if SETTINGS.trains(method)
            for seed in SETTINGS.seeds
        }
    )


def training_of(wildcards):
    """The training that a run waits for, if its method learns."""
    if not SETTINGS.trains(wildcards.method):
        return []
    folder = SETTINGS.train_on(wildcards.method, wildcards.dataset)
    return [f"{RESULTS}/models/{folder}/{wildcards.method}/seed{wildcards.seed}/training.json"]


def truth_of(wildcards):
    """The truth, for the positive control alone."""
    wanted = "true_displacement" in SETTINGS.needs(wildcards.method)
    return [f"{RESULTS}/data/{wildcards.dataset}/truth"] if wanted else []
