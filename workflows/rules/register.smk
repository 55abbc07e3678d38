rule register:
    input:
        about=LAYOUT.description("{dataset}"),
        images=LAYOUT.images("{dataset}"),
        masks=LAYOUT.masks("{dataset}"),
        truth=LAYOUT.truth("{dataset}"),  # judged by when the method is done
        training=PLAN.training,
        code=PLAN.method_code,
        given=PLAN.given_files,
        judge=code.files_of("workflows.evaluate"),
    output:
        registrations=CHUNK.registrations,
        metrics=CHUNK.metrics,
    log:
        LAYOUT.log("register", "{dataset}", "{method}", "seed{seed}", "chunk{chunk}"),
    resources:
        gpu=lambda wildcards: PLAN.gpus(wildcards.method),
    params:
        spec=SPEC_FILES.path_function(PLAN.register),
    shell:
        '"$WARPBENCH_PYTHON" -m workflows.register {params.spec:q} --threads {threads} 2>&1 | tee {log}'


rule collect:
    input:
        metrics=PLAN.all_metrics(),
        registrations=PLAN.all_registrations(),
        code=code.files_of("workflows.collect"),
    output:
        metrics=LAYOUT.metrics,
        runs=LAYOUT.runs,
        unavailable=LAYOUT.unavailable,
    log:
        LAYOUT.log("collect"),
    params:
        spec=SPEC_FILES.path_function(PLAN.collect),
    shell:
        '"$WARPBENCH_PYTHON" -m workflows.collect {params.spec:q} > {log} 2>&1'
