"""The registry of datasets: one typed YAML file each, which says where to get the data and how to
read it.

No data file is opened here. The module is imported wherever names of datasets are needed, so it
imports nothing heavy.
"""

from pathlib import PurePath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from seqrec.data.formats import Count, Filter, Format, Grown
from seqrec.errors import SeqrecError
from seqrec.files import MAX_NAME_BYTES
from seqrec.layout import CONFIG_FILES, ConfigFiles, manifest, no_project
from seqrec.typed_yaml import Pattern, Strict, check_values, load_yaml, require_name
from seqrec.wording import nearest, quoted


def _has_a_host(url: str) -> str:
    try:
        address = urlsplit(url)
        host = (address.hostname or "").removesuffix(".")
        if address.port == 0 or not (":" in host or host.encode("idna")):
            raise ValueError
    except ValueError:  # from the standard library: each part of a name has 1 to 63 characters
        raise ValueError("names no host that can exist") from None
    return url


HttpsUrl = Annotated[
    str,
    Pattern(r"^https://[^\s/]+/\S+$", "write an address such as https://example.org/log.csv"),
    AfterValidator(_has_a_host),
]
Sha256 = Annotated[str, Pattern(r"^[0-9a-f]{64}$", "write 64 digits from 0 to 9 and a to f")]
Sha1 = Annotated[str, Pattern(r"^[0-9a-f]{40}$", "write 40 digits from 0 to 9 and a to f")]


class Source(Grown):
    """One file that holds the data; any one source of a dataset is enough."""

    added = frozenset({"member_sha256"})

    file: Annotated[str, Field(min_length=1)]
    """The file's name in a mirror and in data/raw/. Without `urls` it may be a path."""
    urls: tuple[HttpsUrl, ...] = ()
    """Where to download it, in order of preference."""
    member: str | None = None
    """The file to read inside a zip archive. Default: the archive's only file."""
    member_sha256: Sha256 | None = None
    """SHA-256 of that file, for an archive whose own checksum is not known."""
    sha256: Sha256 | None = None
    """SHA-256 of the file."""
    git_blob: Sha1 | None = None
    """Git's object id of the file's content."""
    format: Format | None = None
    """How to read this file, if not by the dataset's format."""
    filter: Filter | None = None
    """Which interactions to keep, if not by the dataset's filter."""

    @model_validator(mode="after")
    def _downloads_have_a_plain_name(self) -> "Source":
        if self.urls and PurePath(self.file).name != self.file:
            raise ValueError(f"a file with urls needs a plain name, not {quoted(self.file)}")
        if self.member is not None and not self.file.lower().endswith(".zip"):
            raise ValueError("'member' names a file inside a .zip")
        if self.member_sha256 is not None and self.member is None:
            raise ValueError("'member_sha256' needs a 'member'; a file's own checksum is 'sha256'")
        if any(len(part.encode()) > MAX_NAME_BYTES for part in PurePath(self.file).parts):
            raise ValueError(f"names of files and folders have at most {MAX_NAME_BYTES} bytes")
        return self

    @property
    def checksummed(self) -> bool:
        """Whether a checksum of the file is known."""
        return any((self.sha256, self.git_blob, self.member_sha256))


class Expected(Strict):
    """The known size of the preprocessed dataset."""

    users: Count
    """Number of users."""
    items: Count
    """Number of items."""
    interactions: Count
    """Number of interactions."""
    min_length: Count
    """Number of interactions of the user with the fewest."""
    mismatch: Literal["error", "warning"] = "error"
    """How to treat another size although the checksum is right: as an error if the size was
    counted from that very file, as a warning if it was only published."""


