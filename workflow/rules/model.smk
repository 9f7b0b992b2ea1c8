"""Features to a model, its honest evaluation, its explanation and predictions on new data.

Requires: results/{task}/splits.parquet, samples.parquet and features of training and new data.
A task without training data predicts with the model that it names, or that ships.
Makes: results/{task}/{model/,scored_model/,held_out.parquet,metrics.json,plots/,explanation.parquet} and
results/{task}/{dataset}/{predictions.{parquet,csv},drift.json}; of new data that are scored
results/{task}/{dataset}/{metrics.json,plots/}; results/{task}/learning_curve.parquet where the task
asks for one; of models that tell on what single answers rest
results/{task}/{dataset}/explanation/; of persons, where the data set says so,
results/{task}/{dataset}/pages/.
"""


rule train:
    input:
        samples="results/{task}/training/samples.parquet",
        splits="results/{task}/splits.parquet",
        features=lambda wildcards: task_of(wildcards).features_files(),
    output:
        model=directory("results/{task}/model"),
        scored_model=directory("results/{task}/scored_model"),
        held_out="results/{task}/held_out.parquet",
    log:
        "logs/{task}/train.log",
    priority: PRIORITY["train"]
    conda:
        "../../envs/bioloom.yaml"
    params:
        options=lambda wildcards: to_json(task_of(wildcards).seen("train")),
        reading=lambda wildcards: to_json(task_of(wildcards).reading),
        seed=PROJECT.seed,
        code=code("train"),
    shell:
        'python "$BIOLOOM_SCRIPTS/train.py" --samples {input.samples} --splits {input.splits}'
        " --features {input.features:q} --options {params.options:q} --reading {params.reading:q}"
        " --seed {params.seed} --model {output.model} --scored-model {output.scored_model}"
        " --held-out {output.held_out} 2>&1 | tee {log}"


rule learning_curve:
    input:
        samples="results/{task}/training/samples.parquet",
        splits="results/{task}/splits.parquet",
        features=lambda wildcards: task_of(wildcards).features_files(),
    output:
        answers="results/{task}/learning_curve.parquet",
    log:
        "logs/{task}/learning_curve.log",
    priority: PRIORITY["train"]
    conda:
        "../../envs/bioloom.yaml"
    params:
        options=lambda wildcards: to_json(task_of(wildcards).curve_options),
        seed=PROJECT.seed,
        code=code("learning_curve"),
    shell:
        'python "$BIOLOOM_SCRIPTS/learning_curve.py" --samples {input.samples}'
        " --splits {input.splits} --features {input.features:q} --options {params.options:q}"
        " --seed {params.seed} --answers {output.answers} 2>&1 | tee {log}"


rule evaluate:
    input:
        samples="results/{task}/training/samples.parquet",
        splits="results/{task}/splits.parquet",
        nearest="results/{task}/leakage.parquet",
        held_out="results/{task}/held_out.parquet",
        fewer=lambda wildcards: task_of(wildcards).learning_curve,
        nodes=nodes_of,
    output:
        metrics="results/{task}/metrics.json",
        plots=directory("results/{task}/plots"),
    log:
        "logs/{task}/evaluate.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=application,
        kinds=lambda wildcards: task_of(wildcards).kind_names,
        options=section("evaluate", "evaluate"),
        seed=PROJECT.seed,
        code=code("evaluate"),
    shell:
        'python "$BIOLOOM_SCRIPTS/evaluate.py" --task {wildcards.task} --application {params.application}'
        " --kinds {params.kinds}"
        " --samples {input.samples} --splits {input.splits} --nodes {input.nodes:q}"
        " --nearest {input.nearest} --held-out {input.held_out} --fewer {input.fewer}"
        " --options {params.options:q} --seed {params.seed} --metrics {output.metrics}"
        " --plots {output.plots} 2>&1 | tee {log}"


