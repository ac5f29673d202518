# From an address or a mirror to a verified file, and from that to a compact log.


def dataset_values(*keys):
    """The parts of a dataset's YAML that a step depends on, as one sorted JSON string."""

    def values(wildcards):
        data = load_dataset(wildcards.dataset).model_dump(mode="json")
        return json.dumps({key: data[key] for key in keys}, sort_keys=True)

    return values


rule download:
    output:
        "data/raw/{dataset}.json",
    params:
        source=dataset_values("sources", "simulate"),
    log:
        "data/raw/logs/download-{dataset}.log",
    resources:
        mem_mb=4000,
        runtime=240,
    retries: 1
    # The progress bar goes to the terminal and to the log.
    shell:
        "{SEQREC} download {wildcards.dataset:q} --failures {RESULTS}/data-failures"
        " 2>&1 | tee {log:q}"


rule preprocess:
    input:
        "data/raw/{dataset}.json",
    output:
        "data/processed/{dataset}/digest.json",
    params:
        reading=dataset_values("sources", "format", "filter", "expected", "simulate"),
    log:
        "data/processed/logs/preprocess-{dataset}.log",
    resources:
        mem_mb=6000,
        runtime=60,
    shell:
        "{SEQREC} preprocess {wildcards.dataset:q} --failures {RESULTS}/data-failures"
        " > {log:q} 2>&1"
