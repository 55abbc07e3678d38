"""From a specification's mapping to a module's dataclass of options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from methods import progressive, recursive, voxelmorph
from methods.blocks.cascades.distillation import Aldk
from workflows.running.options import build


@dataclass(frozen=True)
class Kinds:
    shape: tuple[int, int, int] = (1, 1, 1)
    levels: tuple[int, ...] | None = None
    side: Literal["left", "right"] = "left"
    weight: float = 0.0
    folder: Path | None = None


@dataclass(frozen=True)
class Needy:
    anatomy: str


def test_every_kind_of_option_is_built():
    given = {"shape": [1, 2, 3], "levels": [4, 5], "side": "right", "weight": 1, "folder": "data"}
    assert build(Kinds, given) == Kinds((1, 2, 3), (4, 5), "right", 1.0, Path("data"))
    assert build(Kinds, {"levels": None, "folder": None}) == Kinds()


def test_a_mapping_becomes_the_dataclass_of_the_annotation():
    assert build(recursive.Training, {"aldk": {"gamma": 0.2}}).aldk == Aldk(gamma=0.2)
    assert build(recursive.Training, {"batch": 3, "aldk": None}) == recursive.Training(batch=3)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (Kinds, {"shape": [1, 2]}, "option shape: Expected `array` of length 3"),
        (Kinds, {"weight": "1"}, "option weight: Expected `float`, got `str`"),
        (Kinds, {"wait": 1}, "unknown option 'wait'"),
        (Needy, {}, "option anatomy: missing, and it has no default"),
        (recursive.Params, {"stem": "vtn"}, "option stem: Invalid enum value 'vtn'"),
        (recursive.Params, {"channels": 5}, "recursive: channels must be even and positive, got 5"),
        (recursive.Training, {"schedule": "cosine"}, "option schedule: Invalid enum value 'cosine'"),
        (recursive.Training, {"aldk": {"gamma": 2.0}}, r"aldk: gamma must lie in \[0, 1\], got 2"),
        *(
            (recursive.Training, {"aldk": {switch: "x"}}, f"option aldk.{switch}: Invalid enum value 'x'")
            for switch in ("preset", "objective", "gamma_scales", "gp_input", "gp_norm", "disc", "disc_output", "turns")
        ),
        (voxelmorph.Params, {"network": "vxm"}, "option network: Invalid enum value 'vxm'"),
        (voxelmorph.Training, {"image_loss": "mi"}, "option image_loss: Invalid enum value 'mi'"),
        (progressive.Params, {"widths": "wide"}, "option widths: Invalid enum value 'wide'"),
        (progressive.Params, {"norm": "batch"}, "option norm: Invalid enum value 'batch'"),
        (progressive.Training, {"entry": "none"}, "option entry: Invalid enum value 'none'"),
        (progressive.Training, {"entry_kernel": 5}, "option entry_kernel: Invalid enum value 5"),
        (progressive.Training, {"loss_mask": "both"}, "option loss_mask: Invalid enum value 'both'"),
        (progressive.Training, {"precision": "half"}, "option precision: Invalid enum value 'half'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(kind, given, message):
    with pytest.raises(ValueError, match=message):
        build(kind, given)
