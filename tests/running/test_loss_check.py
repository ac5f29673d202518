"""A custom loss that would teach something else is refused before anything is trained."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_runs import preprocessed_log, small_config
from torch import Tensor
from torch.nn import functional as F

from seqrec.errors import SeqrecError
from seqrec.experiment.registry import Registry
from seqrec.experiment.schema import BUILT_IN_LOSSES, Loss
from seqrec.layout import RunFiles, run_folder
from seqrec.records import read_record
from seqrec.records.fingerprint import is_stale
from seqrec.records.record import Provenance
from seqrec.running.loss_check import check_loss
from seqrec.running.options import EngineOptions
from seqrec.running.origin import differences, training_key
from seqrec.running.run import run
from seqrec.training.arithmetic import Engine

CPU = EngineOptions("cpu", 1, "float32")
ITEMS = 40


def margin(target: Tensor, negatives: Tensor, margin: float = 0.5) -> Tensor:
    return F.relu(margin - target[:, None] + negatives).mean(1)


def full(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits, target, reduction="none")


def noisy(target: Tensor, negatives: Tensor) -> Tensor:
    return F.softplus(negatives - target[:, None] + torch.randn_like(negatives)).mean(1)


def of_the_catalogue(target: Tensor, negatives: Tensor, num_items: int) -> Tensor:
    return F.softplus(-target) + num_items * F.softplus(negatives).mean(1)


def bounded(target: Tensor, negatives: Tensor) -> Tensor:
    """Its gradient is nearly 0 for large logits."""
    return (negatives.sigmoid() - target.sigmoid()[:, None]).mean(1)


def mean_over_all(target: Tensor, negatives: Tensor) -> Tensor:
    return margin(target, negatives).mean()


def of_each_negative(target: Tensor, negatives: Tensor) -> Tensor:
    return F.softplus(negatives - target[:, None])


def a_number(target: Tensor, negatives: Tensor) -> Any:
    return 1.0


def squeezed(target: Tensor, negatives: Tensor) -> Tensor:
    return margin(target, negatives).squeeze()


def overflows(target: Tensor, negatives: Tensor) -> Tensor:
    return -(target.sigmoid().log() + (1 - negatives.sigmoid()).log().sum(1))


def sharp(target: Tensor, negatives: Tensor) -> Tensor:
    """Finite, but the gradient goes through the root of a negative number."""
    ahead = negatives - target[:, None]
    return torch.where(ahead > 0, ahead.sqrt(), 0).mean(1)


def across_positions(target: Tensor, negatives: Tensor) -> Tensor:
    return -torch.log_softmax(torch.cat([target[:, None], negatives], 1), 0)[:, 0]


def mean_subtracted(target: Tensor, negatives: Tensor) -> Tensor:
    return margin(target - target.mean().detach(), negatives)


def noisy_across(target: Tensor, negatives: Tensor) -> Tensor:
    return noisy(target, negatives) + target.sum()


def detached(target: Tensor, negatives: Tensor) -> Tensor:
    return margin(target.detach(), negatives.detach())


def counted(target: Tensor, negatives: Tensor) -> Tensor:
    return (negatives > target[:, None]).float().sum(1)


def of_the_target_alone(target: Tensor, negatives: Tensor) -> Tensor:
    return F.softplus(-target)


def upside_down(target: Tensor, negatives: Tensor) -> Tensor:
    return F.logsigmoid(target[:, None] - negatives).mean(1)


def double(target: Tensor, negatives: Tensor) -> Tensor:
    return margin(target.double(), negatives.double())


def misspelt(target: Tensor, negatives: Tensor) -> Tensor:
    return margin(target, negatives, margn=1)  # type: ignore[call-arg]


def in_place(target: Tensor, negatives: Tensor) -> Tensor:
    negatives -= target[:, None]
    return F.softplus(negatives).mean(1)


def full_upside_down(logits: Tensor, target: Tensor) -> Tensor:
    return -full(logits, target)


def full_across(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits - logits.mean(0), target, reduction="none")


def turned_round(negatives: Tensor, target: Tensor) -> Tensor:
    return margin(target, negatives)


def loss_of(function: Callable[..., Any], negatives: int | None = 5, **parameters: Any) -> Loss:
    kind = f"{__name__}:{function.__name__}"
    return Loss(kind=kind, negatives=negatives, parameters=parameters)


def check(loss: Loss) -> None:
    torch.manual_seed(0)
    check_loss(loss, ITEMS, torch.device("cpu"))


@pytest.mark.parametrize(
    "loss",
    [
        loss_of(margin),
        loss_of(margin, negatives=1, margin=2.0),
        loss_of(margin, margin=-3.0),  # 0 for small logits
        loss_of(bounded),
        loss_of(full, negatives=None),
        loss_of(noisy),
        loss_of(of_the_catalogue),
        *(
            Loss(kind=kind, negatives=7 if sharing else None)
            for kind, sharing in BUILT_IN_LOSSES.items()
        ),
    ],
    ids=lambda loss: loss.kind,
)
def test_a_loss_without_a_mistake_passes(loss: Loss) -> None:
    for _ in range(20):
        check(loss)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (loss_of(mean_over_all), r"gives torch.float32 of shape \[\] for 32.*Leave out a mean"),
        (loss_of(of_each_negative), r"of shape \[32, 5\] for 32 positions.*of shape \[32\]"),
        (loss_of(a_number), "gives float for 32 positions"),
        (loss_of(squeezed), r"of shape \[\] for 1 position, and must"),
        (loss_of(double), "gives torch.float64"),
        (loss_of(overflows), r"not finite for logits of -20 to 20.*F\.logsigmoid"),
        (loss_of(sharp), "its gradient is not finite"),
        (loss_of(across_positions), "changes with the logits of other positions"),
        (loss_of(mean_subtracted), "changes with the logits of other positions"),
        (loss_of(noisy_across), "changes with the logits of other positions"),
        (loss_of(full_across, negatives=None), "changes with the logits of other positions"),
        (loss_of(detached), "no gradient reaches the logits"),
        (loss_of(counted), "no gradient reaches the logits"),
        (loss_of(of_the_target_alone), "no gradient reaches negatives"),
        (loss_of(upside_down), "grows with the logit of the target"),
        (loss_of(full_upside_down, negatives=None), "grows with the logit of the target"),
        (loss_of(misspelt), r"test_loss_check\.py:\d+ \(TypeError: .*margn"),
        (loss_of(in_place), r"test_loss_check\.py:\d+ \(RuntimeError: .*in-place"),
    ],
    ids=lambda case: case.kind if isinstance(case, Loss) else "",
)
def test_each_mistake_is_named_with_the_line(loss: Loss, message: str) -> None:
    with pytest.raises(SeqrecError, match=message) as raised:
        check(loss)
    assert f"loss.kind '{loss.kind}'" in str(raised.value)
    assert "test_loss_check.py:" in str(raised.value)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (loss_of(margin, margn=1), "loss.parameters: .*takes no 'margn'; did you mean 'margin'"),
        (loss_of(margin, margin="wide"), "loss.parameters: margin: must be a number"),
        (loss_of(margin, negatives=None), "Give 'negatives: N'"),
        (loss_of(full), "Give 'negatives: N'"),
        (loss_of(turned_round), r"takes \(negatives, target\).* in this order"),
        (Loss(kind="my_losses:none"), "loss.kind 'my_losses:none' cannot be imported"),
        (Loss(kind=f"{__name__}:ITEMS"), "ITEMS is not a function"),
        (Loss(kind="gbce", negatives=3, parameters={"t": 2}), "loss.parameters: t: must be at mo"),
        (Loss(kind="bpr", negatives=3, parameters={"t": 1}), "bpr takes no 't'"),
    ],
    ids=lambda case: case.kind if isinstance(case, Loss) else "",
)
def test_what_the_function_does_not_take_is_refused_while_planning(
    loss: Loss, message: str
) -> None:
    with pytest.raises(SeqrecError, match=message):
        Registry().with_parameters(loss, "here")


def test_defaults_of_the_function_become_part_of_the_configuration() -> None:
    filled = Registry().with_parameters(loss_of(margin), "here")
    assert filled.parameters == {"margin": 0.5}
    assert Registry().with_parameters(loss_of(of_the_catalogue), "here").parameters == {}


MODULE = """
import torch.nn.functional as F


