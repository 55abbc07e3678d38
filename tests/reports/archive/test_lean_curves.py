"""Long curves are archived as means of rows: what only some rows have is not lost, nor the end of the training."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd

from reports.archive.lean import FEWEST, TOGETHER, lean_files, lean_lines
from reports.claims.contents import Flattening
from reports.claims.training import flattened


def curve(length, noise=0.0):
    rng = np.random.default_rng(3)
    loss = np.exp(-6 * np.arange(length) / length) + noise * rng.normal(size=length)
    rows = [{"iteration": k, "total": value, "seconds": 0.5 * (k + 1)} for k, value in enumerate(loss.tolist())]
    for row in rows[3::25]:  # as a teacher's share is logged: every 25th, never at a place that 8 divides
        row["teacher_share"] = 0.25
    return rows


def packed(rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def read(content):
    return pd.DataFrame([json.loads(line) for line in content.splitlines()])


def test_a_short_curve_keeps_its_rows():
    rows = curve(150)
    assert np.allclose(read(lean_lines(packed(rows), 150)).total, [row["total"] for row in rows], rtol=1e-5)


def test_a_long_curve_keeps_its_means_its_end_and_what_few_rows_have():
    whole, lean = pd.DataFrame(curve(1600)), read(lean_lines(packed(curve(1600)), 200))
    assert len(lean) == 200
    assert np.allclose(lean.total, whole.total.to_numpy().reshape(200, 8).mean(1), rtol=1e-5)
    assert (lean.iteration.iloc[-1], lean.seconds.iloc[-1]) == (1599, 800.0)
    assert lean.teacher_share.dropna().eq(0.25).all()
    assert lean.teacher_share.notna().sum() == whole.teacher_share.notna().sum()


def test_a_curve_that_had_flattened_has_as_it_is_archived():
    rule = Flattening(0.2, 0.05)
    for length in (1500, 3000):
        rows = curve(length, noise=0.05)
        assert flattened(pd.DataFrame(rows).total, rule) == flattened(read(lean_lines(packed(rows), 200)).total, rule)
    falling = [{"iteration": k, "total": 1 - k / 1500} for k in range(1500)]
    assert not flattened(read(lean_lines(packed(falling), 200)).total, rule)


def test_many_trainings_share_the_rows():
    def kept(count):
        each = [
            SimpleNamespace(
                method="net",
                dataset="d",
                seed=k,
                content=lambda name, lean: lean(packed(curve(1000))) if "curve" in name else None,
            )
            for k in range(count)
        ]
        return [len(content.splitlines()) for _, _, content in lean_files(each)]

    assert kept(1) == [1000]
    assert max(kept(100)) <= TOGETHER // 100
    assert set(kept(300)) == {FEWEST}
