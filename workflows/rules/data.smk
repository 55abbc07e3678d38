rule prepare:
    input:
        code=dataset_code,
    output:
        about=LAYOUT.description("{dataset}"),
        images=directory(LAYOUT.images("{dataset}")),
        masks=directory(LAYOUT.masks("{dataset}")),
        truth=directory(LAYOUT.truth("{dataset}")),
    log:
        LAYOUT.log("prepare", "{dataset}"),
    priority: 20
    params:
        spec=SPEC_FILES.path_function(PLAN.prepare),
    shell:
        '"$WARPBENCH_PYTHON" -m workflows.prepare {params.spec:q} 2>&1 | tee {log}'


rule data:
    """Every data set of the profile that can be had; the end says what the others lack, so it always runs."""
    input:
        lambda wildcards: [
            LAYOUT.description(name) for name in lacking.obtainable(PLAN)
        ],
    shell:
        ":"


rule train:
    input:
        about=LAYOUT.description("{dataset}"),
        images=LAYOUT.images("{dataset}"),
        masks=LAYOUT.masks("{dataset}"),
        teacher=PLAN.teacher,
        watched=PLAN.watched,
        code=PLAN.training_code,
    output:
        TRAINING.outcome,
    log:
        LAYOUT.log("train", "{dataset}", "{method}", "seed{seed}"),
    priority: 10
    resources:
        gpu=PLAN.training_gpus,
    params:
        spec=SPEC_FILES.path_function(PLAN.train),
    shell:
        '"$WARPBENCH_PYTHON" -m workflows.train {params.spec:q} --threads {threads} 2>&1 | tee {log}'