def margin(target, negatives, margin=0.5):
    return F.relu(margin - target[:, None] + negatives).mean(1)  # as in the paper


def mixed(target, negatives):
    return margin(target, negatives) + target.mean()


def fails_later(target, negatives):
    if len(target) > 32:
        raise ValueError("too many")
    return margin(target, negatives)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_losses.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_trains_with_a_loss_of_ones_own_and_records_its_file(project: Path) -> None:
    data = preprocessed_log(project / "data")
    config = small_config().model_copy(
        update={"loss": Loss(kind="my_losses:margin", negatives=5, parameters={"margin": 0.2})}
    )
    folder = project / run_folder(*config.run)
    record = run(config, data, folder, CPU)
    assert len(record.seqrec.loss_code or "") == 64
    again = read_record(folder)
    assert again.seqrec.loss_code == record.seqrec.loss_code
    assert not is_stale(again, again.seqrec.training_code)
    file = project / "my_losses.py"
    file.write_text(MODULE.replace("# as in the paper", "# another comment"))
    assert not is_stale(again, again.seqrec.training_code)
    file.write_text(MODULE.replace(".mean(1)", ".sum(1)"))
    assert is_stale(again, again.seqrec.training_code)


def test_a_training_does_not_go_on_with_another_version_of_the_loss() -> None:
    config = small_config()
    log: Any = SimpleNamespace(digest="a")
    engine = Engine(torch.device("cpu"))
    keys = [
        training_key(
            config,
            log,
            Provenance(version="0", commit=None, training_code="b", loss_code=code),
            engine,
        )
        for code in ("c", "d")
    ]
    assert differences(*keys) == "other file of the loss"


