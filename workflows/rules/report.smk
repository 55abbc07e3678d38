def timing_spec(wildcards, input, output, threads):
    methods = SETTINGS.config["timing"].get("methods", SETTINGS.methods)
    runs = [
        dict(
            method=method,
            module=SETTINGS.module(method),
            params=SETTINGS.params(method, dataset),
            needs=SETTINGS.needs(method),
            seed=SETTINGS.seeds[0],
            device=SETTINGS.device,
            time_limit=SETTINGS.time_limit(method, dataset),
            dataset=dataset,
            data=f"{RESULTS}/data/{dataset}",
            training=next(iter(timed_training(method, dataset)), None),
        )
        for dataset in SETTINGS.config["timing"]["datasets"]
        for method in methods
        if (method, dataset) in SETTINGS.runs and SETTINGS.method(method)["kind"] != "control"
    ]
    plan = {name: SETTINGS.config["timing"][name] for name in ("pairs", "rounds")}
    return as_json(runs=runs, threads=sorted({1, threads}), out=output[0], log=str(Path(RESULTS, "logs")), **plan)


def timed_training(method, dataset):
    if not SETTINGS.trains(method):
        return []
    folder = SETTINGS.train_on(method, dataset)
    return [f"{RESULTS}/models/{folder}/{method}/seed{SETTINGS.seeds[0]}/training.json"]


rule timing:
    """Alone on the machine: it takes every core, and starts when the accuracy runs are done."""
    input:
        registrations=all_chunks("registrations.json"),
        code=code("workflows.timing"),
    output:
        f"{RESULTS}/timing.parquet",
    log:
        f"{RESULTS}/logs/timing.log",
    params:
        spec=timing_spec,
    threads: 1000  # every core that --cores grants
    shell:
        "{PYTHON} -m workflows.timing {params.spec:q} > {log} 2>&1"


def report_spec(wildcards, input, output):
    return as_json(
        profile=SETTINGS.profile,
        metrics=input.metrics,
        runs=input.runs,
        timing=input.timing,
        trainings=input.trainings,
        datasets={name: f"{RESULTS}/data/{name}" for name in SETTINGS.datasets},
        methods={name: {k: SETTINGS.method(name).get(k, "") for k in ("label", "kind", "cite")} for name in SETTINGS.methods},
        results=RESULTS,
        folder=os.path.dirname(output.page),
    )


rule report:
    input:
        metrics=f"{RESULTS}/metrics.parquet",
        runs=f"{RESULTS}/runs.parquet",
        timing=f"{RESULTS}/timing.parquet",
        trainings=all_trainings("training.json"),
        data=[f"{RESULTS}/data/{name}/dataset.json" for name in SETTINGS.datasets],
        code=code("workflows.report"),
        templates=sorted(os.path.relpath(path) for path in (sources.ROOT / "reports" / "templates").iterdir()),
    output:
        page=f"{RESULTS}/report/index.html",
        tables=directory(f"{RESULTS}/report/tables"),
        figures=directory(f"{RESULTS}/report/figures"),
        failures=f"{RESULTS}/report/failures.csv",
    log:
        f"{RESULTS}/logs/report.log",
    params:
        spec=report_spec,
    shell:
        "{PYTHON} -m workflows.report {params.spec:q} > {log} 2>&1"
