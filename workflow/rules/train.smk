# One job for each run of the grid. Its resolved configuration is a parameter and its data a
# digest, so a change of either trains again, and a touched file or reordered keys do not.


def run_of(wildcards):
    return RUNS[f"runs/{wildcards.dataset}/{wildcards.model}/seed-{wildcards.seed}"]


rule train:
    input:
        "data/processed/{dataset}/digest.json",
    output:
        # `update` leaves a finished record in place until a new one is whole: a job that finds
        # its own result there keeps it, and one that fails loses nothing.
        update(f"{RESULTS}/runs/{{dataset}}/{{model}}/seed-{{seed}}/metrics.json"),
    params:
        config=lambda wildcards: run_of(wildcards).json(),
    log:
        f"{RESULTS}/logs/{{dataset}}/{{model}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{dataset}}/{{model}}/seed-{{seed}}.tsv"
    threads: options.threads
    resources:
        # Only a model that is trained by the loop can use an accelerator.
        gpu=lambda wildcards: 1 if run_of(wildcards).loss else 0,
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    shell:
        "{SEQREC} execute --config {params.config:q} --data data/processed/{wildcards.dataset:q}"
        " --output $(dirname {output:q}) --device {DEVICE:q} --threads {threads} {RETRAIN}"
        " > {log:q} 2>&1"
