"""Predictions in the forms of the field: states as FASTA, structures as mmCIF and
PDB, corrected reads as FASTQ, an assembly as FASTA and GFA.

Requires: results/{task}/{dataset}/predictions.parquet of an application that has `write`;
the sources of the data set, for what a header or a reference must say.
Makes: results/{task}/{dataset}/export/.
"""


rule export:
    input:
        samples="results/{task}/{dataset}/samples.parquet",
        predictions="results/{task}/{dataset}/predictions.parquet",
        sources=lambda wildcards: task_of(wildcards).raw_files(wildcards.dataset),
    output:
        folder=directory("results/{task}/{dataset}/export"),
    log:
        "logs/{task}/{dataset}/export.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=application,
        files=source_files,
        options=ingest_options,
        code=code("export"),
    shell:
        'python "$BIOLOOM_SCRIPTS/export.py" --application {params.application} --files {params.files:q}'
        " --options {params.options:q} --samples {input.samples} --predictions {input.predictions}"
        " --folder {output.folder} 2>&1 | tee {log}"
