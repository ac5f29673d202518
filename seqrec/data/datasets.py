"""The registry of datasets: one typed YAML each, saying where a file is had and how it is read.

Nothing here opens a data file: the module is imported wherever names of datasets are needed, so it
stays light.
"""

from pathlib import Path, PurePath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from seqrec.errors import SeqrecError
from seqrec.typed_yaml import Strict, check_values, load_yaml, nearest

FOLDER = Path("config/datasets")


Column = Annotated[int, Field(ge=0, strict=True)] | Annotated[str, Field(min_length=1)]


Count = Annotated[int, Field(ge=1)]


HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[^\s/]+/\S+$")]


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


Sha1 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


class Columns(Strict):
    """Which columns are read: each by its name, or by its position from 0."""

    user: Column = 0
    """Who."""
    item: Column = 1
    """What."""
    timestamp: Column | None = None
    """When: a number or an ISO 8601 date. Without it a user's lines are in order of time."""


class Format(Strict):
    """How a file is read. Compression is told by the suffix: .gz, .bz2, .xz, .zst or .zip."""

    kind: Literal["text", "csv", "semicolon", "tsv", "double-colon", "parquet", "jsonl"] = "text"
    """text: fields between white space; double-colon: fields between `::` (MovieLens);
    semicolon: csv with `;` for a comma; these two may quote their fields; jsonl: one JSON object
    a line. Blank lines are passed over."""
    columns: Columns = Columns()
    """Which columns hold the user, the item and the time."""
    header: bool | None = None
    """Whether the first line names the columns; left out, it does where columns are given by
    name. Without a meaning for parquet and jsonl."""

    @model_validator(mode="after")
    def _columns_can_be_found(self) -> "Format":
        columns = self.columns
        places = [c for c in (columns.user, columns.item, columns.timestamp) if c is not None]
        if len(set(places)) < len(places):
            raise ValueError("user, item and timestamp must be different columns")
        named = any(isinstance(place, str) for place in places)
        if self.kind == "jsonl" and not all(isinstance(place, str) for place in places):
            raise ValueError("columns of a jsonl file are keys: give them by name")
        if self.kind in ("parquet", "jsonl"):
            if self.header is not None:
                raise ValueError(f"a {self.kind} file has no header line: leave 'header' out")
        elif named and self.header is False:
            raise ValueError("columns given by name need a header line: give positions from 0")
        return self

    @property
    def has_header(self) -> bool:
        """Whether the first line names the columns."""
        if self.header is not None or self.kind in ("parquet", "jsonl"):
            return bool(self.header)
        columns = self.columns
        return any(isinstance(c, str) for c in (columns.user, columns.item, columns.timestamp))


class Filter(Strict):
    """Which interactions are kept: first the rule for repeated pairs, then the minimum counts."""

    duplicates: Literal["keep", "first", "last"] = "keep"
    """Of several interactions of a user with one item, keep all, the first or the last."""
    min_interactions_per_user: Count = 1
    """Users with fewer are dropped."""
    min_interactions_per_item: Count = 1
    """Items with fewer are dropped."""
    distinct_items: bool = False
    """Count a user's distinct items rather than the interactions."""
    mode: Literal["one-pass", "k-core"] = "one-pass"
    """one-pass: both counts are taken once, before anything is dropped; k-core: dropping goes on
    until every item that is left reaches its minimum, and every user the interactions, three at
    least, without which there is nothing to hold out."""


class Source(Strict):
    """One place to have the data from; any one source of a dataset is enough."""

    file: Annotated[str, Field(min_length=1)]
    """The file's name in a mirror and in data/raw/; without `urls` it may be a path."""
    urls: tuple[HttpsUrl, ...] = ()
    """Where it is downloaded from, in order."""
    member: str | None = None
    """The file to read inside a zip archive; left out, the archive's only file."""
    sha256: Sha256 | None = None
    """SHA-256 of the file."""
    git_blob: Sha1 | None = None
    """The id that git gives to the file's content."""
    format: Format | None = None
    """How this file is read, where that differs from the dataset's format."""
    filter: Filter | None = None
    """What is kept of it, where that differs from the dataset's filter."""

    @model_validator(mode="after")
    def _downloads_have_a_plain_name(self) -> "Source":
        if self.urls and PurePath(self.file).name != self.file:
            raise ValueError(f"a file with urls needs a plain name, not {self.file!r}")
        if self.member is not None and not self.file.lower().endswith(".zip"):
            raise ValueError("'member' names a file inside a .zip")
        return self

    @property
    def checksummed(self) -> bool:
        """Whether the file is known to the byte."""
        return self.sha256 is not None or self.git_blob is not None


