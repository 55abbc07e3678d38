def register_spec(wildcards, input, output, threads):
    method, dataset = wildcards.method, wildcards.dataset
    return as_json(
        method=method,
        module=SETTINGS.module(method),
        params=SETTINGS.params(method, dataset),
        device=SETTINGS.device,
        seed=int(wildcards.seed),
        threads=threads,
        time_limit=SETTINGS.time_limit(method, dataset),
        dataset=dataset,
        data=os.path.dirname(input.about),
        chunk=int(wildcards.chunk),
        chunks=SETTINGS.dataset(dataset).get("chunks", 1),
        training=input.training[0] if input.training else None,
        truth=bool(input.truth),
        sources=input.code,
        libraries=sources.libraries_of([SETTINGS.module(method)]),
        folder=os.path.dirname(output[0]),
    )


rule register:
    input:
        about=f"{RESULTS}/data/{{dataset}}/dataset.json",
        images=f"{RESULTS}/data/{{dataset}}/images",
        masks=f"{RESULTS}/data/{{dataset}}/masks",
        truth=truth_of,
        training=training_of,
        code=method_code,
    output:
        f"{RESULTS}/runs/{{dataset}}/{{method}}/seed{{seed}}/chunk{{chunk}}/registrations.json",
    log:
        f"{RESULTS}/logs/register/{{dataset}}-{{method}}-seed{{seed}}-chunk{{chunk}}.log",
    params:
        spec=register_spec,
    threads: 1
    resources:
        gpu=1 if SETTINGS.device == "cuda" else 0,
    shell:
        "{PYTHON} -m workflows.register {params.spec:q} > {log} 2>&1"


def evaluate_spec(wildcards, input, output):
    return as_json(
        registrations=input.registrations,
        data=os.path.dirname(input.about),
        dataset=wildcards.dataset,
        method=wildcards.method,
        seed=int(wildcards.seed),
        chunk=int(wildcards.chunk),
        out=output[0],
    )


rule evaluate:
    input:
        registrations=rules.register.output[0],
        about=f"{RESULTS}/data/{{dataset}}/dataset.json",
        truth=f"{RESULTS}/data/{{dataset}}/truth",
        code=code("workflows.evaluate"),
    output:
        f"{RESULTS}/runs/{{dataset}}/{{method}}/seed{{seed}}/chunk{{chunk}}/metrics.parquet",
    log:
        f"{RESULTS}/logs/evaluate/{{dataset}}-{{method}}-seed{{seed}}-chunk{{chunk}}.log",
    params:
        spec=evaluate_spec,
    shell:
        "{PYTHON} -m workflows.evaluate {params.spec:q} > {log} 2>&1"


rule collect:
    input:
        metrics=all_chunks("metrics.parquet"),
        registrations=all_chunks("registrations.json"),
        code=code("workflows.collect"),
    output:
        metrics=f"{RESULTS}/metrics.parquet",
        runs=f"{RESULTS}/runs.parquet",
    log:
        f"{RESULTS}/logs/collect.log",
    params:
        spec=lambda wildcards, input: as_json(
            metrics=input.metrics, registrations=input.registrations, folder=RESULTS
        ),
    shell:
        "{PYTHON} -m workflows.collect {params.spec:q} > {log} 2>&1"
