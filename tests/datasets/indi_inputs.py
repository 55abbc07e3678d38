"""Small heads as ABIDE and ADHD-200 have them: FreeSurfer's MGZ, NIfTI in two layouts."""

import nibabel as nib
import numpy as np
from scipy import ndimage

from datasets.brain_pair import NAMES as NAMED
from datasets.bucket import indi_files

SHAPE = (28, 26, 30)
AFFINE = np.array([[-1.0, 0, 0, 12], [0, 0, 1.0, -14], [0, -1.0, 0, 13], [0, 0, 0, 1]])  # FreeSurfer's own axes
NAMES = ["Caltech_0051456", "CMU_a_0050642", "NYU_0050954", "Yale_0050551"]
OPTIONS = {"training": 2, "validation": 0, "test": 2, "shape": [20, 22, 18], "spacing": 1.2}
RAW_AFFINE = np.diag([-1.1, 1.0, 1.3, 1.0])  # axes to left, anterior, superior
RAW_FILES = {
    "abide2": ("ABIDEII-GU_1/28741/session_1/anat_1/anat.nii.gz", "GU-1-28741"),
    "adhd200": ("NYU/sub-0010001/ses-1/anat/sub-0010001_ses-1_run-1_T1w.nii.gz", "NYU-0010001"),
}


def brain(seed):
    """A brain off the middle with some of FreeSurfer's labels, one of which (77) is not evaluated."""
    i, j, k = np.indices(SHAPE)
    inside = ((i - 12 - seed) / 8) ** 2 + ((j - 12) / 7) ** 2 + ((k - 15) / 9) ** 2 < 1
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).random(SHAPE), 1.5)
    labels = np.where(inside, np.random.default_rng(seed).choice([*NAMED, 77], SHAPE), 0)
    return np.where(inside, 40 + 150 * smooth, 0).astype(np.uint8), labels.astype(np.int32)


def put(folder, name, seed):
    for kind, values in zip(("brain", "aseg"), brain(seed), strict=True):
        path = folder / name / "mri" / f"{kind}.mgz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.MGHImage(values, AFFINE), path)


def put_raw(folder, collection):
    """Write two T1 scans, and a series that is none, below the folder of all collections."""
    name, _ = RAW_FILES[collection]
    others = [name.replace("28741", "28742").replace("0010001", "0010002"), name.replace("anat", "func")]
    for seed, each in enumerate([name, *others]):
        path = folder / collection / each
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(brain(seed)[0].astype(np.int16), RAW_AFFINE), path)


def put_table(mirror):
    """Write the table of ABIDE's subjects, one of them without a file."""
    rows = [f"{n},X,{name}" for n, name in enumerate([*NAMES, "no_filename"])]
    (mirror / indi_files.TABLE.name).write_text("\n".join(["SUB_ID,SITE_ID,FILE_ID", *rows]) + "\n")
