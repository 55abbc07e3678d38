"""WarpBench: from images to tables. `snakemake --cores all report` makes the mini profile; others by --configfile."""

from snakemake.utils import min_version

min_version("9.19")


include: "workflows/rules/common.smk"
include: "workflows/rules/data.smk"
include: "workflows/rules/register.smk"
include: "workflows/rules/report.smk"
include: "workflows/rules/regression.smk"


onstart:
    look_ahead()
    runner.stop_steps_when_stopped()
    forget_forced()
    if (
        asks_for_data()
    ):  # what cannot be fetched keeps none of the others from being prepared
        workflow.scheduler.keepgoing = True
    if workflow.local_exec:  # a cluster may want its limit
        runner.calm(workflow.scheduler)


onsuccess:
    meter.keep_runner(LAYOUT.results)
    if lines := unavailable.forget(PLAN):
        sys.exit("\n".join(f"WarpBench: {line}" for line in lines))
    if asks_for_data() and (lines := lacking.lines(PLAN)):
        sys.exit("WarpBench: " + "\n".join(lines))


onerror:
    meter.keep_runner(LAYOUT.results)
    for line in dict.fromkeys(
        [
            *guard.errors_in_logs(LAYOUT.logs, LOGS_BEFORE),
            *machine.surroundings_fault(LAYOUT.results),
            *unavailable.forget(PLAN),
        ]
    ):
        sys.stderr.write(f"WarpBench: {line}\n")
    if asks_for_data() and (lines := lacking.lines(PLAN)):
        sys.stderr.write("WarpBench: " + "\n".join(lines) + "\n")


rule all:
    default_target: True
    input:
        rules.report.output,