class Expected(Strict):
    """The size that a preprocessed dataset is known to have."""

    users: Count
    """Number of users."""
    items: Count
    """Number of items."""
    interactions: Count
    """Number of interactions."""
    min_length: Count
    """Interactions of the user with the fewest."""
    mismatch: Literal["error", "warning"] = "error"
    """What another size is, in a file whose checksum is right: an error where the size was
    counted from that file, a warning where it was only read elsewhere."""


class Simulation(Strict):
    """A simulated log: its size, and the strength of the patterns in it (see seqrec.simulation)."""

    users: Annotated[int, Field(ge=1, le=50_000_000)]
    """Number of users."""
    items: Annotated[int, Field(ge=3, le=50_000_000)]
    """Number of items, each of which occurs."""
    mean_length: Annotated[float, Field(ge=3)]
    """Interactions per user."""
    min_length: Annotated[int, Field(ge=3)] = 5
    """Interactions of the shortest user."""
    max_length: Annotated[int, Field(ge=3)]
    """No user has more."""
    seed: Annotated[int, Field(ge=0)] = 0
    """The same seed gives the same log."""
    genres: Count = 20
    """Groups of items that interests are about."""
    follow: Annotated[float, Field(ge=0, le=1)] = 0.35
    """Probability that an item is a usual successor of the one before it."""
    recall: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Probability that it is a usual successor of the one before that."""
    drift: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Probability that the interest moves to another genre before an interaction."""
    tail: Annotated[float, Field(ge=0, le=3)] = 0.8
    """Exponent of the popularity in a genre: the item at rank r is drawn in proportion to
    r ** -tail."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> "Simulation":
        if not self.min_length <= self.mean_length <= self.max_length:
            raise ValueError("min_length <= mean_length <= max_length must hold")
        if self.max_length > self.items:
            raise ValueError("max_length must not exceed items: no user meets an item twice")
        if self.genres > self.items:
            raise ValueError("there must be at least as many items as genres")
        if self.follow + self.recall > 1:
            raise ValueError("follow + recall must not exceed 1")
        if self.items > self.users * self.mean_length:
            raise ValueError("there must be at least as many interactions as items")
        return self


class Dataset(Strict):
    """A dataset: where it is had, how it is read, what is kept of it."""

    title: Annotated[str, AfterValidator(lambda title: " ".join(title.split()))]
    """Its name in tables and figures."""
    description: str = ""
    """What an interaction is."""
    origin: str = ""
    """Who collected it and where it comes from."""
    licence: str = ""
    """Its licence or terms of use."""
    citation: str = ""
    """What to cite."""
    max_length: Annotated[int, Field(ge=2)]
    """How many of a user's latest items a model sees."""
    sources: tuple[Source, ...] = ()
    """Alternatives, in order; any one is enough."""
    manual: str = ""
    """How to get the file by hand."""
    format: Format = Format()
    """How the file is read."""
    filter: Filter = Filter()
    """Which interactions are kept."""
    expected: Expected | None = None
    """The size it must come out with."""
    simulate: Simulation | None = None
    """Simulate the data instead of having it from somewhere."""

    @model_validator(mode="after")
    def _has_one_way_to_be_had(self) -> "Dataset":
        if bool(self.sources) == (self.simulate is not None):
            raise ValueError("give either 'sources' or 'simulate'")
        return self


def dataset_names(folder: Path = FOLDER) -> list[str]:
    """Names of the datasets that have a YAML in `folder`."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_dataset(name: str, folder: Path = FOLDER) -> Dataset:
    """Read `<folder>/<name>.yaml`."""
    names = dataset_names(folder)
    if not folder.is_dir():
        raise SeqrecError(f"{folder}/: not here. Run from the project's folder.")
    if name not in names:
        raise SeqrecError(
            f"{folder}: no dataset {name!r} ({nearest(name, names)}). "
            f"A dataset of your own is one more file, {folder}/<name>.yaml."
        )
    path = folder / f"{name}.yaml"
    dataset = check_values(Dataset, load_yaml(path), str(path))
    for source in dataset.sources:
        if source.file == f"{name}.json":
            raise SeqrecError(
                f"{path}: sources: {source.file!r} is what the download's own record is called, "
                "which would take its place. Rename the file or the dataset."
            )
    return dataset
