# One job for each run of the grid. Its resolved configuration is a parameter and its data a
# digest, so a change of either trains again, and a touched file or reordered keys do not.


rule train:
    input:
        "data/processed/{dataset}/digest.json",
    output:
        # A copy of the record, gone while a job has not succeeded. The record itself is no output:
        # Snakemake removes those of a job that fails or is killed, and makes those that it misses.
        f"{RESULTS}/runs/{{dataset}}/{{model}}/seed-{{seed}}/.success",
    log:
        f"{RESULTS}/logs/{{dataset}}/{{model}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{dataset}}/{{model}}/seed-{{seed}}.tsv"
    conda:
        "../../environment.yml"
    threads: options.threads
    resources:
        gpu=lambda wildcards: int(uses_gpu(wildcards)),
        mem_mb=memory_of,
        runtime=minutes_of,
    params:
        config=lambda wildcards: run_of(wildcards).json(),
    shell:
        "seqrec execute --config {params.config:q} --data data/processed/{wildcards.dataset:q}"
        ' --output "$(dirname {output:q})" "${{engine[@]}}" --threads {threads} $retrain'
        ' > {log:q} 2>&1; cp "$(dirname {output:q})"/metrics.json {output:q}.part;'
        " mv {output:q}.part {output:q}"
