rule register:
    input:
        about=f"{RESULTS}/data/{{dataset}}/dataset.json",
        images=f"{RESULTS}/data/{{dataset}}/images",
        masks=f"{RESULTS}/data/{{dataset}}/masks",
        truth=PLAN.truth,
        training=PLAN.training,
        code=PLAN.method_code,
    output:
        f"{RESULTS}/runs/{{dataset}}/{{method}}/seed{{seed}}/chunk{{chunk}}/registrations.json",
    log:
        f"{RESULTS}/logs/register/{{dataset}}-{{method}}-seed{{seed}}-chunk{{chunk}}.log",
    resources:
        gpu=lambda wildcards: PLAN.gpus(wildcards.method),
    params:
        spec=PLAN.register,
    shell:
        "{PYTHON} -m workflows.register {params.spec:q} --threads {threads} 2>&1 | tee {log}"


rule evaluate:
    input:
        registrations=rules.register.output[0],
        about=f"{RESULTS}/data/{{dataset}}/dataset.json",
        truth=f"{RESULTS}/data/{{dataset}}/truth",
        code=plan.code("workflows.evaluate"),
    output:
        f"{RESULTS}/runs/{{dataset}}/{{method}}/seed{{seed}}/chunk{{chunk}}/metrics.parquet",
    log:
        f"{RESULTS}/logs/evaluate/{{dataset}}-{{method}}-seed{{seed}}-chunk{{chunk}}.log",
    priority: 30  # before anything else makes more displacements
    params:
        spec=PLAN.evaluate,
    shell:
        "{PYTHON} -m workflows.evaluate {params.spec:q} > {log} 2>&1"


rule collect:
    input:
        metrics=PLAN.all_chunks("metrics.parquet"),
        registrations=PLAN.all_chunks("registrations.json"),
        code=plan.code("workflows.collect"),
    output:
        metrics=f"{RESULTS}/metrics.parquet",
        runs=f"{RESULTS}/runs.parquet",
    log:
        f"{RESULTS}/logs/collect.log",
    params:
        spec=PLAN.collect,
    shell:
        "{PYTHON} -m workflows.collect {params.spec:q} > {log} 2>&1"
