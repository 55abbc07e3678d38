"""synthseg: label maps of 20 real heads, and T1-like images that are synthesised from them.

The anatomy is real, the intensities are not: each image is drawn from its subject's label map by the recipe of
`datasets.synthesis.t1`, seeded subject by subject. Maps are brought into one space first, that of `brain_pair` (see
`datasets.synthesis.alignment`), whose grid, scale of intensities and labels are those here. Ten subjects are to train
on, two to choose on, eight to test on, every two of them in both directions.

Licence: the repository's, Apache-2.0; whose heads they are is not stated. Source: ``BBillot/SynthSeg``,
data/training_label_maps (doi:10.1016/j.media.2023.102789). The files (20, 32 MB in all) are downloaded, never
redistributed, or read from the folder ``synthseg`` of a mirror.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from datasets.brain_pair import AFFINE, NAMES
from datasets.case import Writer
from datasets.description import Description, TrainingSplit, Window, pairs_among
from datasets.download import Remote, fetch_all, supply_of
from datasets.files import DataError, read_volume
from datasets.geometry import Array
from datasets.progress import progress
from datasets.supply import Extent, Supply
from datasets.synthesis import t1
from datasets.synthesis.alignment import LabelMap, align
from datasets.values import whole_numbers

SOURCE = "https://raw.githubusercontent.com/BBillot/SynthSeg/3168fdf38ad220bd1927be43b67c5e9409a78ee7/data"
CHECKSUMS = (
    "edbf1229a0552f8ce37438d02f59e810583b71b0a1b4d31dc38e5e2b2517acb1",
    "65e64c6b9415f389dfda5182ec3a269836925b04166ea82f47b230e54980d0a4",
    "f746e2f90e4dccd7bbbdc18bdd6374e455ddb7fc044504a0a42edc8507cf1aa0",
    "fbcf9d5d3b946dc53cff2e9954abb8c8172960ac35b1bf80c3ca240b4feda140",
    "a53baa7b0faea832d45f8a5b9a234b2b6d4ca92bf5c98baeada4a935cc2f1183",
    "57d8c612469359da78b7c16647cc6979be461eb03b59805e7ebded51554f9ead",
    "feaa1e8f320e037709a51e30881fe8076a45fc06611a09bbd87e76f8f3f89826",
    "f4a9d39c5c64bc5457de84b10a4c4b47f3bb6257e9f396ffa61d290015f178d2",
    "6f41f2b755c97185167d887d95180ca4c754578f81cd30fe8119df1e20bb27d5",
    "4a0147bf1d52c6853176777554165d79a01656ddb8f8474da48b65d6218b664e",
    "02e468bbb652ff0da18eeb73932f09813150ef95155ba7669831849da8517196",
    "5d0a47dd3ff4d821cc758e388a49da5744bf86dee423ed93bf727472a8454d8d",
    "d11cf676fbd5b9316fe30acbca98c854cf88dbcee74a5fe22092ac91ccd8d3a1",
    "7b8d1783c1b5b71b454644169d848b28fa57a33ca4a9b49ff88ad897b8aea570",
    "a896e39351622c2e138195780ba267811d7d162df0da0091126550f5de3b74ff",
    "f48c442569883055440a930ad098b4e747d72deb6369f529e4486c36b0cbfe81",
    "b3497de68fe813494b619d71513bafc872b7e367ee442decd8fabc094f4402fc",
    "dbf3b2297907c88481594a2441a47aa13c75452cd7323fec0313b785b04c9671",
    "719d714096fdd3c0964ad9dae6115cef9de8d93a25105504879b0dfa844da0f8",
    "4c2ab7e6a7711a6e00b7e6c6b40d5fd8c318d0aea3c472248b97d9d4c8cea555",
)
MAPS = tuple(
    Remote(f"synthseg/{name}", f"{SOURCE}/training_label_maps/{name}", checksum, size=1_650_000)
    for name, checksum in ((f"training_seg_{number:02d}.nii.gz", text) for number, text in enumerate(CHECKSUMS, 1))
)
LICENCE = "repository under Apache-2.0 (whose heads they are is not stated)"
TRAINING, VALIDATION, TEST = range(10), range(10, 12), range(12, 20)
EXTENT = (160, 192, 224)  # mm, and voxels of brain_pair
# brain_pair's labels but for the choroid plexus, which these maps lack, and for fluid, which they draw all around the
# brain, so that skull-stripping leaves a seam of it.
LABELS = {label: name for label, name in NAMES.items() if label not in (24, 31, 63)}
NOTES = (
    "shapes are those of real heads, intensities are synthesised from their label maps: no scan is behind an image, "
    "and its contrast follows its labels more closely than a real scan's does",
    "27 of brain_pair's 30 labels are evaluated: the maps have no choroid plexus, and their fluid is all around",
    "whose heads these are is not stated, so that nobody can tell whether one is in another data set",
)


@dataclass(frozen=True, kw_only=True)
class Params:
    """The options of the synthesis; fewer subjects are the first of those that there are."""

    spacing: float = 1.0  # mm of a voxel: 1 (160 x 192 x 224 voxels), 2 (80 x 96 x 112), 4 or 8
    training: int = 10  # subjects to train on
    validation: int = 2  # subjects to choose options on, 2 or none
    test: int = 8  # subjects of which every two are registered, in both directions
    # of each subject as fixed image only so many others are moved, those that follow it; left out, all
    partners: int | None = None
    seed: int = 0  # of all intensities; each subject draws from the seed and its number

    def __post_init__(self) -> None:
        """Raise `DataError` for options that are out of range."""
        if self.spacing not in (1, 2, 4, 8):
            raise DataError(f"prepare: spacing must be 1, 2, 4 or 8 mm, got {self.spacing:g}")
        for name, most in (("training", TRAINING), ("validation", VALIDATION), ("test", TEST)):
            if not 0 <= getattr(self, name) <= len(most):
                raise DataError(f"prepare: {name} must be 0 to {len(most)} subjects, got {getattr(self, name)}")
        if self.partners is not None and self.partners < 1:
            raise DataError(f"prepare: partners must be 1 or more, got {self.partners}")
        if self.validation == 1 or self.test == 1:
            raise DataError("prepare: one subject makes no pair; validation and test take 0, or 2 and more")

    @property
    def subjects(self) -> dict[str, list[int]]:
        """The numbers, from 0, of the subjects of each split."""
        every = {"training": TRAINING, "validation": VALIDATION, "test": TEST}
        return {name: list(numbers[: getattr(self, name)]) for name, numbers in every.items()}

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels of an image."""
        return tuple(int(extent / self.spacing) for extent in EXTENT)


