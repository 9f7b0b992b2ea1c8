"""Unlabelled sequences to a foundation model of one's own.

Requires: the corpora named under `pretrain` in the config.
Makes: results/pretrained/{pretrained}/, which `features: {embedder: huggingface, model: <it>}`
reads. What differs from run to run (device, speed) is in the .json beside the log, which nothing
compares. On a node with 4 GPUs, in the profile:
`set-resources: {pretrain: {launcher: "torchrun --standalone --nproc-per-node=4"}}`.
"""

PRETRAIN = config.get("pretrain", {})


rule pretrain:
    input:
        corpora=lambda wildcards: corpus_files(PRETRAIN[wildcards.pretrained]).values(),
    output:
        model=directory("results/pretrained/{pretrained}"),
    log:
        text="logs/pretrained/{pretrained}.log",
        run="logs/pretrained/{pretrained}.json",
    conda:
        "../../envs/bioloom.yaml"
    priority: PRIORITY["pretrain"]
    threads: 2
    resources:
        launcher="python",
    params:
        files=lambda wildcards: section_json(corpus_files(PRETRAIN[wildcards.pretrained])),
        options=lambda wildcards: section_json(pretrain_section(PRETRAIN[wildcards.pretrained])),
        seed=lambda wildcards: PRETRAIN[wildcards.pretrained].get("seed", config["seed"]),
        code=code_hash("pretrain"),
    shell:
        "{resources.launcher} scripts/pretrain.py --files {params.files:q}"
        " --options {params.options:q} --seed {params.seed} --threads {threads}"
        " --code {params.code} --model {output.model} --run-record {log.run}"
        " 2>&1 | tee {log.text}"
