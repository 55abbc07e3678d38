rule regression:
    """Always runs: it has no output, so that each call measures speed anew."""
    input:
        metrics=LAYOUT.metrics,
        unavailable=LAYOUT.unavailable,
    log:
        LAYOUT.log("regression"),
    threads: 1000  # alone on the machine
    params:
        spec=SPEC_FILES.path_function(PLAN.regression),
    shell:
        '"$WARPBENCH_PYTHON" -m workflows.regression {params.spec:q} 2>&1 | tee {log}'
