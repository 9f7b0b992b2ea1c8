"""A foundation model to one that knows the task: `features: {finetune: lora}`.

Requires: results/{task}/training/samples.parquet, splits.parquet, and the embedder's weights.
Makes: results/{task}/finetuned/, from which the task's features are made; those of its baseline
`frozen` come from the weights as they were.
"""


rule finetune:
    input:
        samples="results/{task}/training/samples.parquet",
        splits="results/{task}/splits.parquet",
        weights=pretrained_weights,
        parts=pretrained_parts,
    output:
        model=directory("results/{task}/finetuned"),
    log:
        "logs/{task}/finetune.log",
    priority: PRIORITY["finetune"]
    conda:
        "../../envs/bioloom.yaml"
    threads: max(1, workflow.cores // 2)
    params:
        application=application,
        kinds=lambda wildcards: task_of(wildcards).kind_names,
        embedder=lambda wildcards: to_json(task_of(wildcards).finetuned_embedder),
        options=lambda wildcards: to_json(task_of(wildcards).finetune_options),
        seed=PROJECT.seed,
        code=code("finetune"),
    shell:
        'python "$BIOLOOM_SCRIPTS/finetune.py" --task {wildcards.task} --application {params.application}'
        " --kinds {params.kinds}"
        " --samples {input.samples} --splits {input.splits} --weights {input.weights:q}"
        " --embedder {params.embedder:q} --options {params.options:q} --seed {params.seed}"
        " --model {output.model} 2>&1 | tee {log}"
