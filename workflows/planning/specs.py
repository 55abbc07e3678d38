"""The specification of each step, in the type that the plan writes and the step reads.

A job is handed the path of a file that holds its specification (`workflows.planning.spec_files`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.provenance import placeless
from benchmarks.records import Keep, Lacking, Options
from datasets.withheld import Judged
from reports.reading.method import Method

REFINEMENT = "methods.blocks.refinement.adam"  # what may follow any registration, with its options `Refinement`


def modules_of(module: str, refine: Mapping[str, object]) -> list[str]:
    """Return the modules that register: a method's own, and the one that refines after it where that has options."""
    return [module, REFINEMENT] if refine else [module]


class Spec:
    """A specification, whose step makes what is in ``folder``."""

    folder: Path

    @property
    def mark(self) -> Path:
        """The file that says which specification the results of the step were made by (`planning.marks`)."""
        return self.folder / f".{self.step}"

    @property
    def step(self) -> str:
        """The step that it is of."""
        return type(self).__name__.removesuffix("Spec").lower()

    @property
    def job(self) -> str:
        """The job in a file's name or a line of a log; empty where a step has but one."""
        return ""

    @property
    def of(self) -> str:
        """The method that the step is of; empty where it is of none."""
        return ""


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """One method as one job runs it: ``libraries`` are the versions that it depends on.

    ``module`` is a dotted name, or the file of a user's own; ``refine`` are the options of what follows each
    registration (`methods.blocks.refinement`), nothing where they are empty.
    """

    method: str
    module: str
    params: Options
    device: str
    seed: int
    libraries: dict[str, str]
    refine: Options = field(default_factory=dict)

    @property
    def modules(self) -> list[str]:
        """The modules that register: the method's own, and what refines after it."""
        return modules_of(self.module, self.refine)

    @property
    def identity(self) -> Mapping[str, object]:
        """What tells its results from those of others: the place of a user's own file does not."""
        own = {key: value for key, value in asdict(self).items() if key != "refine" or value}
        return {**own, "module": placeless(self.module)}

    @property
    def options(self) -> Mapping[str, object]:
        """The options as a row of provenance has them."""
        return {**self.params, "refine": self.refine} if self.refine else self.params


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One method on one data set.

    ``data`` is the folder of the prepared data, ``training`` the training.json of a method that learns, ``time_limit``
    in seconds for one pair. ``truth`` says that the method is given the true displacement; ``given`` are the files and
    folders that its options name.
    """

    by: MethodSpec
    dataset: str
    data: Path
    training: Path | None
    time_limit: float
    truth: bool = False
    given: list[Path] = field(default_factory=list[Path])


@dataclass(frozen=True, kw_only=True)
class PrepareSpec(Spec):
    """A data set to be prepared in ``folder`` by a module of `datasets`; ``judge`` says which pairs are registered.

    ``changes`` says how often the original files have changed (`workflows.running.stale`), so that each time makes
    another specification.
    """

    name: str
    module: str
    params: Options
    folder: Path
    judge: Judged = "test"
    changes: int = 0

    @property
    def job(self) -> str:
        """The job in a file's name or a line of a log."""
        return self.name


@dataclass(frozen=True, kw_only=True)
class TrainSpec(Spec):
    """A method to be trained on the data set ``dataset``, prepared in ``data``.

    ``teacher`` is the training.json of the method that a student learns from, ``watch`` the folders of the data sets
    that snapshots are judged on, ``sources`` the code that the training depends on.
    """

    by: MethodSpec
    dataset: str
    data: Path
    training: Options
    teacher: Path | None
    watch: list[Path]
    sources: list[Path]
    folder: Path

    @property
    def job(self) -> str:
        """The job in a file's name or a line of a log."""
        return f"{self.dataset}-{self.by.method}-seed{self.by.seed}"

    @property
    def of(self) -> str:
        """The method that is trained."""
        return self.by.method


@dataclass(frozen=True, kw_only=True)
class EvaluateSpec:
    """One chunk of registrations to be judged in its ``folder``; ``judge`` is the code that the numbers depend on."""

    dataset: str
    method: str
    seed: int
    chunk: int
    chunks: int
    data: Path
    folder: Path
    keep: Keep
    judge: list[Path]


@dataclass(frozen=True, kw_only=True)
class RegisterSpec(Spec):
    """One of ``chunks`` chunks of a data set's test pairs to be registered; ``sources`` is the code it depends on.

    ``judging`` says how they are judged afterwards; None leaves them unjudged.
    """

    run: RunSpec
    chunk: int
    chunks: int
    sources: list[Path]
    folder: Path
    judging: EvaluateSpec | None = None

    @property
    def job(self) -> str:
        """The job in a file's name or a line of a log."""
        return f"{self.run.dataset}-{self.run.by.method}-seed{self.run.by.seed}-chunk{self.chunk}"

    @property
    def of(self) -> str:
        """The method that registers."""
        return self.run.by.method


@dataclass(frozen=True, kw_only=True)
class CollectSpec(Spec):
    """The folders of chunks whose rows become the tables in ``folder``."""

    chunks: list[Path]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class PaperSizeSpec:
    """Networks to be timed at their papers' size on two images of a ``grid``, with weights drawn at random.

    ``methods`` have their own options here; the step makes them the paper's (``full``) and times equal ones once, where
    any of them is ``timed``. ``once`` are called once, ``all_threads`` are not timed on one thread.
    """

    grid: list[int]
    methods: list[MethodSpec]
    timed: list[str]
    once: list[MethodSpec]
    all_threads: list[str]
    time_limit: float


@dataclass(frozen=True, kw_only=True)
class TimingSpec(Spec):
    """Runs to be timed on the first ``pairs`` of their data sets, ``rounds`` times; ``paper`` at the papers' size."""

    runs: list[RunSpec]
    pairs: int
    rounds: int
    paper: PaperSizeSpec | None = None
    folder: Path


@dataclass(frozen=True, kw_only=True)
class RegressionSpec(Spec):
    """A finished run to be compared with the accepted numbers of its profile.

    ``controls`` are the methods that neither learn nor optimise, ``base`` is an older commit that is measured beside
    where it is not empty, by these ``configfiles``, ``speed`` says whether speed is looked at.
    """

    profile: str
    folder: Path
    controls: list[str]
    base: str
    configfiles: list[Path]
    speed: bool


@dataclass(frozen=True, kw_only=True)
class ExportSpec(Spec):
    """The finished run to be archived; data sets and methods are lists, which keep the order of display.

    ``about`` says what the profile cuts, ``chunks`` into how many parts each data set was divided, ``papers`` which of
    its data sets plays each one of a paper's, ``lacking`` which data sets the run went on without.
    """

    profile: str
    about: str
    folder: Path
    trainings: list[Path]
    datasets: list[tuple[str, Path]]
    chunks: dict[str, int]
    papers: dict[str, dict[str, str]]
    methods: list[tuple[str, Method]]
    lacking: list[Lacking] = field(default_factory=list[Lacking])


@dataclass(frozen=True, kw_only=True)
class ReportSpec(Spec):
    """The archive to be reported; the report lies in ``folder``."""

    archive: Path
    folder: Path
