# Tables and figures, from run records alone: no rule here can start a training.

PUBLISHED = [f"config/published/{name}.csv" for name in ("results", "num_negatives", "datasets")]
TABLES = [
    f"{RESULTS}/tables/{table}.{form}"
    for table in [*DATASETS, "datasets", "missing"]
    for form in ("md", "tex", "csv", "html")
]
FIGURES = [
    f"{RESULTS}/figures/{figure}.{form}"
    for figure in ("num_negatives", "convergence", "convergence_seconds")
    for form in ("png", "pdf", "svg")
]
GRID_FILE = f"{RESULTS}/grid.json"

# Tables mark the records that other training code than today's has made.
TABLES_CODE = ["seqrec/tables.py", "seqrec/records.py", *training_code()]
FIGURES_CODE = ["seqrec/figures.py", "seqrec/records.py"]


if GRID:

    rule write_grid:
        output:
            GRID_FILE,
        log:
            f"{RESULTS}/logs/grid.log",
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
    log:
        f"{RESULTS}/logs/tables.log",
    localrule: True
    conda:
        "../../environment.yml"
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
    log:
        f"{RESULTS}/logs/figures.log",
    localrule: True
    conda:
        "../../environment.yml"
    shell:
        'seqrec figures "$results" > {log:q} 2>&1'


if GRID:

    # The same two steps, for `all`: they wait for every run of the grid.
    use rule write_tables as final_tables with:
        input:
            GRID_FILE,
            PUBLISHED,
            code=TABLES_CODE,
            records=RECORDS,
        output:
            touch(f"{RESULTS}/tables/.complete"),
        log:
            f"{RESULTS}/logs/final-tables.log",

    use rule draw_figures as final_figures with:
        input:
            GRID_FILE,
            PUBLISHED,
            code=FIGURES_CODE,
            records=RECORDS,
        output:
            touch(f"{RESULTS}/figures/.complete"),
        log:
            f"{RESULTS}/logs/final-figures.log",
