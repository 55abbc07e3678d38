"""A run that is killed goes on with the same command."""

import json
import signal
import subprocess

from tests.processes import family_of, is_alive, wait_until, words_of
from tests.workflows.pipeline_inputs import N_PAIRS, TINY, command, records, run


def test_a_killed_run_goes_on_and_registers_nothing_twice(tmp_path):
    config = json.loads(json.dumps(TINY))
    config["timing"]["datasets"] = []
    process = subprocess.Popen(command(tmp_path, config=config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(records(tmp_path)) >= 3 or process.poll() is not None, 240)
    assert process.poll() is None
    family = family_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    workers = [each for each in family if "workflows." in " ".join(words_of(each))]
    wait_until(lambda: not any(map(is_alive, workers)), 10)
    kept = {(r["path"], r["pair"]): r["finished_utc"] for r in records(tmp_path)}
    done = run(tmp_path, "--until", "collect", config=config)
    assert done.returncode == 0, done.stdout + done.stderr
    after = records(tmp_path)
    keys = [(r["path"], r["pair"]) for r in after]
    assert len(keys) == len(set(keys)) == 3 * N_PAIRS
    assert kept.items() <= {(r["path"], r["pair"]): r["finished_utc"] for r in after}.items()
