rule prepare:
    input:
        code=PLAN.dataset_code,
    output:
        about=f"{RESULTS}/data/{{dataset}}/dataset.json",
        images=directory(f"{RESULTS}/data/{{dataset}}/images"),
        masks=directory(f"{RESULTS}/data/{{dataset}}/masks"),
        truth=directory(f"{RESULTS}/data/{{dataset}}/truth"),
    log:
        f"{RESULTS}/logs/prepare/{{dataset}}.log",
    priority: 20
    params:
        spec=PLAN.prepare,
    shell:
        "{PYTHON} -m workflows.prepare {params.spec:q} 2>&1 | tee {log}"


rule train:
    input:
        about=f"{RESULTS}/data/{{dataset}}/dataset.json",
        images=f"{RESULTS}/data/{{dataset}}/images",
        masks=f"{RESULTS}/data/{{dataset}}/masks",
        teacher=PLAN.teacher,
        watched=PLAN.watched,
        code=PLAN.training_code,
    output:
        f"{RESULTS}/models/{{dataset}}/{{method}}/seed{{seed}}/training.json",
    log:
        f"{RESULTS}/logs/train/{{dataset}}-{{method}}-seed{{seed}}.log",
    priority: 10
    resources:
        gpu=PLAN.training_gpus,
    params:
        spec=PLAN.train,
    shell:
        "{PYTHON} -m workflows.train {params.spec:q} --threads {threads} 2>&1 | tee {log}"
