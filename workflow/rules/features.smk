"""Samples to features, through a foundation model or cheap ones.

Requires: results/{task}/{dataset}/samples.parquet, and the embedder's weights.
Makes: results/{task}/{dataset}/features.npz (for training also features.<baseline>.npz, one for each
different section of baselines), with a record of what they are in the .json beside it. What differs
from run to run (device, throughput, peak memory, self-check) is in the .json beside the log, which
nothing compares.
New data take over the precision of the model that is there, if it is: no input, or they would have
to wait for its training, on the same machine in the same precision.
A job takes one free GPU, or the CPU. All free ones of a node, in the profile:
`set-resources: {extract_features: {device: all}}`.

Of a large data set several jobs, on several machines, can embed a chunk each before, in the profile
`set-scatter: {chunks: 8}`. They leave vectors in the store, in which extract_features then finds
all; the files that say so are temporary. Another number of them changes no stored vector, and makes
nothing anew.
"""


scattergather:
    chunks=1,


# Only for the features that ask for it: what has become of its own inputs is no reason.
rule embed_chunk:
    input:
        samples=ancient("results/{task}/{dataset}/samples.parquet"),
        nodes=ancient(nodes_of),
        weights=ancient(weights),
        parts=ancient(parts),
    output:
        temp(touch(f"results/{{task}}/{{dataset}}/{{features}}.{{scatteritem}}{CHUNK}")),
    log:
        text="logs/{task}/{dataset}/{features}.{scatteritem}.log",
        run="logs/{task}/{dataset}/{features}.{scatteritem}.json",
    priority: PRIORITY["extract_features"]
    conda:
        "../../envs/bioloom.yaml"
    threads: max(1, workflow.cores // 2)
    resources:
        device="auto",
    params:
        application=application,
        options=features_options,
        model=model_of_new_data,
        code=features_code("embed_chunk"),
    shell:
        'python "$BIOLOOM_SCRIPTS/embed_chunk.py" --application {params.application}'
        " --samples {input.samples} --nodes {input.nodes:q} --options {params.options:q}"
        " --weights {input.weights:q} --model {params.model:q} --chunk {wildcards.scatteritem}"
        " --device {resources.device} --run-record {log.run} 2>&1 | tee {log.text}"


rule extract_features:
    input:
        samples="results/{task}/{dataset}/samples.parquet",
        nodes=nodes_of,
        weights=weights,
        parts=parts,
        chunks=chunks,
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
        options=features_options,
        model=model_of_new_data,
        code=features_code("extract_features"),
    shell:
        'python "$BIOLOOM_SCRIPTS/extract_features.py" --application {params.application}'
        " --samples {input.samples} --nodes {input.nodes:q} --options {params.options:q}"
        " --weights {input.weights:q} --model {params.model:q} --device {resources.device}"
        " --features {output.features} --record {output.record} --run-record {log.run}"
        " 2>&1 | tee {log.text}"
