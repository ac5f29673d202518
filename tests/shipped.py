"""The configuration that comes with the project, without the files that users add beside it."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]

EXPERIMENTS = (
    *("beyond", "demo", "paper", "real", "smoke", "standins"),
    *("time", "tuning", "when"),
)
MODELS = (
    *("bert4rec", "bpr-mf", "esasrec", "gpt4rec", "gru4rec", "gsasrec", "hstu"),
    *("hstu-timed", "ligr", "popularity", "sasrec", "sasrec+", "sasrec+N"),
)
DATASETS = (
    *("beauty", "beauty-5core", "demo", "like-ml-20m", "like-steam", "like-yelp"),
    *("ml-100k", "ml-1m", "ml-20m", "steam", "yelp"),
)


def copied_config(project: Path) -> Path:
    """Copy the shipped `config/` into a folder where a test may change it."""
    shipped = {"": (*EXPERIMENTS, "workflow"), "models": MODELS, "datasets": DATASETS}
    config = project / "config"
    for folder, names in shipped.items():
        (config / folder).mkdir(parents=True)
        for name in names:
            shutil.copy2(ROOT / "config" / folder / f"{name}.yaml", config / folder)
    for folder in ("published", "schema"):
        shutil.copytree(ROOT / "config" / folder, config / folder)
    return config
