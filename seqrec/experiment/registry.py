"""The registry of models: entries of `config/models/`, and the code behind them."""

import re
from pathlib import Path
from typing import Any

from seqrec.data.datasets import Dataset, load_dataset
from seqrec.errors import SeqrecError
from seqrec.experiment.built_in import built_in_loss
from seqrec.experiment.custom import LOSS, custom_signature, is_custom
from seqrec.experiment.hyperparameters import Hyperparameters, LossParameters
from seqrec.experiment.implementations import built_in
from seqrec.experiment.schema import Loss, ModelEntry
from seqrec.layout import CONFIG, ConfigFiles
from seqrec.typed_yaml import check_values, load_yaml, require_name
from seqrec.wording import nearest, quoted


class Registry:
    """The entries of a configuration folder. Each is read once; a new registry reads anew."""

    def __init__(self, config: Path = CONFIG) -> None:
        self.files = ConfigFiles(config)
        self.used: list[Path] = []
        """The files that entries were read from."""
        self._models: dict[str, ModelEntry] = {}
        self._datasets: dict[str, Dataset] = {}
        self._hyperparameters: dict[str, Hyperparameters] = {}
        self._loss_parameters: dict[tuple[str, bool], LossParameters] = {}

    def dataset(self, name: str) -> Dataset:
        """Read `config/datasets/<name>.yaml`. Raises `SeqrecError`."""
        if name not in self._datasets:
            self._datasets[name] = load_dataset(name, self.files)
            self.used.append(self.files.dataset(name))
        return self._datasets[name]

    def model(self, name: str) -> ModelEntry:
        """Read `config/models/<name>.yaml`, or the `+N` template that serves the name.

        Raises `SeqrecError` for an unknown name and for mistakes in the file.
        """
        if name not in self._models:
            self._models[name] = self._read_model(name)
        return self._models[name]

    def hyperparameters(
        self, implementation: str, values: dict[str, Any], where: str
    ) -> dict[str, Any]:
        """Check hyperparameters against the implementation's constructor, and fill in its defaults.

        Raises `SeqrecError`; `where` names the values' origin.
        """
        if implementation not in self._hyperparameters:
            signature = (
                custom_signature(implementation)
                if is_custom(implementation)
                else built_in(implementation, f"{where}: ").signature
            )
            self._hyperparameters[implementation] = Hyperparameters(implementation, signature)
        return self._hyperparameters[implementation].resolve(values, where)

    def with_parameters(self, loss: Loss, where: str) -> Loss:
        """Check a loss's parameters against its function, and fill in its defaults.

        Raises `SeqrecError`; `where` names the values' origin.
        """
        samples = loss.negatives is not None
        if (loss.kind, samples) not in self._loss_parameters:
            try:
                self._loss_parameters[loss.kind, samples] = _parameters_of(loss.kind, samples)
            except SeqrecError as error:
                raise SeqrecError(f"{where}: {error}") from error
        parameters = self._loss_parameters[loss.kind, samples].resolve(loss.parameters, where)
        return loss.model_copy(update={"parameters": parameters})

    def _read_model(self, name: str) -> ModelEntry:
        require_name(name, "model")
        path = self.files.model(name)
        match = re.fullmatch(r"(.+\+)(\d+)", name)
        template = self.files.model(f"{match[1]}N") if match else None
        if name.endswith("+N") and path.is_file():
            raise SeqrecError(f"model {quoted(name)}: is a template; write a number for N.")
        if path.is_file():
            data = load_yaml(path)
        elif match and template and template.is_file():
            path = template
            data = _substitute(load_yaml(path), "N", int(match[2]))
        else:
            raise SeqrecError(
                f"model {quoted(name)}: no {path}; {nearest(name, self.files.models())}"
            )
        self.used.append(path)
        entry = check_values(ModelEntry, data, str(path))
        self.hyperparameters(entry.implementation, entry.hyperparameters, str(path))
        if entry.loss:
            self.with_parameters(entry.loss, str(path))
        return entry


def _parameters_of(kind: str, samples: bool) -> LossParameters:
    """Read what the function of a loss takes. Raises `SeqrecError`."""
    signature = custom_signature(kind, LOSS) if is_custom(kind) else built_in_loss(kind)
    return LossParameters(kind, signature, samples)


def _substitute(data: Any, placeholder: str, value: int) -> Any:
    """Replace every text in `data` that equals `placeholder` by `value`."""
    if isinstance(data, dict):
        return {key: _substitute(item, placeholder, value) for key, item in data.items()}
    return value if data == placeholder else data
