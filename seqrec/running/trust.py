"""Decide whether the model that somebody else's record names may be imported."""

from contextlib import suppress

from seqrec.errors import SeqrecError
from seqrec.experiment.custom import is_custom
from seqrec.experiment.schema import RunConfig
from seqrec.layout import CONFIG_FILES
from seqrec.typed_yaml import load_yaml
from seqrec.wording import quoted


def require_trusted(config: RunConfig, where: str) -> None:
    """Raise `SeqrecError` for a custom model that no entry of `config/models/` names.

    Importing a module runs it, and a record may name any module. `where` names the record's
    configuration. Nothing is imported here.
    """
    if is_custom(config.implementation) and config.implementation not in _named_by_user():
        raise SeqrecError(
            f"{where}: its model {quoted(config.implementation)} is Python code that the record "
            "brings along, and to load it is to run it. If you trust it, give --trust (in Python, "
            "trust=True), or name it in an entry of config/models/."
        )


def _named_by_user() -> set[str]:
    """Read the implementations that the entries of `config/models/` name."""
    found = set()
    for name in CONFIG_FILES.models():
        with suppress(SeqrecError, OSError):
            entry = load_yaml(CONFIG_FILES.model(name))
            implementation = entry.get("implementation") if isinstance(entry, dict) else None
            if isinstance(implementation, str):
                found.add(implementation)
    return found
