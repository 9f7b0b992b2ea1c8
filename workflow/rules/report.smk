"""Everything measured, in one page that opens offline.

Requires: metrics, plots, leakage, explanation, model and records of every task.
Makes: results/report.html.
"""


rule report:
    input:
        [file for task in TASKS for file in report_files(task).values()],
    output:
        "results/report.html",
    log:
        "logs/report.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        files=section_json({task: report_files(task) for task in TASKS}),
        about=section_json(
            {
                task: {key: TASKS[task][key] for key in ("title", "about") if key in TASKS[task]}
                for task in TASKS
            }
        ),
        code=code_hash("report"),
    shell:
        "python scripts/report.py --files {params.files:q} --about {params.about:q}"
        " --report {output} 2>&1 | tee {log}"
