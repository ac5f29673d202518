"""The table of seeds lists what each reached, and says how much they vary."""

from pathlib import Path

import pandas as pd
from reading_tables import rows, write
from record_factory import make_record


def test_every_seed_is_listed_beside_the_published_value(tmp_path: Path) -> None:
    for seed, (ndcg, best) in enumerate(((0.1, 3), (0.2, 9), (0.15, 4))):
        make_record(tmp_path, "ml-1m", "sasrec+10", seed, ndcg=ndcg, best_epoch=best)
    make_record(tmp_path, "ml-1m", "sasrec")
    write(tmp_path)
    assert rows(tmp_path, "seeds") == {
        "Dataset": ["Model", "NDCG@10", "paper", "varies by", "Best epochs"],
        "MovieLens-1M": ["SASRec+ 10", "0.1000, 0.2000, 0.1500", "0.1400", "33.3%", "3, 9, 4"],
    }
    frame = pd.read_csv(tmp_path / "tables/seeds.csv")
    assert frame[["seed", "best_epoch"]].to_numpy().tolist() == [[0, 3], [1, 9], [2, 4]]


def test_of_many_seeds_the_least_and_the_most_are_shown(tmp_path: Path) -> None:
    for seed in range(6):
        make_record(tmp_path, "demo", "bpr-mf", seed, ndcg=0.0, epochs=None, best_epoch=None)
    write(tmp_path)
    assert rows(tmp_path, "seeds")["Demo (simulated)"][1:] == ["0.0000–0.0000", "", "", ""]
