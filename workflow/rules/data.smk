# From an address or a mirror to a verified file, and from that to a compact log.
#
# Experiments that are made at the same time share both. What is there is kept until it is replaced
# (`update`), because another experiment may be reading it.

from seqrec import layout

MANIFEST = str(layout.manifest("{dataset}"))
DIGEST = str(layout.LogFiles.of("{dataset}").digest)


rule download:
    input:
        # When its owner replaces a file, the new one is taken.
        lambda wildcards: planning.dataset_files(wildcards.dataset),
    output:
        update(MANIFEST),
    log:
        layout.download_log("{dataset}"),
    retries: 1
    # The nodes of a cluster often have no access to the internet.
    localrule: True
    conda:
        "../../environment.yml"
    params:
        source=lambda wildcards: planning.dataset_source(wildcards.dataset),
    # The progress bar and the terms of use go to the terminal and to the log.
    shell:
        'seqrec download {wildcards.dataset:q} --results "$results" 2>&1 >> {log:q} | tee -a {log:q}'


rule preprocess:
    input:
        MANIFEST,
    output:
        update(DIGEST),
    log:
        layout.preprocessing_log("{dataset}"),
    benchmark:
        layout.preprocessing_benchmark("{dataset}")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        reading=lambda wildcards: planning.dataset_reading(wildcards.dataset),
    shell:
        'seqrec preprocess {wildcards.dataset:q} --results "$results" > {log:q} 2>&1'
