"""FASTQ of a sample sheet to trimmed reads, or to one sorted BAM a sample; a sheet out of a sheet.

Requires: the source `reads` of a data set (a sample sheet, or BAM or CRAM), and `reference`.
Makes: results/{task}/{dataset}/reads/{trimmed,aligned}.csv, which `ingest` reads in place of the
user's sheet, the files that it names, summary.json and multiqc.html. Files of aligned reads are
checked against the reference (checked.json). A reference is made ready for alignment once, in
results/{task}/references/.
Large genomes need more memory, in the profile: `set-resources: {align: {mem_mb: 12000}}`.
"""


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
        mem_mb=2000,
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
        mem_mb=8000,
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
        mem_mb=8000,
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
        statistics=directory("results/{task}/{dataset}/reads/statistics/{sample}"),
    log:
        "logs/{task}/{dataset}/merge_lanes/{sample}.log",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    threads: max(1, workflow.cores // 2)
    resources:
        mem_mb=4000,
    params:
        lanes=lambda wildcards: lanes_json(reads(wildcards).lanes_of(wildcards.sample)),
        code=code("merge_lanes"),
    shell:
        'python "$BIOLOOM_SCRIPTS/merge_lanes.py" --lanes {params.lanes:q} --bams {input}'
        " --threads {threads} --bam {output.bam} --statistics {output.statistics} 2>&1 | tee {log}"


rule list_reads:
    input:
        trimmed=trimmed_lanes,
        statistics=lambda wildcards: reads(wildcards).statistics,
        reference=lambda wildcards: reads(wildcards).index or [],
    output:
        sheet="results/{task}/{dataset}/reads/{goal}.csv",
        summary="results/{task}/{dataset}/reads/{goal}_summary.json",
        table="results/{task}/{dataset}/reads/{goal}_summary.csv",
    log:
        "logs/{task}/{dataset}/list_{goal}_reads.log",
    wildcard_constraints:
        goal="trimmed|aligned",
    priority: PRIORITY["ingest"]
    conda:
        "../../envs/bioloom.yaml"
    params:
        lanes=lambda wildcards: lanes_json(reads(wildcards).rows),
        bams=lambda wildcards: reads(wildcards).bams,
        code=code("list_reads"),
    shell:
        'python "$BIOLOOM_SCRIPTS/list_reads.py" --lanes {params.lanes:q} --trimmed {input.trimmed:q}'
        " --bams {params.bams:q} --statistics {input.statistics:q} --reference {input.reference}"
        " --sheet {output.sheet} --summary {output.summary} 2>&1 | tee {log}"


rule check_alignments:
    input:
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
        mem_mb=4000,
    params:
        code=code("check_alignments"),
    shell:
        'python "$BIOLOOM_SCRIPTS/check_alignments.py" --files {input.files:q}'
        " --reference {input.reference:q} --checked {output.checked} 2>&1 | tee {log}"


rule multiqc:
    input:
        trimmed=trimmed_lanes,
        statistics=lambda wildcards: reads(wildcards).statistics,
    output:
        report="results/{task}/{dataset}/reads/multiqc.html",
    log:
        "logs/{task}/{dataset}/multiqc.log",
    conda:
        "../../envs/bioloom.yaml"
    params:
        lanes=lambda wildcards: lanes_json(reads(wildcards).fastq),
        title=lambda wildcards: f"{wildcards.task}, {wildcards.dataset}",
        code=code("multiqc"),
    shell:
        'python "$BIOLOOM_SCRIPTS/multiqc.py" --title {params.title:q} --lanes {params.lanes:q}'
        " --trimmed {input.trimmed:q} --statistics {input.statistics:q}"
        " --report {output.report} 2>&1 | tee {log}"
