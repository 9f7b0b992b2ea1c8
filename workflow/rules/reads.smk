"""FASTQ of a sample sheet to trimmed reads, or to one sorted BAM a sample; a sheet out of a sheet.

Requires: the source `reads` of a data set (a sample sheet, or BAM or CRAM), and `reference`; or
the latter alone, where a data set says `simulate`.
Makes: results/{task}/{dataset}/reads/{trimmed,aligned}.csv, which `ingest` reads in place of the
user's sheet, the files that it names, {goal}_summary.json and multiqc.html. Files of aligned reads
are checked against the reference (checked.json), and indexed where a data set is done in parts. A
reference is made ready for alignment once, in results/{task}/references/.
Large genomes need more memory, in the profile: `set-resources: {align: {mem_mb: 12000}}`.
"""


rule simulate:
    input:
        reference,
    output:
        fastq_1="results/{task}/{dataset}/reads/simulated/{sample}_1.fastq.gz",
        fastq_2="results/{task}/{dataset}/reads/simulated/{sample}_2.fastq.gz",
        truth="results/{task}/{dataset}/reads/simulated/{sample}.vcf.gz",
    log:
        "logs/{task}/{dataset}/simulate/{sample}.log",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        options=lambda wildcards: to_json(task_of(wildcards).simulation(wildcards.dataset)),
        seed=PROJECT.seed,
        code=code("simulate"),
    shell:
        'python "$BIOLOOM_SCRIPTS/simulate.py" --reference {input:q} --options {params.options:q}'
        " --sample {wildcards.sample} --seed {params.seed} --fastq-1 {output.fastq_1}"
        " --fastq-2 {output.fastq_2} --truth {output.truth} 2>&1 | tee {log}"


