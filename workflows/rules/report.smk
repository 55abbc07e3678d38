rule timing:
    """Alone on the machine: it takes every core, and starts when the accuracy runs are done."""
    input:
        registrations=PLAN.all_chunks("registrations.json"),
        code=plan.code("workflows.timing"),
    output:
        f"{RESULTS}/timing.parquet",
    log:
        f"{RESULTS}/logs/timing.log",
    threads: 1000  # every core that --cores grants
    params:
        spec=PLAN.timing,
    shell:
        "{PYTHON} -m workflows.timing {params.spec:q} --threads {threads} 2>&1 | tee {log}"


rule report:
    input:
        metrics=f"{RESULTS}/metrics.parquet",
        runs=f"{RESULTS}/runs.parquet",
        timing=f"{RESULTS}/timing.parquet",
        trainings=PLAN.all_trainings(),
        code=plan.code("workflows.report"),
        templates=plan.templates(),
    output:
        page=f"{RESULTS}/report/index.html",
        failures=f"{RESULTS}/report/failures.csv",
        ledger=f"{RESULTS}/report/ledger.csv",
        tables=directory(f"{RESULTS}/report/tables"),
        figures=directory(f"{RESULTS}/report/figures"),
    log:
        f"{RESULTS}/logs/report.log",
    params:
        spec=PLAN.report,
    shell:
        "{PYTHON} -m workflows.report {params.spec:q} > {log} 2>&1"
