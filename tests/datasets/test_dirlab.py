"""The DIR-Lab landmark importer against the published distances before registration."""

import numpy as np
import pytest

from datasets import dirlab
from datasets.chest_ct.pairs import distances
from datasets.files import DataError
from tests.datasets.dirqa_inputs import dirqa_file

PUBLISHED = [3.89, 4.34, 6.94, 9.83, 7.48, 10.89, 11.03, 14.99, 7.92, 7.30]
PUBLISHED_SD = [2.78, 3.90, 4.05, 4.85, 5.50, 6.96, 7.42, 9.00, 3.97, 6.34]


@pytest.mark.fault(18)
@pytest.mark.parametrize("case", range(1, 11))
def test_identity_tre_equals_the_published_one(case):
    inhale, exhale = dirlab.read_dirqa(dirqa_file(case))
    distance = distances(*(points * dirlab.CASES[case].spacing for points in (inhale, exhale)))
    assert len(distance) == 300
    assert distance.mean() == pytest.approx(PUBLISHED[case - 1], abs=0.01)
    assert distance.std() == pytest.approx(PUBLISHED_SD[case - 1], abs=0.006)
    dirlab.check_case(case, inhale, exhale)


def test_inhale_lies_lower_in_the_body():
    # z grows from superior to inferior, so the inhaled landmark has the larger z
    inhale, exhale = dirlab.read_dirqa(dirqa_file(1))
    assert (inhale - exhale).mean(axis=0)[2] > 1


def test_text_and_matlab_forms_agree(tmp_path):
    inhale, _ = dirlab.read_dirqa(dirqa_file(1))
    path = tmp_path / "Case1_300_T00_xyz.txt"
    np.savetxt(path, inhale + 1, fmt="%d", delimiter="\t")
    assert np.array_equal(dirlab.parse_text(path.read_text(), str(path)), inhale)


@pytest.mark.fault(18)
@pytest.mark.parametrize("spoil", ["swapped_columns", "one_from_zero", "one_turned", "shifted_rows", "cut", "outside"])
def test_spoiled_landmarks_are_refused(spoil):
    inhale, exhale = dirlab.read_dirqa(dirqa_file(8))
    if spoil == "swapped_columns":
        inhale, exhale = inhale[:, [2, 1, 0]], exhale[:, [2, 1, 0]]
    elif spoil == "one_from_zero":
        exhale = exhale - 1
    elif spoil == "one_turned":
        exhale = exhale[:, [1, 0, 2]]
    elif spoil == "shifted_rows":
        exhale = np.roll(exhale, 1, axis=0)
    elif spoil == "cut":
        exhale = exhale[:-1]
    else:
        inhale = inhale + 600
    with pytest.raises(DataError, match="DIR-Lab case 8"):
        dirlab.check_case(8, inhale, exhale)


@pytest.mark.parametrize("text", ["", "1\t2\n", "1\t2\tx\n"])
def test_bad_text_names_file_and_line(tmp_path, text):
    path = tmp_path / "points.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=r"points\.txt"):
        dirlab.parse_text(path.read_text(), str(path))


def test_a_foreign_mat_file_is_refused(tmp_path):
    path = tmp_path / "case.mat"
    path.write_bytes(b"<html>not a mat file</html>" * 20)
    with pytest.raises(DataError, match="not a DIR-QA landmark file"):
        dirlab.read_dirqa(path)
