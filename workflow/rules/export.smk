"""Predictions in the forms of the field: states as FASTA, structures as mmCIF and
PDB, pairs as they were given, corrected reads as FASTQ, an assembly as FASTA and GFA, variants as VCF.

Requires: results/{task}/{dataset}/predictions.parquet of an application that has `write`;
the sources of the data set, for what a header or a reference must say.
Makes: results/{task}/{dataset}/export/. Of a data set that is done in parts, predictions and
exports are in results/{task}/{dataset}/part_<n>/, and are joined to its own.
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


ruleorder: join_parts > predict
ruleorder: join_exports > export


rule join_parts:
    input:
        lambda wildcards: parts_of(wildcards, "predictions.parquet"),
    output:
        predictions="results/{task}/{dataset}/predictions.parquet",
        table="results/{task}/{dataset}/predictions.csv",
    log:
        "logs/{task}/{dataset}/join_parts.log",
    wildcard_constraints:
        dataset=PARTED or "(?!)",
    conda:
        "../../envs/bioloom.yaml"
    params:
        code=code("join_parts"),
    shell:
        'python "$BIOLOOM_SCRIPTS/join_parts.py" --parts {input} --predictions {output.predictions}'
        " --table {output.table} 2>&1 | tee {log}"


rule join_exports:
    input:
        exports=lambda wildcards: parts_of(wildcards, "export"),
        checked="results/{task}/{dataset}/predictions.parquet",
    output:
        folder=directory("results/{task}/{dataset}/export"),
    log:
        "logs/{task}/{dataset}/join_exports.log",
    wildcard_constraints:
        dataset=PARTED or "(?!)",
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=application,
        code=code("join_exports"),
    shell:
        'python "$BIOLOOM_SCRIPTS/join_exports.py" --application {params.application} --parts {input.exports}'
        " --folder {output.folder} 2>&1 | tee {log}"
