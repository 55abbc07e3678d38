def prepare_spec(wildcards, output):
    entry = SETTINGS.dataset(wildcards.dataset)
    return as_json(
        name=wildcards.dataset,
        module=entry["module"],
        params=entry.get("params", {}),
        folder=os.path.dirname(output.about),
    )


def dataset_code(wildcards):
    return code(f"datasets.{SETTINGS.dataset(wildcards.dataset)['module']}")


rule prepare:
    input:
        code=dataset_code,
    output:
        about=f"{RESULTS}/data/{{dataset}}/dataset.json",
        images=directory(f"{RESULTS}/data/{{dataset}}/images"),
        masks=directory(f"{RESULTS}/data/{{dataset}}/masks"),
        truth=directory(f"{RESULTS}/data/{{dataset}}/truth"),
    log:
        f"{RESULTS}/logs/prepare/{{dataset}}.log",
    params:
        spec=prepare_spec,
    priority: 20
    shell:
        "{PYTHON} -m workflows.prepare {params.spec:q} > {log} 2>&1"


def train_spec(wildcards, input, output, threads):
    method, dataset = wildcards.method, wildcards.dataset
    return as_json(
        method=method,
        module=SETTINGS.module(method),
        params=SETTINGS.params(method, dataset),
        training=SETTINGS.training(method, dataset),
        device=SETTINGS.device,
        seed=int(wildcards.seed),
        threads=threads,
        dataset=os.path.dirname(input.about),
        folder=os.path.dirname(output[0]),
        sources=input.code,
        libraries=sources.libraries_of([SETTINGS.module(method)]),
    )


rule train:
    input:
        about=f"{RESULTS}/data/{{dataset}}/dataset.json",
        images=f"{RESULTS}/data/{{dataset}}/images",
        masks=f"{RESULTS}/data/{{dataset}}/masks",
        code=lambda wildcards: code(SETTINGS.module(wildcards.method)),
    output:
        f"{RESULTS}/models/{{dataset}}/{{method}}/seed{{seed}}/training.json",
    log:
        f"{RESULTS}/logs/train/{{dataset}}-{{method}}-seed{{seed}}.log",
    params:
        spec=train_spec,
    threads: 1
    resources:
        gpu=1 if SETTINGS.device == "cuda" else 0,
    priority: 10
    shell:
        "{PYTHON} -m workflows.train {params.spec:q} > {log} 2>&1"
