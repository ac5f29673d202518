# Tables, figures and the report, from run records alone: no rule here can start a training.

from seqrec.layout import ConfigFiles
from seqrec.report import contents

GRID_FILE = str(plan.results.grid)
PUBLISHED = ConfigFiles().published_files
TABLES = contents.items(contents.TABLES, plan.datasets)
FIGURES = contents.items(contents.FIGURES, plan.datasets)


def in_report(folder, items):
    """The files of tables or figures, their pages marked for the report.

    Snakemake sorts categories and labels by their text.
    """
    for item in items:
        category = item.entry.category
        for path in item.files:
            if path.endswith(f".{contents.PAGE}"):
                yield report(
                    f"{folder}/{path}",
                    category=f"{category.number} {category}",
                    labels={"Contents": item.title},
                )
            else:
                yield f"{folder}/{path}"


if plan.grid:

    rule write_grid:
        output:
            # Kept until it is replaced: another workflow may be reading it.
            update(GRID_FILE),
        log:
            f"{RESULTS}/logs/grid.log",
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
        GRID_FILE,
        PUBLISHED,
        code=plan.tables_code,
        records=plan.records_and_failures,
    output:
        f"{RESULTS}/results.csv",
        *in_report(f"{RESULTS}/tables", TABLES),
    log:
        f"{RESULTS}/logs/tables.log",
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
        GRID_FILE,
        PUBLISHED,
        code=plan.figures_code,
        records=plan.records_and_failures,
    output:
        *in_report(f"{RESULTS}/figures", FIGURES),
    log:
        f"{RESULTS}/logs/figures.log",
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
            GRID_FILE,
            PUBLISHED,
            code=plan.tables_code,
            successes=plan.successes,
        output:
            touch(f"{RESULTS}/tables/.complete"),
        log:
            f"{RESULTS}/logs/final-tables.log",

    use rule draw_figures as final_figures with:
        input:
            GRID_FILE,
            PUBLISHED,
            code=plan.figures_code,
            successes=plan.successes,
        output:
            touch(f"{RESULTS}/figures/.complete"),
        log:
            f"{RESULTS}/logs/final-figures.log",
