# From an address or a mirror to a verified file, and from that to a compact log.


rule download:
    input:
        files_of,
    output:
        "data/raw/{dataset}.json",
    log:
        "data/raw/logs/download-{dataset}.log",
    retries: 1
    # Nodes of a cluster often have no way out.
    localrule: True
    conda:
        "../../environment.yml"
    params:
        source=origin_of,
    # The progress bar goes to the terminal and to the log.
    shell:
        'seqrec download {wildcards.dataset:q} --failures "$results"/data-failures'
        " 2>&1 | tee {log:q}"


rule preprocess:
    input:
        "data/raw/{dataset}.json",
    output:
        "data/processed/{dataset}/digest.json",
    log:
        "data/processed/logs/preprocess-{dataset}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        reading=reading_of,
    shell:
        'seqrec preprocess {wildcards.dataset:q} --failures "$results"/data-failures'
        " > {log:q} 2>&1"