rule explain:
    input:
        samples="results/{task}/training/samples.parquet",
        splits="results/{task}/splits.parquet",
        features="results/{task}/training/features.npz",
        weights=weights,
        parts=parts,
        model="results/{task}/scored_model",
    output:
        explanation="results/{task}/explanation.parquet",
    log:
        "logs/{task}/explain.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=application,
        options=section("explain", "explain"),
        embedder=lambda wildcards: to_json(task_of(wildcards).features_sections["features"]),
        seed=PROJECT.seed,
        code=code("explain"),
    shell:
        'python "$BIOLOOM_SCRIPTS/explain.py" --application {params.application} --samples {input.samples}'
        " --splits {input.splits} --features {input.features} --weights {input.weights:q}"
        " --model {input.model} --options {params.options:q} --embedder {params.embedder:q}"
        " --seed {params.seed} --explanation {output.explanation} 2>&1 | tee {log}"


rule predict:
    input:
        samples="results/{task}/{dataset}/samples.parquet",
        dropped="results/{task}/{dataset}/dropped.parquet",
        features="results/{task}/{dataset}/features.npz",
        model=lambda wildcards: task_of(wildcards).model_folder,
    output:
        predictions="results/{task}/{dataset}/predictions.parquet",
        table="results/{task}/{dataset}/predictions.csv",
        drift="results/{task}/{dataset}/drift.json",
    log:
        "logs/{task}/{dataset}/predict.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        files=source_files,
        options=lambda wildcards: to_json(task_of(wildcards).at(wildcards.dataset)),
        code=code("predict"),
    shell:
        'python "$BIOLOOM_SCRIPTS/predict.py" --samples {input.samples} --dropped {input.dropped}'
        " --features {input.features} --model {input.model} --files {params.files:q}"
        " --options {params.options:q} --predictions {output.predictions} --table {output.table}"
        " --drift-file {output.drift} 2>&1 | tee {log}"


rule explain_rows:
    input:
        samples="results/{task}/{dataset}/samples.parquet",
        features="results/{task}/{dataset}/features.npz",
        model=lambda wildcards: task_of(wildcards).model_folder,
    output:
        folder=directory("results/{task}/{dataset}/explanation"),
    log:
        "logs/{task}/{dataset}/explain_rows.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        files=source_files,
        code=code("explain_rows"),
    shell:
        'python "$BIOLOOM_SCRIPTS/explain_rows.py" --samples {input.samples}'
        " --features {input.features} --model {input.model} --files {params.files:q}"
        " --folder {output.folder}"
        " 2>&1 | tee {log}"


rule pages:
    input:
        samples="results/{task}/{dataset}/samples.parquet",
        features="results/{task}/{dataset}/features.npz",
        predictions="results/{task}/{dataset}/predictions.parquet",
        model=lambda wildcards: task_of(wildcards).model_folder,
    output:
        folder=directory("results/{task}/{dataset}/pages"),
    log:
        "logs/{task}/{dataset}/pages.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        application=application,
        files=source_files,
        about=lambda wildcards: to_json(
            {"title": task_of(wildcards).heading, "about": task_of(wildcards).about}
        ),
        code=code("pages"),
    shell:
        'python "$BIOLOOM_SCRIPTS/pages.py" --application {params.application}'
        " --samples {input.samples} --features {input.features} --predictions {input.predictions}"
        " --model {input.model} --files {params.files:q} --about {params.about:q}"
        " --folder {output.folder} 2>&1 | tee {log}"


rule score:
    input:
        samples="results/{task}/training/samples.parquet",
        splits="results/{task}/splits.parquet",
        features=lambda wildcards: task_of(wildcards).features_files(),
        model="results/{task}/model",
        new="results/{task}/{dataset}/samples.parquet",
        raw="results/{task}/{dataset}/raw.parquet",
        nodes=nodes_of,
        new_features=lambda wildcards: task_of(wildcards).features_files(wildcards.dataset),
    output:
        metrics="results/{task}/{dataset}/metrics.json",
        plots=directory("results/{task}/{dataset}/plots"),
    log:
        "logs/{task}/{dataset}/score.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        options=lambda wildcards: to_json(task_of(wildcards).score_options(wildcards.dataset)),
        seed=PROJECT.seed,
        code=code("score"),
    shell:
        'python "$BIOLOOM_SCRIPTS/score.py" --task {wildcards.task} --samples {input.samples}'
        " --splits {input.splits} --features {input.features:q} --model {input.model} --new {input.new}"
        " --raw {input.raw} --nodes {input.nodes:q} --new-features {input.new_features:q}"
        " --options {params.options:q} --seed {params.seed} --metrics {output.metrics}"
        " --plots {output.plots} 2>&1 | tee {log}"
