# One job for each run of the grid. Its resolved configuration is a parameter and its data a
# digest, so a change of either trains again, and a touched file or reordered keys do not.


rule train:
    input:
        "data/processed/{dataset}/digest.json",
    output:
        # `update` leaves a finished record in place until a new one is whole: a job that finds
        # its own result there keeps it, and one that fails loses nothing.
        record=update(f"{RESULTS}/runs/{{dataset}}/{{model}}/seed-{{seed}}/metrics.json"),
        # Gone while a job has not succeeded, so that a record that a failed or interrupted one
        # left in place is not taken for its result.
        success=touch(f"{RESULTS}/runs/{{dataset}}/{{model}}/seed-{{seed}}/.success"),
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
        ' --output "$(dirname {output.record:q})" "${{engine[@]}}" --threads {threads} $retrain'
        " > {log:q} 2>&1"
