"""Register your own pair: two files, or DICOM folders, of any size, spacing and orientation.

    python -m workflows.pair fixed.nii.gz moving.nii.gz --method ants-syn-mattes --out result

The folder then has the warped image on the fixed image's grid, the displacement in Learn2Reg's form and as an ITK
transform, a picture, and registration.json, which says what was done; with labels or landmarks of both images the
numbers too. Several methods are compared: --methods demons,elastix-bspline. How the images come to one grid is said in
docs/pair.md.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.clock.cores import allowed
from datasets.files import DataError
from datasets.own.points import read_points
from datasets.own.scans import Scan, read_scan
from datasets.own.words import UNITS
from workflows.configuration.resolve import catalogue, resolve
from workflows.configuration.settings import Settings
from workflows.pair.comparing import Pair, compare
from workflows.pair.judging import Truth
from workflows.pair.labels import parse, read_both
from workflows.pair.ordering import Asked, configuration, orders
from workflows.pair.outputs import check_folder
from workflows.pair.rule import Rule
from workflows.running import environment, runner
from workflows.running.machine import missing_device, of_system


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
    asked = _asked(given)
    ordered = orders(asked, _settings(asked))
    fixed, moving = read_scan(given.fixed), read_scan(given.moving)
    truth = _truth(given, fixed, moving)
    rule = Rule(given.spacing, tuple(given.window) if given.window else None, given.align)
    pair = Pair(fixed, moving, truth, rule)
    return compare(pair, ordered, given.out, threads=given.threads)


def _check(given: argparse.Namespace) -> None:
    inputs = [given.fixed, given.moving, *(given.labels or ()), *(given.landmarks or ())]
    check_folder(given.out, inputs)
    if given.spacing is not None and not given.spacing > 0:
        raise DataError(f"--spacing: expected mm above 0, got {given.spacing:g}")
    if given.count_labels and not given.labels:
        raise DataError("--count-labels: needs --labels F M, the label maps of both images")
    if given.window and not given.window[1] > given.window[0]:
        raise DataError("--window: the second number has to be the larger one")
    cores = len(allowed())
    if why := missing_device(given.device):
        raise DataError(f"--device: {given.device} cannot be used: {why}")
    if given.seed < 0:
        raise DataError(f"--seed: expected 0 or more, got {given.seed}")
    if given.refine < 0:
        raise DataError(f"--refine: expected 0 steps or more, got {given.refine}")
    if not 1 <= given.threads <= cores:
        raise DataError(f"--threads: expected 1 to {cores}, the cores that may be used here, got {given.threads}")


def _settings(asked: Asked) -> Settings:
    known = catalogue()
    return resolve(configuration(asked, known["methods"], list(known["datasets"])))


def _asked(given: argparse.Namespace) -> Asked:
    several = (name for text in given.methods for name in text.split(",") if name)
    return Asked(
        methods=[*given.method, *several],
        options=given.set,
        weights=given.weights,
        refine=given.refine,
        like=given.like,
        device=given.device,
        seed=given.seed,
    )


def _truth(given: argparse.Namespace, fixed: Scan, moving: Scan) -> Truth:
    labels, points = given.labels, given.landmarks
    both = points and (
        read_points(points[0], fixed, given.landmark_unit),
        read_points(points[1], moving, given.landmark_unit),
    )
    if both and len(both[0]) != len(both[1]):
        raise DataError(f"--landmarks: {points[0]} has {len(both[0])} landmarks, {points[1]} has {len(both[1])}")
    return Truth(labels and read_both(labels, fixed, moving, given.count_labels), both)


def _folder(text: str) -> Path:
    if not text.strip():  # a variable of the shell that is not set; the folder at hand is "."
        raise argparse.ArgumentTypeError("name a folder")
    return Path(text)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workflows.pair", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("fixed", type=Path, help="the image that stays: NIfTI, MetaImage, NRRD, or a folder with one DICOM series")
    add("moving", type=Path, help="the image that is brought onto it")
    add("--method", action="append", default=[], metavar="NAME", help="of the catalogue, or a file: ./my_method.py")
    add("--methods", action="append", default=[], metavar="NAME,...", help="several, to be compared")
    add("--out", required=True, type=_folder, metavar="FOLDER", help="where the results go")
    add("--labels", nargs=2, type=Path, metavar=("F", "M"), help="label maps of both images")
    add("--count-labels", type=_numbers, default=(), metavar="2,3,10-13", help="which labels count; left out, all")
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
    add("--refine", type=int, default=0, metavar="N", help="steps of instance optimisation after every method")
    add("--like", default="", metavar="DATA SET", help="take the options that the methods have on this data set")
    add("--spacing", type=float, metavar="MM", help="register on voxels of this size, not the fixed image's own")
    add("--window", nargs=2, type=float, metavar=("LOW", "HIGH"), help="intensities that become 0 and 1, such as HU")
    add("--align", choices=["header", "centre"], default="header", help="how the images are laid before the method")
    add("--device", choices=["cpu", "cuda"], default="cpu", help="of networks")
    add("--seed", type=int, default=0, help="of whatever is random")
    add("--threads", type=int, default=len(allowed()), help="CPU threads; all cores where left out")
    return parser


def _end_with_all() -> None:
    """Let SIGTERM and SIGHUP end this as Ctrl-C does, and what it has started end with it, however that comes."""
    runner.announce_runner()
    for stop in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(stop) is not signal.SIG_IGN:  # nohup
            signal.signal(stop, signal.default_int_handler)


if __name__ == "__main__":
    _end_with_all()
    main()
