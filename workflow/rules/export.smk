"""Predictions in the forms of the field: states as FASTA, structures as mmCIF and PDB.

Requires: results/{task}/{dataset}/predictions.parquet of an application that has `write`.
Makes: results/{task}/{dataset}/export/.
"""


rule export:
    input:
        samples="results/{task}/{dataset}/samples.parquet",
        predictions="results/{task}/{dataset}/predictions.parquet",
    output:
        folder=directory("results/{task}/{dataset}/export"),
    log:
        "logs/{task}/{dataset}/export.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=application,
        code=code("export"),
    shell:
        "python {SCRIPTS:q}/export.py --application {params.application} --samples {input.samples}"
        " --predictions {input.predictions} --folder {output.folder} 2>&1 | tee {log}"
