"""From what was asked for to the methods that are run: their options, weights and files, checked before any work."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import yaml

from benchmarks.provenance import is_own
from datasets.files import DataError, one_line
from workflows.archive.card import card_of, methods_with_weights, shipped
from workflows.configuration import own_methods, sources
from workflows.configuration.config import merge, nearest
from workflows.configuration.places import located
from workflows.configuration.settings import Settings
from workflows.pair.registering import Order
from workflows.pair.weights import Recorded, learned_by, recorded
from workflows.planning.code import libraries_of
from workflows.planning.specs import MethodSpec, modules_of
from workflows.running.options import build, import_method

ACROSS = "across_modalities"  # the function of a method that says whether it can register two modalities
LOCAL = "local_correlation"  # squared in small cubes: whatever is linear there, up or down
REFINE = "refine"  # `--set refine.rate=0.2` is an option of what follows every method


@dataclass(frozen=True)
class Asked:
    """What the command line says of methods.

    Attributes:
        methods: names of the catalogue, or files of methods of the user's own.
        options: ``OPTION=VALUE``, ``METHOD.OPTION=VALUE`` and ``refine.OPTION=VALUE``.
        weights: files with weights of networks, ``METHOD=FILE`` where there are several methods.
        refine: steps of instance optimisation after every method.
        like: the data set of the catalogue whose options the methods take; empty for those that hold everywhere.
        device: where networks run.
        seed: of whatever is random.
    """

    methods: Sequence[str]
    options: Sequence[str]
    weights: Sequence[str]
    refine: int
    like: str
    device: str
    seed: int


@dataclass(frozen=True)
class _Change:
    """An option of a method that is to be otherwise than in the catalogue, under ``params`` or ``refine``."""

    method: str
    part: str
    option: str
    value: object

    @property
    def entry(self) -> Mapping[str, object]:
        return {self.method: {self.part: {self.option: self.value}}}


def configuration(asked: Asked, methods: Collection[str], datasets: Sequence[str]) -> Mapping[str, object]:
    """Return what is to be laid over a catalogue of methods and data sets; raise `DataError` for what cannot be done.

    The options are the papers' at their sizes, or those of the data set that methods are to run ``like``.
    """
    names, own = _names(asked), _own(asked)
    for method in names:
        if method not in methods and method not in own:
            raise DataError(f"--method: {method!r} is not in the catalogue; {nearest(method, methods)}")
    if asked.like and asked.like not in datasets:
        raise DataError(f"--like: {asked.like!r} is no data set of the catalogue; {nearest(asked.like, datasets)}")
    entries = reduce(merge, (change.entry for change in _changes(asked, names)), {})
    if asked.like:
        entries = {name: {"by_dataset": {asked.like: entry}} for name, entry in entries.items()}
    for name, file in own.items():
        entries = merge(entries, {name: _entry(name, file)})
    chosen = {"datasets": [asked.like or datasets[0]], "methods": names}
    return {"profile": "pair", "seeds": [0], "run": chosen, "methods": entries}


def orders(asked: Asked, known: Settings) -> list[Order]:
    """Return each method's order by its settings; raise `DataError` for the first thing that cannot be done."""
    names = _names(asked)
    named = [_named(text, names) for text in asked.weights]
    weights = dict(named)
    if len(weights) < len(named):
        raise DataError("--weights: name one file a method")
    return [_order(known, name, asked, weights.get(name)) for name in names]


def _names(asked: Asked) -> list[str]:
    names = list(dict.fromkeys(_name_of(each) if is_own(each) else each for each in asked.methods))
    if not names:
        raise DataError("name a method: --method NAME, or --methods NAME,NAME (python -m workflows.show lists them)")
    return names


def _own(asked: Asked) -> dict[str, str]:
    return {_name_of(each): each for each in asked.methods if is_own(each)}


def _name_of(file: str) -> str:
    """Return how a method of the user's own is called: as its file, in the letters of the catalogue."""
    return re.sub(r"[^a-z0-9]+", "-", Path(file).stem.lower()).strip("-") or "own"


def _named(text: str, names: Sequence[str]) -> tuple[str, Path]:
    """Read ``FILE`` of the only method, or ``METHOD=FILE``."""
    method, equals, file = text.partition("=")
    if equals and method in names:
        return method, Path(file)
    if len(names) == 1:
        return names[0], Path(text)
    raise DataError(f"--weights: of several methods say whose they are: METHOD=FILE, got {text}")


