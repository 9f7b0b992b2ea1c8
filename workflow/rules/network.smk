"""Networks: predicted links in the forms of the field.

Requires: samples, nodes and predictions of a task whose samples are links.
Makes: results/{task}/{dataset}/links.tsv (best first) and links.graphml.
"""


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
        'python "$BIOLOOM_SCRIPTS/rank_links.py" --application {params.application} --samples {input.samples}'
        " --nodes {input.nodes} --predictions {input.predictions} --ranked {output.ranked}"
        " --graph {output.graph} 2>&1 | tee {log}"
