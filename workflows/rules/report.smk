rule timing:
    """Alone on the machine: it starts when all other jobs but the report are done, and the report waits for it.

    That it takes every core would not do: Snakemake can start other jobs beside one that does.
    """
    input:
        timed=timed.inputs_of(PLAN.timing(NOWHERE)),
        # waited for, not read: a judge that changes times nothing again
        others=LAYOUT.runs if TIMED_ANEW else ancient(LAYOUT.runs),
        code=code.files_of("workflows.timing"),
    output:
        timing=LAYOUT.timing,
        networks=LAYOUT.networks,
    log:
        LAYOUT.log("timing"),
    threads: 1000  # every core that --cores grants
    params:
        spec=SPEC_FILES.path_function(PLAN.timing),
    shell:
        '"$WARPBENCH_PYTHON" -m workflows.timing {params.spec:q} --threads {threads} 2>&1 | tee {log}'


rule export:
    input:
        metrics=LAYOUT.metrics,
        runs=LAYOUT.runs,
        unavailable=LAYOUT.unavailable,
        timing=LAYOUT.timing,
        networks=LAYOUT.networks,
        trainings=PLAN.all_trainings(),
        code=code.files_of("workflows.archive.export"),
        papers=code.papers(),
    output:
        archive=LAYOUT.archive,
    log:
        LAYOUT.log("export"),
    params:
        spec=SPEC_FILES.path_function(PLAN.export),
    shell:
        '"$WARPBENCH_PYTHON" -m workflows.archive.export {params.spec:q} > {log} 2>&1'


rule report:
    input:
        archive=given.file_of(PLAN.given) if PLAN.given else LAYOUT.archive,
        code=code.files_of("workflows.archive.report"),
        templates=code.templates(),
    output:
        page=LAYOUT.report / reports.PAGE,
        failures=LAYOUT.report / reports.FAILURES,
        ledger=LAYOUT.report / reports.LEDGER,
        claims=LAYOUT.report / reports.CLAIMS,
        audit=LAYOUT.report / reports.AUDIT,
        tables=directory(LAYOUT.report / reports.TABLES),
        figures=directory(LAYOUT.report / reports.FIGURES),
        finished=touch(LAYOUT.finished),
    log:
        LAYOUT.log("report"),
    threads: 2
    params:
        spec=SPEC_FILES.path_function(PLAN.report),
    shell:
        '"$WARPBENCH_PYTHON" -m workflows.archive.report {params.spec:q} --threads {threads} > {log} 2>&1'
