# Tables and figures, from run records alone: no rule here can start a training.


def finished_records(wildcards):
    return sorted(str(path) for path in Path(RESULTS).glob("runs/*/*/seed-*/metrics.json"))


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


if GRID:

    rule write_grid:
        output:
            GRID_FILE,
        params:
            grid=sha256(GRID.json().encode()).hexdigest(),
        log:
            f"{RESULTS}/logs/grid.log",
        localrule: True
        shell:
            "{SEQREC} grid {EXPERIMENT} --output {output:q} > {log:q} 2>&1"


rule write_tables:
    input:
        GRID_FILE,
        PUBLISHED,
        code=["seqrec/tables.py", "seqrec/records.py"],
        records=finished_records,
    output:
        f"{RESULTS}/results.csv",
        TABLES,
    log:
        f"{RESULTS}/logs/tables.log",
    localrule: True
    shell:
        "{SEQREC} tables {RESULTS} > {log:q} 2>&1"


rule draw_figures:
    input:
        GRID_FILE,
        PUBLISHED,
        code=["seqrec/figures.py", "seqrec/records.py"],
        records=finished_records,
    output:
        FIGURES,
    log:
        f"{RESULTS}/logs/figures.log",
    localrule: True
    shell:
        "{SEQREC} figures {RESULTS} > {log:q} 2>&1"


if GRID:

    # The same two steps, for `all`: they wait for every run of the grid.
    use rule write_tables as final_tables with:
        input:
            GRID_FILE,
            PUBLISHED,
            code=["seqrec/tables.py", "seqrec/records.py"],
            records=RECORDS,
        output:
            touch(f"{RESULTS}/.tables"),
        log:
            f"{RESULTS}/logs/final-tables.log",

    use rule draw_figures as final_figures with:
        input:
            GRID_FILE,
            PUBLISHED,
            code=["seqrec/figures.py", "seqrec/records.py"],
            records=RECORDS,
        output:
            touch(f"{RESULTS}/.figures"),
        log:
            f"{RESULTS}/logs/final-figures.log",
