"""Register your own pair: two files, or DICOM folders, of any size, spacing and orientation.

    python -m workflows.pair fixed.nii.gz moving.nii.gz --method ants-syn-mattes --out result

The folder then has the warped image on the fixed image's grid, the displacement in Learn2Reg's form and as an ITK
transform, a picture, and registration.json, which says what was done; with labels or landmarks of both images the
numbers too. Several methods are compared: --methods demons,elastix-bspline. How the images come to one grid is said in
docs/pair.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from datasets.files import DataError, one_line
from datasets.own.points import read_points
from datasets.own.scans import Scan, read_labels, read_scan
from datasets.own.words import UNITS
from workflows.configuration.config import nearest
from workflows.configuration.resolve import catalogue, resolve
from workflows.configuration.settings import Settings
from workflows.pair.comparing import Pair, compare
from workflows.pair.grids import Rule, working_grid
from workflows.pair.judging import Truth
from workflows.pair.outputs import check_folder
from workflows.pair.registering import Order
from workflows.planning.code import libraries_of
from workflows.planning.specs import MethodSpec
from workflows.running import environment
from workflows.running.command import of_system

ABOUT = "about"  # the key of a checkpoint's metadata


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what cannot be done is one line, and nothing is left half-written."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    environment.adopt(environment.for_threads(given.threads))
    try:
        failed = _run(given)
    except KeyboardInterrupt:
        sys.exit("error: stopped before its end")
    except DataError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {of_system(error)}")
    if failed:
        sys.exit(f"error: {failed}")


def _run(given: argparse.Namespace) -> str:
    """Check everything first, then register; return why a method failed, empty where none did."""
    _check(given)
    orders = _orders(given)
    fixed, moving = read_scan(given.fixed), read_scan(given.moving)
    truth = _truth(given, fixed, moving)
    rule = Rule(given.spacing, tuple(given.window) if given.window else None, given.align)
    pair = Pair(fixed, moving, truth, rule, working_grid(fixed, moving, rule))
    given.out.mkdir(parents=True, exist_ok=True)
    with _scratch(given.out) as work:
        return compare(pair, orders, given.out, work=work, threads=given.threads)


def _check(given: argparse.Namespace) -> None:
    inputs = [given.fixed, given.moving, *(given.labels or ()), *(given.landmarks or ())]
    check_folder(given.out, inputs)
    if given.spacing is not None and not given.spacing > 0:
        raise DataError(f"--spacing: expected mm above 0, got {given.spacing:g}")
    if given.window and not given.window[1] > given.window[0]:
        raise DataError("--window: the second number has to be the larger one")
    cores = os.cpu_count() or 1
    if not 1 <= given.threads <= cores:
        raise DataError(f"--threads: expected 1 to {cores}, the cores of this machine, got {given.threads}")


def _orders(given: argparse.Namespace) -> list[Order]:
    names = list(dict.fromkeys([*given.method, *(name for text in given.methods for name in text.split(",") if name)]))
    if not names:
        raise DataError("name a method: --method NAME, or --methods NAME,NAME (python -m workflows.show lists them)")
    weights = dict(_named(text, names) for text in given.weights)
    known = _settings(names, list(_changes(given.set, names)), given.like)
    return [_order(known, name, given, weights.get(name)) for name in names]


def _named(text: str, names: Sequence[str]) -> tuple[str, Path]:
    """Read ``FILE`` of the only method, or ``METHOD=FILE``."""
    method, equals, file = text.partition("=")
    if equals and method in names:
        return method, Path(file)
    if len(names) == 1:
        return names[0], Path(text)
    raise DataError(f"--weights: of several methods say whose they are: METHOD=FILE, got {text}")


def _changes(given: Sequence[str], names: Sequence[str]) -> Iterator[_Change]:
    """Read ``OPTION=VALUE`` of all methods, and ``METHOD.OPTION=VALUE`` of one."""
    for text in given:
        option, equals, value = text.partition("=")
        method, _, own = option.partition(".") if option.split(".")[0] in names else ("", "", option)
        if not equals or not own:
            raise DataError(f"--set: expected OPTION=VALUE or METHOD.OPTION=VALUE, got {text!r}")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise DataError(f"--set: {text!r}: {one_line(error)}") from error
        yield from (_Change(name, own, read) for name in ([method] if method else names))


def _truth(given: argparse.Namespace, fixed: Scan, moving: Scan) -> Truth:
    labels, points = given.labels, given.landmarks
    both = points and (
        read_points(points[0], fixed, given.landmark_unit),
        read_points(points[1], moving, given.landmark_unit),
    )
    if both and len(both[0]) != len(both[1]):
        raise DataError(f"--landmarks: {points[0]} has {len(both[0])} landmarks, {points[1]} has {len(both[1])}")
    maps = labels and (read_labels(labels[0], fixed), read_labels(labels[1], moving))
    return Truth(maps, both)


@dataclass(frozen=True)
class _Change:
    """An option of a method that is to be otherwise than in the catalogue."""

    method: str
    option: str
    value: object


def _settings(methods: Sequence[str], changes: Sequence[_Change], like: str) -> Settings:
    """Return the catalogue with its options, which are the papers' at their sizes, and with those asked for; checked.

    Args:
        methods: the names of the methods.
        changes: what is to be otherwise.
        like: the data set of the catalogue whose options the methods take; empty for those that hold everywhere.
    """
    known = catalogue()
    for method in methods:
        if method not in known["methods"]:
            raise DataError(f"--method: {method!r} is not in the catalogue; {nearest(method, known['methods'])}")
    if like and like not in known["datasets"]:
        raise DataError(f"--like: {like!r} is no data set of the catalogue; {nearest(like, known['datasets'])}")
    entries = {
        method: {"params": {each.option: each.value for each in changes if each.method == method}}
        for method in dict.fromkeys(each.method for each in changes)
    }
    if like:
        entries = {name: {"by_dataset": {like: entry}} for name, entry in entries.items()}
    chosen = {"datasets": [like or next(iter(known["datasets"]))], "methods": list(methods)}
    return resolve({"profile": "pair", "seeds": [0], "run": chosen, "methods": entries})


def _order(known: Settings, method: str, given: argparse.Namespace, weights: Path | None) -> Order:
    """Return a method's order, checked; raise `DataError` for one that lacks its weights or cannot run on two images.

    The metadata of weights say which network they are of.
    """
    if "true_displacement" in known.needs(method):
        raise DataError(f"--method: {method} is given the true displacement, which your pair does not have")
    if missing := [name for name in known.needs(method) if name.endswith("_mask")]:
        raise DataError(f"--method: {method} needs {' and '.join(missing)}, which this command does not give")
    if known.trains(method) and weights is None:
        raise DataError(
            f"--method: {method} is a network: name its weights (--weights FILE.safetensors), such as the "
            "weights.safetensors below results/mini/models that a run leaves"
        )
    if weights is not None and not known.trains(method):
        raise DataError(f"--weights: {method} is no network")
    module = known.module(method)
    own = _options_of(weights, module) if weights else {}
    by = MethodSpec(
        method=method,
        module=module,
        params={**known.params(method, given.like), **own},
        device=given.device,
        seed=given.seed,
        libraries=libraries_of(module),
    )
    return Order(by, weights, known.time_limit(method, given.like))


def _options_of(weights: Path, module: str) -> Mapping[str, object]:
    """Return the options of the network that a file has the weights of, as its metadata have them."""
    if not weights.is_file():
        raise DataError(f"--weights: {weights}: no such file")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "np") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
    except (SafetensorError, ValueError, OSError) as error:
        raise DataError(f"--weights: {weights}: not a safetensors file ({one_line(error)})") from error
    trained_by = about.get("method", "nothing of this project")
    if f"methods.{trained_by}" != module:
        raise DataError(f"--weights: {weights}: of {trained_by}, while the method is of {module}")
    return about.get("params", {})


@contextlib.contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=out, prefix=".work-") as folder:
        yield Path(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workflows.pair", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("fixed", type=Path, help="the image that stays: NIfTI, MetaImage, NRRD, or a folder with one DICOM series")
    add("moving", type=Path, help="the image that is brought onto it")
    add("--method", action="append", default=[], metavar="NAME", help="a method of the catalogue")
    add("--methods", action="append", default=[], metavar="NAME,...", help="several, to be compared")
    add("--out", required=True, type=Path, metavar="FOLDER", help="where the results go")
    add("--labels", nargs=2, type=Path, metavar=("F", "M"), help="label maps of both images")
    add("--landmarks", nargs=2, type=Path, metavar=("F", "M"), help="corresponding landmarks, three numbers a row")
    add("--landmark-unit", choices=list(UNITS), default="voxels", help="; ".join(f"{k}: {v}" for k, v in UNITS.items()))
    add("--weights", action="append", default=[], metavar="FILE", help="a network's weights; of several: METHOD=FILE")
    add(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="an option, METHOD.OPTION of one method",
    )
    add("--like", default="", metavar="DATA SET", help="take the options that the methods have on this data set")
    add("--spacing", type=float, metavar="MM", help="register on voxels of this size, not the fixed image's own")
    add("--window", nargs=2, type=float, metavar=("LOW", "HIGH"), help="intensities that become 0 and 1, such as HU")
    add("--align", choices=["header", "centre"], default="header", help="how the images are laid before the method")
    add("--device", choices=["cpu", "cuda"], default="cpu", help="of networks")
    add("--seed", type=int, default=0, help="of whatever is random")
    add("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads; all cores where left out")
    return parser


if __name__ == "__main__":
    main()
