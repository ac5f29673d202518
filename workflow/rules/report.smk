# Tables and figures, from run records alone: no rule here can start a training.

from seqrec.report import contents

GRID_FILE = str(plan.results.grid)
CONTENTS = plan.tasks, plan.models, bool(plan.grid and plan.grid.trials)
TABLES = [path for item in contents.items(contents.TABLES, *CONTENTS) for path in item.files]
FIGURES = [path for item in contents.items(contents.FIGURES, *CONTENTS) for path in item.files]


if plan.grid:

    rule write_grid:
        output:
            # Kept until it is replaced: another workflow may be reading it.
            update(GRID_FILE),
        log:
            plan.results.log("grid"),
        # First of all, so that status can tell from the start how much there is to do.
        priority: 1
        localrule: True
        conda:
            "../../environment.yml"
        params:
            experiment=plan.arguments,
            grid=plan.grid_digest,
        shell:
            "seqrec grid {params.experiment} --output {output:q} > {log:q} 2>&1"


rule write_tables:
    input:
        plan.report_inputs,
        code=plan.tables_code,
        records=plan.records_and_failures,
    output:
        plan.results.csv,
        [plan.results.tables / path for path in TABLES],
    log:
        plan.results.log("tables"),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        titles=lambda wildcards: plan.titles,  # as they are: a title may have braces
        # Tables mark the runs that are trained by other settings than the paper's.
        paper=planning.grid_digest("paper"),
    shell:
        'seqrec tables "$results" > {log:q} 2>&1'


rule draw_figures:
    input:
        plan.report_inputs,
        code=plan.figures_code,
        records=plan.records_and_failures,
    output:
        [plan.results.figures / path for path in FIGURES],
    log:
        plan.results.log("figures"),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        titles=lambda wildcards: plan.titles,  # as they are: a title may have braces
        # Only runs with the paper's settings are set against the paper.
        paper=planning.grid_digest("paper"),
    shell:
        'seqrec figures "$results" > {log:q} 2>&1'


if plan.grid:

    # The same two steps, for `all`: they wait for every run of the grid.
    use rule write_tables as final_tables with:
        input:
            plan.report_inputs,
            code=plan.tables_code,
            successes=plan.successes,
        output:
            touch(plan.results.tables / ".complete"),
        log:
            plan.results.log("final-tables"),

    use rule draw_figures as final_figures with:
        input:
            plan.report_inputs,
            code=plan.figures_code,
            successes=plan.successes,
        output:
            touch(plan.results.figures / ".complete"),
        log:
            plan.results.log("final-figures"),
