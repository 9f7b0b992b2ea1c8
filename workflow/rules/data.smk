"""Raw data to split samples.

Requires: the sources named under `datasets` in the task files.
Makes: resources/* (remote sources), results/{task}/{dataset}/{raw,nodes,samples,dropped}.parquet,
notes.json and quality.json, results/{task}/splits.parquet, leakage.json and leakage.parquet.
"""


localrules:
    fetch,


rule fetch:
    output:
        "resources/{sha256}/{name}",
    log:
        "logs/fetch/{sha256}/{name}.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        source=fetched_source,
    shell:
        'python "$BIOLOOM_SCRIPTS/fetch.py" --source {params.source:q} --output {output:q} 2>&1 | tee {log}'


rule ingest:
    input:
        lambda wildcards: task_of(wildcards).raw_files(wildcards.dataset),
    output:
        raw="results/{task}/{dataset}/raw.parquet",
        nodes="results/{task}/{dataset}/nodes.parquet",
        notes="results/{task}/{dataset}/notes.json",
    log:
        "logs/{task}/{dataset}/ingest.log",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=application,
        files=source_files,
        options=ingest_options,
        code=code("ingest"),
    shell:
        'python "$BIOLOOM_SCRIPTS/ingest.py" --application {params.application} --files {params.files:q}'
        " --options {params.options:q} --raw {output.raw} --nodes {output.nodes}"
        " --notes {output.notes} 2>&1 | tee {log}"


rule clean:
    input:
        raw="results/{task}/{dataset}/raw.parquet",
        notes="results/{task}/{dataset}/notes.json",
    output:
        samples="results/{task}/{dataset}/samples.parquet",
        dropped="results/{task}/{dataset}/dropped.parquet",
        quality="results/{task}/{dataset}/quality.json",
    log:
        "logs/{task}/{dataset}/clean.log",
    priority: PRIORITY["clean"]
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=application,
        options=section("clean", "clean"),
        code=code("clean"),
    shell:
        'python "$BIOLOOM_SCRIPTS/clean.py" --application {params.application}'
        " --dataset {wildcards.dataset} --raw {input.raw} --notes {input.notes} --options {params.options:q}"
        " --samples {output.samples} --dropped {output.dropped} --quality {output.quality}"
        " 2>&1 | tee {log}"


rule split:
    input:
        samples="results/{task}/training/samples.parquet",
        nodes=nodes_of,
    output:
        splits="results/{task}/splits.parquet",
        leakage="results/{task}/leakage.json",
        nearest="results/{task}/leakage.parquet",
    log:
        "logs/{task}/split.log",
    priority: PRIORITY["split"]
    conda:
        "../../envs/bioloom.yaml"
    threads: max(1, workflow.cores // 2)
    params:
        application=application,
        options=section("split", "split"),
        audit=section("split", "leakage"),
        seed=PROJECT.seed,
        code=code("split"),
    shell:
        'python "$BIOLOOM_SCRIPTS/split.py" --application {params.application} --samples {input.samples}'
        " --nodes {input.nodes:q} --options {params.options:q} --audit {params.audit:q} --seed {params.seed}"
        " --splits {output.splits} --leakage {output.leakage} --nearest {output.nearest}"
        " 2>&1 | tee {log}"
