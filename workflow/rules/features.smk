"""Samples to features, through a foundation model or cheap ones.

Requires: results/{task}/{dataset}/samples.parquet, and the embedder's weights.
Makes: results/{task}/{dataset}/features.npz (also features.<baseline>.npz for training), with a
record of what they are in the .json beside it. What differs from run to run (device, throughput,
peak memory, self-check) is in the .json beside the log, which nothing compares.
New data take over the precision of the model that is there, if it is: no input, or they would have
to wait for its training, on the same machine in the same precision.
A job takes one free GPU, or the CPU. All free ones of a node, in the profile:
`set-resources: {extract_features: {device: all}}`.
"""


rule extract_features:
    input:
        samples="results/{task}/{dataset}/samples.parquet",
        nodes=nodes_of,
        weights=weights,
        parts=parts,
    output:
        features="results/{task}/{dataset}/{features}.npz",
        record="results/{task}/{dataset}/{features}.json",
    log:
        text="logs/{task}/{dataset}/{features}.log",
        run="logs/{task}/{dataset}/{features}.json",
    priority: PRIORITY["extract_features"]
    conda:
        "../../envs/bioloom.yaml"
    # Half of the machine: two such jobs side by side beat one on all cores.
    threads: max(1, workflow.cores // 2)
    resources:
        device="auto",
    params:
        application=application,
        options=lambda wildcards: to_json(task_of(wildcards).features_sections[wildcards.features]),
        model=model_of_new_data,
        code=lambda wildcards: code_hash(
            "extract_features",
            task_of(wildcards),
            features=task_of(wildcards).features_sections[wildcards.features],
        ),
    shell:
        'python "$BIOLOOM_SCRIPTS/extract_features.py" --application {params.application}'
        " --samples {input.samples} --nodes {input.nodes:q} --options {params.options:q}"
        " --weights {input.weights:q} --model {params.model:q} --device {resources.device}"
        " --features {output.features} --record {output.record} --run-record {log.run}"
        " 2>&1 | tee {log.text}"