def supply(params: Params) -> Supply:
    """Return which label maps are wanted, and which of them are there."""
    images = sum(map(len, params.subjects.values()))
    pairs = params.test * min(params.partners or params.test, params.test - 1) if params.test else 0
    return supply_of(LICENCE, MAPS, Extent(images, pairs, math.prod(params.shape)))


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Download the label maps, align them, and write labels and images of the chosen subjects.

    Raises:
        DataError: a file cannot be had, or is no label map of a brain; the message says what to do.
    """
    brain, chosen = t1.brain_table(), [number for part in params.subjects.values() for number in part]
    wanted = sorted({*TRAINING, *chosen})  # the training subjects give the common space, whatever is chosen
    paths = fetch_all([MAPS[number] for number in wanted])
    maps = [read_map(path, brain) for path in progress(paths, "label maps", unit="map")]
    fits, away = align(maps, [wanted.index(number) for number in TRAINING])
    centred = np.eye(4)
    centred[:3, 3] = grid_affine(1)[:3] @ [*((n - 1) / 2 for n in EXTENT), 1]
    writer = Writer(folder)
    for number in progress(chosen, "T1 images", unit="image"):
        place = wanted.index(number)
        _write(writer, maps[place], centred @ fits[place], params, number)
    writer.finish(_describe(name, params, away))


def case(number: int) -> str:
    """Return the name of a subject's image."""
    return f"s{number + 1:02d}"


def grid_affine(spacing: float) -> Array:
    """Return the voxel-to-world affine of the grid with voxels of ``spacing`` mm over brain_pair's field of view."""
    coarser = np.diag([spacing, spacing, spacing, 1.0])
    coarser[:3, 3] = (spacing - 1) / 2
    return AFFINE @ coarser


def read_map(path: Path, brain: Array) -> LabelMap:
    """Read a label map, cropped around its brain; raise `DataError` for a file that is none."""
    volume = read_volume(path)
    try:
        labels, _ = whole_numbers(volume.array, len(brain) - 1)
        return LabelMap(path.name, labels.astype(np.int16), volume.affine).cropped(brain)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _write(writer: Writer, found: LabelMap, to_common: Array, params: Params, number: int) -> None:
    """Draw on finer voxels than those that are written, where these are larger than the maps' own."""
    rng = np.random.default_rng([params.seed, number])
    factor = 1 if params.spacing == 1 else 2
    finer = params.spacing / factor
    fine = found.onto(grid_affine(finer), [n * factor for n in params.shape], to_common)
    image = t1.block_mean(t1.draw(fine, finer, rng), factor)
    affine = grid_affine(params.spacing)
    labels = found.onto(affine, params.shape, to_common)
    mask = t1.brain_mask(labels, params.spacing)
    writer.image(case(number), mask * t1.acquire(image, params.spacing, rng), affine)
    writer.mask(case(number), mask, affine)
    kept = mask & (t1.brain_table()[labels] | (labels == t1.FLUID))
    writer.labels(case(number), np.where(kept, labels, 0), affine)


def _describe(name: str, params: Params, away: float) -> Description:
    cases = {split: [case(number) for number in numbers] for split, numbers in params.subjects.items()}
    pairs = {split: pairs_among(found, params.partners) for split, found in cases.items()}
    size = " x ".join(map(str, params.shape))
    return Description(
        name=name,
        module="synthseg",
        title="SynthSeg heads (real label maps, synthetic T1)",
        anatomy="brain",
        modality="T1 MR, synthesised",
        synthetic="images are synthesised from label maps of real heads, no scan is behind them",
        licence=LICENCE,
        source="github.com/BBillot/SynthSeg data/training_label_maps",
        parameters={option: value for option, value in asdict(params).items() if value is not None},
        preprocessing=(
            "label maps aligned affinely to the average of the ten training subjects by the centroids of their "
            f"structures, which then lie {away:.1f} mm (root mean square) from the average's",
            f"nearest voxel of {params.spacing:g} mm ({size} voxels); skull-stripped: the brain, fluid where the "
            f"brain blurred by {t1.SEAM_MM:g} mm fills half of the space, and what these enclose",
            "images synthesised: a Gaussian of T1 intensities for each structure, blur, partial volume, bias field, "
            f"Rician noise (seed {params.seed}), on the scale of brain_pair",
        ),
        intensity=Window("normalised T1, synthesised", 0.0, 1.0),
        shape=params.shape,
        spacing=(params.spacing,) * 3,
        orientation=("L", "I", "A"),
        labels=LABELS,
        evaluated_labels=tuple(LABELS),
        subjects={each: f"SynthSeg map {each[1:]}" for found in cases.values() for each in found},
        notes=NOTES,
        training=TrainingSplit(tuple(cases["training"])),
        validation=pairs["validation"],
        test=pairs["test"],
    )