class Simulation(Strict):
    """A simulated log: its size, and the strength of the patterns in it (see
    seqrec.data.simulation)."""

    users: Annotated[int, Field(ge=1, le=50_000_000)]
    """Number of users."""
    items: Annotated[int, Field(ge=3, le=50_000_000)]
    """Number of items; each occurs at least once."""
    mean_length: Annotated[float, Field(ge=3)]
    """Mean number of interactions per user."""
    min_length: Annotated[int, Field(ge=3)] = 5
    """Number of interactions of the user with the fewest."""
    max_length: Annotated[int, Field(ge=3)]
    """Upper limit of a user's interactions."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the random generator; the same seed gives the same log."""
    genres: Count = 20
    """Number of groups of items; a user's interest is in one of them at a time."""
    follow: Annotated[float, Field(ge=0, le=1)] = 0.35
    """Probability that an item is a usual successor of the previous item."""
    recall: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Probability that an item is a usual successor of the item before the previous one."""
    drift: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Probability that the interest moves to another genre before an interaction."""
    tail: Annotated[float, Field(ge=0, le=3)] = 0.8
    """Exponent of the popularity within a genre: the item at popularity rank r is drawn in
    proportion to r ** -tail."""

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
    """A dataset: where to get it, how to read it, and which interactions to keep."""

    title: Annotated[str, AfterValidator(lambda title: " ".join(title.split()))]
    """The dataset's name in tables and figures."""
    description: str = ""
    """What an interaction means."""
    origin: str = ""
    """Who collected the data, and where they come from."""
    licence: str = ""
    """Licence or terms of use."""
    citation: str = ""
    """The publication to cite."""
    max_length: Annotated[int, Field(ge=2)]
    """Number of a user's latest items that a model sees."""
    sources: tuple[Source, ...] = ()
    """Alternative files, in order of preference; any one is enough."""
    manual: str = ""
    """How to obtain the file by hand."""
    format: Format = Format()
    """How to read the file."""
    filter: Filter = Filter()
    """Which interactions to keep."""
    expected: Expected | None = None
    """The size that the preprocessed dataset must have."""
    simulate: Simulation | None = None
    """Simulate the data instead of fetching them."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> "Dataset":
        if bool(self.sources) == (self.simulate is not None):
            raise ValueError("give either 'sources' or 'simulate'")
        return self

    @model_validator(mode="after")
    def _conditions_can_be_tested(self) -> "Dataset":
        for format, filter in map(self.reading, [None, *range(len(self.sources))]):
            for column in filter.where:
                if format.kind == "jsonl" and isinstance(column, int):
                    raise ValueError("columns of a jsonl file are keys: name them in 'where', too")
                by_name = format.has_header or format.kind in ("parquet", "jsonl")
                if isinstance(column, str) and not by_name:
                    raise ValueError(
                        f"'where' names the column {quoted(column)}, but no header line does: give "
                        "its position from 0, or write 'header: true' under 'format'"
                    )
        return self

    def reading(self, source: int | None) -> tuple[Format, Filter]:
        """Return how to read the file of a source, by its index; None stands for a simulated
        file."""
        if source is None:
            return self.format, self.filter
        return self.sources[source].format or self.format, (
            self.sources[source].filter or self.filter
        )


def dataset_names(config: ConfigFiles | None = None) -> list[str]:
    """Return the names of all datasets in the registry, sorted."""
    return (config or CONFIG_FILES).datasets()


def load_dataset(name: str, config: ConfigFiles | None = None) -> Dataset:
    """Read the registry's entry `name`.

    Raises `SeqrecError` if there is none, or if it is not valid.
    """
    config = config or CONFIG_FILES
    if not config.folder.is_dir():
        raise SeqrecError(no_project(config))
    require_name(name, "dataset")
    path = config.dataset(name)
    if name not in (names := dataset_names(config)):
        raise SeqrecError(
            f"{path.parent}: no dataset {quoted(name)} ({nearest(name, names)}). "
            f"To add a dataset of your own, write {path}."
        )
    dataset = check_values(Dataset, load_yaml(path), str(path))
    for source in dataset.sources:
        if source.file == manifest(name).name:
            raise SeqrecError(
                f"{path}: sources: {quoted(source.file)} is the name of the download's own record, "
                "which would overwrite the file. Rename the file or the dataset."
            )
    return dataset
