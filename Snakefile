"""WarpBench: from images to tables. `snakemake --cores all report` makes the mini profile; others by --configfile."""

from snakemake.utils import min_version

min_version("9.19")


include: "workflows/rules/common.smk"
include: "workflows/rules/data.smk"
include: "workflows/rules/register.smk"
include: "workflows/rules/report.smk"


onerror:
    for line in guard.faults(LAYOUT.logs, STARTED):
        sys.stderr.write(f"WarpBench: {line}\n")


rule all:
    default_target: True
    input:
        rules.report.output,