def test_a_record_with_a_loss_of_the_package_says_nothing_about_its_file(project: Path) -> None:
    data = preprocessed_log(project / "data")
    run(small_config(), data, project / "run", CPU)
    assert "loss_code" not in RunFiles(project / "run").metrics.read_text()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("mixed", r"my_losses\.py:9: the loss of a position changes with the logits of other"),
        ("fails_later", r"fails while it is run in .*my_losses\.py:15 \(ValueError: too many\)"),
    ],
)
def test_a_run_refuses_a_wrong_loss_and_leaves_no_record(
    function: str, message: str, project: Path
) -> None:
    data = preprocessed_log(project / "data")
    loss = Loss(kind=f"my_losses:{function}", negatives=5)
    config = small_config().model_copy(update={"loss": loss})
    with pytest.raises(SeqrecError, match=message):
        run(config, data, project / "run", CPU)
    assert not RunFiles(project / "run").metrics.exists()


def test_the_check_changes_nothing_of_a_training(project: Path) -> None:
    """Cross-entropy by its import path is checked, by its name it is not."""
    data = preprocessed_log(project / "data")
    loss = Loss(kind="seqrec.training.losses.formulas:bpr", negatives=5, sharing="position")
    outcomes = []
    for each in (loss, loss.model_copy(update={"kind": "bpr"})):
        folder = project / each.kind.replace(":", "-")
        run(small_config().model_copy(update={"loss": each}), data, folder, CPU)
        outcomes.append(
            (RunFiles(folder).weights.read_bytes(), RunFiles(folder).ranks.read_bytes())
        )
    assert outcomes[0] == outcomes[1]
