# What rules ask of the experiment and of the registry of datasets; no steps are here.


def origin_of(wildcards):
    """The parts of a dataset's YAML that decide its file, as one sorted JSON string."""
    parts = {"sources", "simulate"}
    data = load_dataset(wildcards.dataset).model_dump(mode="json", include=parts)
    return json.dumps(data, sort_keys=True)


def files_of(wildcards):
    """What the dataset's owner put there: if it changes, it is had again."""
    return list(map(str, own_files(wildcards.dataset, load_dataset(wildcards.dataset))))


def reading_of(wildcards):
    return reading(load_dataset(wildcards.dataset))


def run_of(wildcards):
    return RUNS[f"runs/{wildcards.dataset}/{wildcards.model}/seed-{wildcards.seed}"]


def uses_gpu(wildcards):
    """Only a model that is trained by the loop can use one."""
    return bool(run_of(wildcards).loss) and options.device != "cpu"


def statistics_of(digest):
    """Sizes of a processed log; Snakemake asks again later while there is none."""
    with open(digest):
        return json.loads(Path(digest).with_name("statistics.json").read_text())


def memory_of(wildcards, input, attempt):
    run, sizes = run_of(wildcards), statistics_of(input[0])
    return attempt * costs.memory_mb(run, sizes, uses_gpu(wildcards))


def minutes_of(wildcards, input, attempt, threads):
    run, sizes = run_of(wildcards), statistics_of(input[0])
    return attempt * costs.minutes(run, sizes, uses_gpu(wildcards), threads)


def records_and_failures(wildcards):
    """What there is of each run, and of data that could not be had, when the workflow starts."""
    patterns = (
        "runs/*/*/seed-*/metrics.json",
        "runs/*/*/seed-*/failure.json",
        "data-failures/*.json",
    )
    return sorted(str(path) for pattern in patterns for path in Path(RESULTS).glob(pattern))


def training_code():
    """The package's, and the files of own models."""
    paths = set(Path("seqrec").glob("*/*.py"))
    paths |= {custom_module(run.implementation) for run in RUNS.values()} - {None}
    return sorted(map(str, paths))


def settings_of_the_paper():
    try:
        return sha256(load_experiment("paper").json().encode()).hexdigest()
    except SeqrecError as error:  # which is told where the paper is run
        return str(error)


def pages(folder, shown):
    """Pages of a folder, each marked for the report with its category, labels and caption."""
    marked = []
    for name, (category, labels, caption) in shown.items():
        page = report(
            f"{RESULTS}/{folder}/{name}.html",
            category=category,
            labels=labels,
            caption=f"../report/{caption}.rst",
        )
        marked.append(page)
    return marked


def refuse_read_only_results():
    """Snakemake's own answers to a read-only folder are a traceback or a riddle."""
    try:
        require_writable(Path(RESULTS))
    except SeqrecError as error:
        raise WorkflowError(str(error)) from None
