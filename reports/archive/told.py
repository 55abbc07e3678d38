"""What an archive says of a run beside rows and pictures: its data sets, methods, papers, trainings and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from benchmarks import records
from datasets.case import Described
from datasets.description import IMAGES, TRUTH, Description
from reports.archive.packed import TRAININGS, Archive, ArchiveError, below
from reports.reading.method import Method
from reports.reading.trainings import File, Training

NAME = "run.json"
Cast = Mapping[str, str]  # of a paper: which data set plays each of its own


@dataclass(frozen=True, kw_only=True)
class ToldData:
    """A data set: its description without checksums, and digests of its images and of its truth."""

    description: Description
    images: str = ""
    truth: str = ""


@dataclass(frozen=True, kw_only=True)
class ToldTraining:
    """The end of a training, as `reports.reading.trainings.Training` has it; its files lie apart."""

    method: str
    dataset: str
    seed: int
    status: str
    reason: str
    sha256: str = ""
    learned: records.Learned | None = None

    @property
    def folder(self) -> str:
        """Where the archive has its files."""
        return f"{TRAININGS}/{self.dataset}/{self.method}/seed{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Told:
    """All that an archive says of its run; lists have the order of display."""

    profile: str
    about: str
    datasets: list[ToldData]
    methods: list[tuple[str, Method]]
    papers: dict[str, dict[str, str]]
    trainings: list[ToldTraining]
    unavailable: list[records.Unavailable]
    networks: list[records.PaperNetwork]
    declared: list[records.Declared] = field(default_factory=list[records.Declared])
    lacking: list[records.Lacking] = field(default_factory=list[records.Lacking])


@dataclass(frozen=True)
class ArchivedFile:
    """A file in an archive, None where it has none of that name."""

    content: bytes | None

    def exists(self) -> bool:
        """Return whether it is there."""
        return self.content is not None

    def read_bytes(self) -> bytes:
        """Return its content."""
        return self.content or b""


@dataclass(frozen=True)
class ArchivedFolder:
    """A folder in an archive."""

    files: Mapping[str, bytes]

    def __truediv__(self, name: str, /) -> File:
        """Return the file of a name, which need not be there."""
        return ArchivedFile(self.files.get(name))


def told_data(dataset: Described) -> ToldData:
    """Return what an archive says of a data set; checksums of thousands of files are two digests there."""
    about = dataset.description
    lean = replace(about, files={}, archives={})
    return ToldData(description=lean, images=about.digest(IMAGES), truth=about.digest(TRUTH))


def told_training(training: Training) -> ToldTraining:
    """Return what an archive says of a training."""
    return ToldTraining(
        method=training.method,
        dataset=training.dataset,
        seed=training.seed,
        status=training.status,
        reason=training.reason,
        sha256=training.sha256,
        learned=training.learned,
    )


def training_of(archive: Archive, told: ToldTraining) -> Training:
    """Return a training as reports read it."""
    files = dict(below(archive.content, told.folder))
    folder = ArchivedFolder(files) if files else None
    return Training(told.method, told.dataset, told.seed, told.status, told.reason, folder, told.sha256, told.learned)


def encode(told: Told) -> bytes:
    """Return what is told as JSON, for people too; keys stay in their order, some of them being numbers."""
    return msgspec.json.format(msgspec.json.encode(told), indent=1)


def read_told(archive: Archive) -> Told:
    """Return what an archive says of its run; raise `ArchiveError` where it does not say it in this form."""
    try:
        return records.decode(archive.content.get(NAME, b""), Told)
    except msgspec.MsgspecError as error:
        raise ArchiveError(f"{archive.path}: {NAME} is none of this version ({error})") from error


def by_name(datasets: Sequence[ToldData]) -> dict[str, Described]:
    """Return data sets as reports know them, by name."""
    return {each.description.name: Described(each.description) for each in datasets}