def _changes(asked: Asked, names: Sequence[str]) -> Iterator[_Change]:
    """Read the options of all methods, those of one, and those of what follows all."""
    for text in asked.options:
        option, equals, value = text.partition("=")
        first, _, rest = option.partition(".")
        method, own = (first, rest) if first in names else ("", option)
        part, own = ("refine", rest) if first == REFINE and not method else ("params", own)
        if not equals or not own:
            raise DataError(f"--set: expected OPTION=VALUE or METHOD.OPTION=VALUE, got {text!r}")
        if part == "refine" and not asked.refine:
            raise DataError(f"--set: {text!r} needs --refine N, which says how many steps follow the method")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise DataError(f"--set: {text!r}: {one_line(error)}") from error
        yield from (_Change(name, part, own, read) for name in ([method] if method else names))
    if asked.refine:
        yield from (_Change(name, "refine", "steps", asked.refine) for name in names)


def _entry(name: str, file: str) -> Mapping[str, object]:
    """Return the catalogue's entry of a method of the user's own."""
    path = Path(located(file, Path()))
    if fault := own_methods.fault_of(path):
        raise DataError(f"--method: {fault}")
    kind = "learned" if sources.has_function(path, "train") else "classical"
    return {"module": str(path), "label": name, "kind": kind}


def _order(known: Settings, method: str, asked: Asked, weights: Path | None) -> Order:
    """Return a method's order, checked; raise `DataError` for one that lacks its weights or cannot run on two images.

    The metadata of weights say which network they are of.
    """
    if "true_displacement" in known.needs(method):
        raise DataError(f"--method: {method} is given the true displacement, which your pair does not have")
    if missing := [name for name in known.needs(method) if name.endswith("_mask")]:
        raise DataError(f"--method: {method} needs {' and '.join(missing)}, which this command does not give")
    if known.trains(method) and weights is None and (weights := shipped(method)) is None:
        raise DataError(
            f"--method: {method} is a network: name its weights (--weights FILE.safetensors), such as the "
            f"weights.safetensors below results/mini/models that a run leaves{_with_weights()}"
        )
    if weights is not None and not known.trains(method):
        raise DataError(f"--weights: {method} is no network")
    module, card = known.module(method), card_of(weights) if weights else None
    kept = recorded(weights, module) if weights else Recorded()
    learned = card.learned if card else learned_by(weights) if weights else None
    said = known.params(method, asked.like)
    if weights:
        _check_network(known, method, kept, weights)
    shrink = kept.shrink or (learned.shrink if learned and learned.shrink > 1 else None)
    own = {**kept.params, "shrink": shrink} if shrink and "shrink" not in said else kept.params
    refine = known.refine(method, asked.like)
    by = MethodSpec(
        method=method,
        module=module,
        params={**said, **own},
        device=asked.device,
        seed=asked.seed,
        libraries=libraries_of(*modules_of(module, refine)),
        refine=refine,
    )
    across = _across(by, known.module_path(method))
    page = "; docs/weights.md says for what" if weights == shipped(method) else ""
    told = f"{card.in_words}{page}" if card else ""
    return Order(by, weights, known.time_limit(method, asked.like), across, learned, kept.seen, told, kept.phantom)


def _check_network(known: Settings, method: str, kept: Recorded, weights: Path) -> None:
    """Raise `DataError` where weights are of a network that the method, as it is asked for, is on no data set."""
    usual = [known.params(method, name) for name in ("", *known.config.datasets)]
    for option, value in kept.params.items():
        fit = list(dict.fromkeys(str(each[option]) for each in usual if option in each))
        # Where a data set leaves it to the method, only the method knows what it becomes there.
        if str(value) not in fit and all(option in each for each in usual):
            raise DataError(
                f"--weights: {weights}: of a network with {option} = {value}, where {method} has {' or '.join(fit)}; "
                "name the method that they were trained as"
            )


def _with_weights() -> str:
    """Return which methods need none named, in words; empty where none has weights here."""
    names = [f"--method {name}" for name in methods_with_weights()]
    return f"; the project brings some for {' and '.join(names)}" if names else ""


def _across(by: MethodSpec, file: Path) -> bool:
    """Return whether a method and what refines after it can register two modalities; true where none can be asked."""
    if not sources.has_function(file, ACROSS):
        return False
    try:
        module = import_method(by.module)
        able = getattr(module, ACROSS)(build(module.Params, by.params))
    except (ImportError, TypeError, ValueError):  # its step will say why
        return True
    return bool(able) and (not by.refine or by.refine.get("similarity", LOCAL) == LOCAL)
