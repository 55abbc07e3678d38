import os
import sys
import time
from pathlib import Path

from workflows.configuration import settings, sources
from workflows.planning import plan
from workflows.running import guard, supervisor

try:
    PLAN = plan.Plan(settings.resolve(config, workflow.config_settings.configfiles))
    RESULTS = PLAN.results
    if workflow.is_main_process and not guard.only_looking(sys.argv[1:]):
        guard.check_writable(Path(RESULTS))
        CLAIM = guard.hold(Path("."))
except settings.SettingsError as error:
    sys.exit(f"WarpBench: {error}")

if workflow.is_main_process:
    supervisor.announce_runner()
# The steps run as `python -m workflows.<step>`, from whatever directory the run was started in.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(sources.ROOT), os.environ.get("PYTHONPATH")])
)
PYTHON = sys.executable
STARTED = time.time()


wildcard_constraints:
    dataset="[a-z0-9][a-z0-9-]*",
    method="[a-z0-9][a-z0-9-]*",
    seed=r"\d+",
    chunk=r"\d+",
