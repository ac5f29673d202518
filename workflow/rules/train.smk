# One job for each run of the grid. Its resolved configuration is a parameter and its data a
# digest, so a change of either trains again, while touched files and reordered keys do not.
#
# A run of the setting that a search chooses waits for the trials, and its job makes the choice:
# all jobs are known from the start.


rule train:
    input:
        digest=lambda wildcards: str(
            layout.LogFiles.of(plan.candidates(wildcards)[0].dataset).digest
        ),
        trials=lambda wildcards: plan.trials(wildcards),
        grid=lambda wildcards: ancient(GRID_FILE) if plan.trials(wildcards) else [],
    output:
        # A copy of the record, absent until a job succeeds. The record itself is no output, because
        # Snakemake deletes the outputs of jobs that fail or are killed, and makes missing ones.
        str(plan.results.run("{task}", "{model}", "{seed}").success),
    log:
        plan.results.run_log("{task}", "{model}", "{seed}"),
    benchmark:
        plan.results.run_benchmark("{task}", "{model}", "{seed}")
    conda:
        "../../environment.yml"
    threads: options.threads
    resources:
        gpu=lambda wildcards: int(planning.uses_gpu(plan.candidates(wildcards), options.device)),
        mem_mb=lambda wildcards, input, attempt: (
            attempt * planning.memory_mb(plan.candidates(wildcards), input.digest, options.device)
        ),
        runtime=lambda wildcards, input, attempt, threads: (
            attempt
            * planning.minutes(plan.candidates(wildcards), input.digest, options.device, threads)
        ),
    params:
        config=lambda wildcards: plan.configuration(wildcards),
    # Snakemake removes the log of an earlier attempt, so the run's folder keeps one of all attempts.
    shell:
        'run=$(dirname {output:q}); ln -sf "../../..${{run#"$results"}}/$log" {log:q} || true; '
        "config={params.config:q}; "
        '[ -n "$config" ] || config=$(seqrec choose "$results" {wildcards.task:q}'
        " {wildcards.model:q} --seed {wildcards.seed} 2>> {log:q}); "
        'seqrec execute --config "$config" --data "$(dirname {input.digest:q})"'
        ' --output "$run" "${{engine[@]}}" --threads {threads} $retrain'
        ' >> {log:q} 2>&1; cp "$run/$record" {output:q}.part; mv {output:q}.part {output:q}'