rule trim:
    input:
        lambda wildcards: lane(wildcards).fastq,
    output:
        folder=directory("results/{task}/{dataset}/reads/trimmed/{sample}/{lane}"),
    log:
        "logs/{task}/{dataset}/trim/{sample}/{lane}.log",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    threads: max(1, workflow.cores // 2)
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
    params:
        lane=lambda wildcards: to_json(asdict(lane(wildcards))),
        options=reads_options,
        code=code("trim"),
    shell:
        'python "$BIOLOOM_SCRIPTS/trim.py" --lane {params.lane:q} --options {params.options:q}'
        " --threads {threads} --folder {output.folder} 2>&1 | tee {log}"


rule index_reference:
    input:
        lambda wildcards: indexed(wildcards)[0],
    output:
        folder=directory("results/{task}/references/{sha256}"),
    log:
        "logs/{task}/index_reference/{sha256}.log",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
    params:
        aligners=lambda wildcards: indexed(wildcards)[1],
        code=code("index_reference"),
    shell:
        'python "$BIOLOOM_SCRIPTS/index_reference.py" --fasta {input:q} --aligners {params.aligners}'
        " --folder {output.folder} 2>&1 | tee {log}"


# bwa tells of each batch: only in the log.
rule align:
    input:
        reads="results/{task}/{dataset}/reads/trimmed/{sample}/{lane}",
        index=lambda wildcards: reads(wildcards).index,
    output:
        bam="results/{task}/{dataset}/reads/aligned/{sample}/{lane}.bam",
    log:
        "logs/{task}/{dataset}/align/{sample}/{lane}.log",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    threads: max(1, workflow.cores // 2)
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
    params:
        lane=lambda wildcards: to_json(asdict(lane(wildcards))),
        options=reads_options,
        code=code("align"),
    shell:
        'python "$BIOLOOM_SCRIPTS/align.py" --lane {params.lane:q} --options {params.options:q}'
        " --reads {input.reads} --index {input.index} --threads {threads} --bam {output.bam} > {log} 2>&1"


rule merge_lanes:
    input:
        lambda wildcards: map(reads(wildcards).aligned, reads(wildcards).lanes_of(wildcards.sample)),
    output:
        bam="results/{task}/{dataset}/reads/samples/{sample}.bam",
        index="results/{task}/{dataset}/reads/samples/{sample}.bam.csi",
    log:
        "logs/{task}/{dataset}/merge_lanes/{sample}.log",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    threads: max(1, workflow.cores // 2)
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        lanes=lambda wildcards: lanes_json(reads(wildcards).lanes_of(wildcards.sample)),
        code=code("merge_lanes"),
    shell:
        'python "$BIOLOOM_SCRIPTS/merge_lanes.py" --lanes {params.lanes:q} --bams {input}'
        " --threads {threads} --bam {output.bam} --index {output.index} 2>&1 | tee {log}"


rule list_reads:
    input:
        sources=lambda wildcards: reads(wildcards).sources,
        trimmed=trimmed_lanes,
    output:
        sheet="results/{task}/{dataset}/reads/{goal}.csv",
    log:
        "logs/{task}/{dataset}/list_{goal}_reads.log",
    wildcard_constraints:
        goal="trimmed|aligned",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    params:
        reads=described_reads,
        code=code("list_reads"),
    shell:
        'python "$BIOLOOM_SCRIPTS/list_reads.py" --reads {params.reads:q} --sheet {output.sheet}'
        " 2>&1 | tee {log}"


rule index_reads:
    input:
        reads=lambda wildcards: reads(wildcards).alignments[wildcards.sample],
        reference=reference,
    output:
        index="results/{task}/{dataset}/reads/indexes/{sample}",
    log:
        "logs/{task}/{dataset}/index_reads/{sample}.log",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        code=code("index_reads"),
    shell:
        'python "$BIOLOOM_SCRIPTS/index_reads.py" --reads {input.reads:q}'
        " --reference {input.reference:q} --index {output.index} 2>&1 | tee {log}"


rule measure_alignments:
    input:
        reads=lambda wildcards: reads(wildcards).alignments[wildcards.sample],
        reference=reference,
    output:
        folder=directory("results/{task}/{dataset}/reads/statistics/{sample}"),
    log:
        "logs/{task}/{dataset}/measure_alignments/{sample}.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        code=code("measure_alignments"),
    shell:
        'python "$BIOLOOM_SCRIPTS/measure_alignments.py" --reads {input.reads:q}'
        " --sample {wildcards.sample} --reference {input.reference:q} --folder {output.folder}"
        " 2>&1 | tee {log}"


rule summarise_reads:
    input:
        sources=lambda wildcards: reads(wildcards).sources,
        trimmed=trimmed_lanes,
        statistics=lambda wildcards: reads(wildcards).statistics,
        reference=lambda wildcards: reads(wildcards).index if reads(wildcards).sample_bams else [],
    output:
        summary="results/{task}/{dataset}/reads/{goal}_summary.json",
        table="results/{task}/{dataset}/reads/{goal}_summary.csv",
    log:
        "logs/{task}/{dataset}/summarise_{goal}_reads.log",
    wildcard_constraints:
        goal="trimmed|aligned",
    conda:
        "../../envs/bioloom.yaml"
    params:
        reads=described_reads,
        code=code("summarise_reads"),
    shell:
        'python "$BIOLOOM_SCRIPTS/summarise_reads.py" --reads {params.reads:q}'
        " --reference {input.reference} --summary {output.summary} --table {output.table} 2>&1 | tee {log}"


rule check_alignments:
    input:
        sources=lambda wildcards: reads(wildcards).sources,
        files=lambda wildcards: reads(wildcards).given,
        reference=reference,
    output:
        checked="results/{task}/{dataset}/reads/checked.json",
    log:
        "logs/{task}/{dataset}/check_alignments.log",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        reads=described_reads,
        code=code("check_alignments"),
    shell:
        'python "$BIOLOOM_SCRIPTS/check_alignments.py" --reads {params.reads:q}'
        " --reference {input.reference:q} --checked {output.checked} 2>&1 | tee {log}"


rule multiqc:
    input:
        sources=lambda wildcards: reads(wildcards).sources,
        trimmed=trimmed_lanes,
        statistics=lambda wildcards: reads(wildcards).statistics,
    output:
        report="results/{task}/{dataset}/reads/multiqc.html",
    log:
        "logs/{task}/{dataset}/multiqc.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        reads=described_reads,
        title=lambda wildcards: f"{wildcards.task}, {wildcards.dataset}",
        code=code("multiqc"),
    shell:
        'python "$BIOLOOM_SCRIPTS/multiqc.py" --reads {params.reads:q} --title {params.title:q}'
        " --report {output.report} 2>&1 | tee {log}"
