"""Everything measured, in pages that open offline, and a reporting record a task.

Requires: metrics, plots, leakage, explanation, model, predictions, records and assemblies of every
task.
Makes: results/{task}/task.yaml, the task with all that was filled in; results/{task}/report.html,
its page, and results/records/{task}.md, what reporting guidelines ask for; results/report.html,
which leads to the pages. A task that did not change is not drawn again.
"""

OVERVIEW = "results/report.html"


localrules:
    describe,


rule describe:
    output:
        task="results/{task}/task.yaml",
    log:
        "logs/{task}/describe.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        content=lambda wildcards: to_json(task_of(wildcards).seen("describe")),
        filled=lambda wildcards: PROJECT.filled_in(wildcards.task),
        code=code("describe"),
    shell:
        'python "$BIOLOOM_SCRIPTS/describe.py" --content {params.content:q}'
        " --filled {params.filled} --task {output.task} 2>&1 | tee {log}"


rule report_task:
    input:
        lambda wildcards: list(task_of(wildcards).report_files.values()),
    output:
        page="results/{task}/report.html",
        record="results/records/{task}.md",
    log:
        "logs/{task}/report_task.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        # Functions: in a text Snakemake would take a title's {braces} for wildcards.
        files=lambda wildcards: to_json(task_of(wildcards).report_files),
        about=lambda wildcards: to_json(task_of(wildcards).seen("report_task")),
        overview=OVERVIEW,
        code=code("report_task"),
    shell:
        'python "$BIOLOOM_SCRIPTS/report_task.py" --task {wildcards.task} --files {params.files:q}'
        " --about {params.about:q} --overview {params.overview} --page {output.page}"
        " --record {output.record} 2>&1 | tee {log}"


rule report:
    input:
        metrics=[task.path("metrics.json") for task in PROJECT.trained.values()],
        pages=[task.path("report.html") for task in PROJECT.trained.values()],
    output:
        report=OVERVIEW,
    log:
        "logs/report.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        files=lambda _: passed(
            to_json(
                {
                    name: {"metrics": task.path("metrics.json"), "page": task.path("report.html")}
                    for name, task in PROJECT.trained.items()
                }
            )
        ),
        titles=lambda _: passed(
            to_json({n: t.title for n, t in PROJECT.trained.items() if t.title})
        ),
        code=code_hash("report", *PROJECT.trained.values()),
    shell:
        'python "$BIOLOOM_SCRIPTS/report.py" --files {params.files:q} --titles {params.titles:q}'
        " --report {output.report} 2>&1 | tee {log}"
