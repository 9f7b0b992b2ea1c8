"""Everything measured, in one page that opens offline, and a reporting record a task.

Requires: metrics, plots, leakage, explanation, model and records of every task.
Makes: results/{task}/task.yaml, the task with all that was filled in, results/report.html, and
results/records/{task}.md, what reporting guidelines ask for.
"""


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
        code=code("describe"),
    shell:
        'python "$BIOLOOM_SCRIPTS/describe.py" --content {params.content:q} --task {output.task}'
        " 2>&1 | tee {log}"


rule report:
    input:
        [file for task in PROJECT.trained.values() for file in task.report_files.values()],
    output:
        report="results/report.html",
        records=directory("results/records"),
    log:
        "logs/report.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        # Functions: in a text Snakemake would take a title's {braces} for wildcards.
        files=lambda _: to_json({name: task.report_files for name, task in PROJECT.trained.items()}),
        about=lambda _: to_json({n: task.seen("report") for n, task in PROJECT.trained.items()}),
        code=code_hash("report", *PROJECT.trained.values()),
    shell:
        'python "$BIOLOOM_SCRIPTS/report.py" --files {params.files:q} --about {params.about:q}'
        " --report {output.report} --records {output.records} 2>&1 | tee {log}"
