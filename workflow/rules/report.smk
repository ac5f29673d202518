# Tables, figures and the report, from run records alone: no rule here can start a training.

GRID_FILE = str(plan.results.grid)
PUBLISHED = [f"config/published/{name}.csv" for name in ("results", "num_negatives", "datasets")]

TABLES = ["verdicts", "claims", "datasets", "runs", "missing", *plan.datasets]
TABLES += [f"{kind}/{dataset}" for kind in ("pairs", "targets") for dataset in plan.datasets]
FIGURES = ["num_negatives", "convergence", "convergence_seconds", "quality_by_time"]

# The report's pages: category, labels and caption of each. Categories and labels are sorted by
# their text.
TABLE_PAGES = {
    "verdicts": ("2 Against the paper", {"Table": "Published values"}, "verdicts"),
    "claims": ("2 Against the paper", {"Table": "Claims"}, "claims"),
    "datasets": ("5 Data", {"Table": "Sizes of the datasets"}, "datasets"),
    "runs": ("4 Training", {"What": "How long and on what"}, "runs"),
    "missing": ("4 Training", {"What": "Missing runs"}, "missing"),
}
FIGURE_PAGES = {
    "num_negatives": ("3 Figures", {"Figure": "Quality by number of negatives"}, "num_negatives"),
    "convergence": ("3 Figures", {"Figure": "Convergence"}, "convergence"),
    "quality_by_time": ("3 Figures", {"Figure": "Quality by training time"}, "quality_by_time"),
}
for dataset, title in plan.dataset_titles.items():
    TABLE_PAGES |= {
        dataset: ("1 Results", {"Dataset": title, "Table": "results"}, "results"),
        f"pairs/{dataset}": (
            "1 Results",
            {"Dataset": title, "Table": "which models differ"},
            "pairs",
        ),
        f"targets/{dataset}": (
            "5 Data",
            {"Table": f"Seen and unseen targets: {title}"},
            "targets",
        ),
    }
    FIGURE_PAGES[f"learning/{dataset}"] = (
        "4 Training",
        {"What": f"Learning curves: {title}"},
        "learning",
    )


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
        expand(f"{RESULTS}/tables/{{table}}.{{form}}", table=TABLES, form=["md", "tex", "csv"]),
        [
            report(
                f"{RESULTS}/tables/{page}.html",
                category=category,
                labels=labels,
                caption=f"../report/{caption}.rst",
            )
            for page, (category, labels, caption) in TABLE_PAGES.items()
        ],
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
        expand(f"{RESULTS}/figures/{{figure}}.{{form}}", figure=FIGURES, form=["png", "pdf", "svg"]),
        [
            report(
                f"{RESULTS}/figures/{page}.html",
                category=category,
                labels=labels,
                caption=f"../report/{caption}.rst",
            )
            for page, (category, labels, caption) in FIGURE_PAGES.items()
        ],
    log:
        f"{RESULTS}/logs/figures.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        titles=lambda wildcards: plan.titles,  # as they are: a title may have braces
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
