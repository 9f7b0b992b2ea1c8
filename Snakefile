"""bioloom: from raw biomedical data to predictions; this is the table of contents."""

import os

from snakemake.utils import min_version

min_version("9.27")


if os.path.exists("config.yaml"):

    configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/provenance.smk"
include: "workflow/rules/reads.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/model.smk"
include: "workflow/rules/network.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        predictions(),
        ranked_links(),
        exports(),
        explained_rows(),
        pages(),
        reads_reports(),
        shown(),
        ["results/report.html"] if PROJECT.trained else [],
