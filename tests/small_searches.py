"""Searches of a few trials for tests, as if they had been run."""

from pathlib import Path

from record_factory import make_record

from seqrec.experiment.schema import RunConfig
from seqrec.layout import ResultFiles, Run
from seqrec.records.grid_file import AskedRun, GridFile

TRIALS = {
    # number: rate, validation, test; the test would choose the last.
    "sasrec+": [(0.001, 0.10, 0.300), (0.01, 0.15, 0.200), (0.0003, 0.05, 0.123)],
    "gru4rec": [(0.001, 0.08, 0.110), (0.002, 0.07, 0.405), (0.01, 0.01, 0.015)],
}
RESEEDED = {1: 0.21, 2: 0.19}


def config_of(model: str, seed: int, rate: float) -> dict:
    values = {
        "dataset": "demo",
        "model": model,
        "seed": seed,
        "implementation": model.split(".")[0].rstrip("+"),
        "hyperparameters": {"hidden_size": 64},
        "max_length": 50,
        "loss": {"kind": "cross-entropy"},
        "training": {"learning_rate": rate},
        "evaluation": {},
    }
    return RunConfig.model_validate(values).model_dump(mode="json")


def hash_of(config: dict) -> str:
    return RunConfig.model_validate(config).hash()


def make_search(results: Path, reseed: bool = False, left_out: str = "") -> Path:
    """A search of two models by three trials each; the trial `left_out` has not finished."""
    asked, trials, titles = [AskedRun(dataset="demo", model="popularity", seed=0)], {}, {}
    make_record(results, "demo", "popularity", ndcg=0.05, epochs=None, best_epoch=None)
    for base, settings in TRIALS.items():
        for number, (rate, validation, test) in enumerate(settings):
            name = f"{base}.t{number:02d}"
            config = config_of(name, 0, rate)
            asked.append(AskedRun.of(Run("demo", name, 0), hash_of(config)))
            trials[name], titles[name] = base, f"{base} t{number:02d} (learning rate {rate})"
            if name == left_out:
                continue
            make_record(
                *(results, "demo", name),
                ndcg=test,
                config=config,
                config_hash=hash_of(config),
                validation={"ndcg@10": validation},
                training_seconds=100.0 * (1 + number),
            )
        if reseed:
            titles[f"{base}.tuned"] = f"{base} (tuned)"
            asked += [AskedRun.of(Run("demo", f"{base}.tuned", seed)) for seed in RESEEDED]
    for seed, test in RESEEDED.items() if reseed else ():
        config = config_of("sasrec+.tuned", seed, 0.01)
        make_record(
            *(results, "demo", "sasrec+.tuned", seed),
            ndcg=test,
            config=config,
            config_hash=hash_of(config),
        )
    grid = GridFile(experiment="mine", runs=asked, trials=trials, titles=titles)
    grid.write(ResultFiles(results).grid)
    return results
