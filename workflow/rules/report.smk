"""Everything measured, in one page that opens offline.

Requires: metrics, plots, leakage, explanation, model and records of every task.
Makes: results/report.html.
"""


rule report:
    input:
        [file for task in TASKS.values() for file in task.report_files.values()],
    output:
        "results/report.html",
    log:
        "logs/report.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        files=to_json({name: task.report_files for name, task in TASKS.items()}),
        about=to_json({name: task.described for name, task in TASKS.items()}),
        code=code_hash("report", *TASKS.values()),
    shell:
        "python {SCRIPTS:q}/report.py --files {params.files:q} --about {params.about:q}"
        " --report {output} 2>&1 | tee {log}"
