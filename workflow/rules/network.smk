"""Networks: the nodes that pairs are made of, and predicted pairs in the forms of the field.

Requires: the sources named under `datasets` of a task whose samples are pairs; its predictions.
Makes: results/{task}/{dataset}/nodes.parquet, links.tsv (best first) and links.graphml.
"""


rule nodes:
    input:
        lambda wildcards: task_of(wildcards).raw_files(wildcards.dataset),
    output:
        nodes="results/{task}/{dataset}/nodes.parquet",
    log:
        "logs/{task}/{dataset}/nodes.log",
    priority: PRIORITY["nodes"]
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=application,
        files=source_files,
        options=dataset_options,
        code=code("nodes"),
    shell:
        "python {SCRIPTS:q}/nodes.py --application {params.application} --files {params.files:q}"
        " --options {params.options:q} --nodes {output.nodes} 2>&1 | tee {log}"


rule rank_links:
    input:
        samples="results/{task}/{dataset}/samples.parquet",
        nodes="results/{task}/{dataset}/nodes.parquet",
        predictions="results/{task}/{dataset}/predictions.parquet",
    output:
        ranked="results/{task}/{dataset}/links.tsv",
        graph="results/{task}/{dataset}/links.graphml",
    log:
        "logs/{task}/{dataset}/rank_links.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=application,
        code=code("rank_links"),
    shell:
        "python {SCRIPTS:q}/rank_links.py --application {params.application} --samples {input.samples}"
        " --nodes {input.nodes} --predictions {input.predictions} --ranked {output.ranked}"
        " --graph {output.graph} 2>&1 | tee {log}"
