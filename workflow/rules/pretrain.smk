"""Unlabelled sequences to a foundation model of one's own.

Requires: the corpora named under `pretrain` in the config.
Makes: results/pretrained/{pretrained}/, which `features: {embedder: huggingface, model: <it>}`
reads. What differs from run to run (device, speed) is in the .json beside the log, which nothing
compares. On a node with 4 GPUs, in the profile:
`set-resources: {pretrain: {launcher: "torchrun --standalone --nproc-per-node=4"}}`.
"""


rule pretrain:
    input:
        corpora=lambda wildcards: PROJECT.corpus_files(wildcards.pretrained).values(),
    output:
        model=directory("results/pretrained/{pretrained}"),
    log:
        text="logs/pretrained/{pretrained}.log",
        run="logs/pretrained/{pretrained}.json",
    priority: PRIORITY["pretrain"]
    conda:
        "../../envs/bioloom.yaml"
    threads: 2
    resources:
        launcher="python",
    params:
        files=lambda wildcards: to_json(PROJECT.corpus_files(wildcards.pretrained)),
        options=lambda wildcards: to_json(PROJECT.pretrain_options(wildcards.pretrained)),
        seed=lambda wildcards: PROJECT.pretrain[wildcards.pretrained].get("seed", PROJECT.seed),
        code=code_hash("pretrain"),
    shell:
        '{resources.launcher} "$BIOLOOM_SCRIPTS/pretrain.py" --files {params.files:q}'
        " --options {params.options:q} --seed {params.seed} --threads {threads}"
        " --code {params.code} --model {output.model} --run-record {log.run}"
        " 2>&1 | tee {log.text}"
