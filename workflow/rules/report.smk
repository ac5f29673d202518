# Tables, figures and the report, from run records alone: no rule here can start a training.

PUBLISHED = [f"config/published/{name}.csv" for name in ("results", "num_negatives", "datasets")]
FORMS = ("md", "tex", "csv")

# Tables and pages that the report shows: category, labels and caption of each. Categories and
# labels are sorted by their text.
TABLE_PAGES = {
    **{
        dataset: ("1 Results", {"Dataset": dataset_title(dataset), "Table": "results"}, "results")
        for dataset in DATASETS
    },
    **{
        f"pairs/{dataset}": (
            "1 Results",
            {"Dataset": dataset_title(dataset), "Table": "which models differ"},
            "pairs",
        )
        for dataset in DATASETS
    },
    **{
        f"targets/{dataset}": (
            "5 Data",
            {"Table": f"Seen and unseen targets: {dataset_title(dataset)}"},
            "targets",
        )
        for dataset in DATASETS
    },
    "verdicts": ("2 Against the paper", {"Table": "Published values"}, "verdicts"),
    "claims": ("2 Against the paper", {"Table": "Claims"}, "claims"),
    "datasets": ("5 Data", {"Table": "Sizes of the datasets"}, "datasets"),
    "runs": ("4 Training", {"What": "How long and on what"}, "runs"),
    "missing": ("4 Training", {"What": "Missing runs"}, "missing"),
}
CHART_PAGES = {
    "num_negatives": ("3 Figures", {"Figure": "Quality by number of negatives"}, "num_negatives"),
    "convergence": ("3 Figures", {"Figure": "Convergence"}, "convergence"),
    "quality_by_time": ("3 Figures", {"Figure": "Quality by training time"}, "quality_by_time"),
    **{
        f"learning/{dataset}": (
            "4 Training",
            {"What": f"Learning curves: {dataset_title(dataset)}"},
            "learning",
        )
        for dataset in DATASETS
    },
}
TABLES = [f"{RESULTS}/tables/{name}.{form}" for name in TABLE_PAGES for form in FORMS]
FIGURES = [
    f"{RESULTS}/figures/{figure}.{form}"
    for figure in ("num_negatives", "convergence", "convergence_seconds", "quality_by_time")
    for form in ("png", "pdf", "svg")
]
GRID_FILE = f"{RESULTS}/grid.json"

# Tables mark the records that other training code than today's has made.
TABLES_CODE = training_code()
FIGURES_CODE = training_code()
# YAML files say what datasets and models are called, and how the paper's are trained, from which
# tables mark what differs.
TITLES = [
    *(dataset_title(dataset) for dataset in DATASETS),
    *sorted({display(run.model).title for run in RUNS.values()}),
]


if GRID:

    rule write_grid:
        output:
            # In place until it is replaced: another workflow may be reading it.
            update(GRID_FILE),
        log:
            f"{RESULTS}/logs/grid.log",
        # First of all, so that it can be seen from the start how much there is to do.
        priority: 1
        localrule: True
        conda:
            "../../environment.yml"
        params:
            experiment=EXPERIMENT,
            grid=sha256(GRID.json().encode()).hexdigest(),
        shell:
            "seqrec grid {params.experiment} --output {output:q} > {log:q} 2>&1"


rule write_tables:
    input:
        GRID_FILE,
        PUBLISHED,
        code=TABLES_CODE,
        records=records_and_failures,
    output:
        f"{RESULTS}/results.csv",
        TABLES,
        pages("tables", TABLE_PAGES),
    log:
        f"{RESULTS}/logs/tables.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        titles=TITLES,
        paper=settings_of_the_paper(),
    shell:
        'seqrec tables "$results" > {log:q} 2>&1'


rule draw_figures:
    input:
        GRID_FILE,
        PUBLISHED,
        code=FIGURES_CODE,
        records=records_and_failures,
    output:
        FIGURES,
        pages("figures", CHART_PAGES),
    log:
        f"{RESULTS}/logs/figures.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        titles=TITLES,
    shell:
        'seqrec figures "$results" > {log:q} 2>&1'


if GRID:

    # The same two steps, for `all`: they wait for every run of the grid.
    use rule write_tables as final_tables with:
        input:
            GRID_FILE,
            PUBLISHED,
            code=TABLES_CODE,
            successes=SUCCESSES,
        output:
            touch(f"{RESULTS}/tables/.complete"),
        log:
            f"{RESULTS}/logs/final-tables.log",

    use rule draw_figures as final_figures with:
        input:
            GRID_FILE,
            PUBLISHED,
            code=FIGURES_CODE,
            successes=SUCCESSES,
        output:
            touch(f"{RESULTS}/figures/.complete"),
        log:
            f"{RESULTS}/logs/final-figures.log",
