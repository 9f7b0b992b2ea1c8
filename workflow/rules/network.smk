"""Networks: the nodes that pairs are made of, and predicted pairs in the forms of the field.

Requires: the sources named under `datasets` of a task whose samples are pairs; its predictions.
Makes: results/{task}/{dataset}/nodes.parquet, pairs.tsv (best first) and pairs.graphml.
"""


rule nodes:
    input:
        lambda wildcards: raw_files(task_of(wildcards), wildcards.dataset),
    output:
        nodes="results/{task}/{dataset}/nodes.parquet",
    log:
        "logs/{task}/{dataset}/nodes.log",
    benchmark:
        "benchmarks/{task}/{dataset}/nodes.tsv"
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=lambda wildcards: task_of(wildcards)["application"],
        files=lambda wildcards: section_json(source_files(task_of(wildcards), wildcards.dataset)),
        options=lambda wildcards: section_json(
            dataset_section(task_of(wildcards), wildcards.dataset)
        ),
        code=code("nodes"),
    shell:
        "python scripts/nodes.py --application {params.application} --files {params.files:q}"
        " --options {params.options:q} --nodes {output.nodes} 2>&1 | tee {log}"


rule rank_pairs:
    input:
        samples="results/{task}/{dataset}/samples.parquet",
        nodes="results/{task}/{dataset}/nodes.parquet",
        predictions="results/{task}/{dataset}/predictions.parquet",
    output:
        pairs="results/{task}/{dataset}/pairs.tsv",
        graph="results/{task}/{dataset}/pairs.graphml",
    log:
        "logs/{task}/{dataset}/rank_pairs.log",
    benchmark:
        "benchmarks/{task}/{dataset}/rank_pairs.tsv"
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=lambda wildcards: task_of(wildcards)["application"],
        code=code("rank_pairs"),
    shell:
        "python scripts/rank_pairs.py --application {params.application} --samples {input.samples}"
        " --nodes {input.nodes} --predictions {input.predictions} --pairs {output.pairs}"
        " --graph {output.graph} 2>&1 | tee {log}"
