"""Duels of speed: who is called when, what is kept of it, and the table and picture made of that."""

import json
import time

import numpy as np
import pandas as pd
import pytest

from benchmarks.speed import __main__ as command
from benchmarks.speed import threads
from benchmarks.speed.ceilings import Ceiling, Limit, ceilings, limit_of
from benchmarks.speed.duel import BUDGET, FEWEST, MOST, Contestant, run
from benchmarks.speed.figure import draw, label_of
from benchmarks.speed.measurement import Measurement, Series, SpeedRow, Subject, Work
from benchmarks.speed.rows import rows_of

COLUMNS = [
    *("name", "grid", "threads", "precision", "device"),
    *("ours_s", "peer", "peer_s", "ratio", "n", "load", "ours_cpu_s", "peer_cpu_s"),
    *("limit_s", "limit_ratio", "limit_by", "note"),
]


class Clock:
    """pytest-benchmark's fixture, without its statistics."""

    def __init__(self):
        self.group, self.extra_info, self.rounds = None, {}, 0

    def pedantic(self, target, *, setup, rounds):
        self.rounds = rounds
        for _ in range(rounds):
            setup()
            target()


@pytest.fixture(autouse=True)
def _as_many_threads_as_before():
    yield
    threads.use(threads.cores())


def equal(ours, theirs):
    assert ours == theirs


def missing():
    raise ModuleNotFoundError("No module named 'swift'")


def duel(others, ours=lambda: 7, same=equal):
    clock = Clock()
    run(clock, Subject("sum", (4, 5, 6), 1), ours, others=others, same=same)
    return clock


class TestDuel:
    @pytest.fixture(autouse=True)
    def _patience(self, monkeypatch):
        """Give time for all rounds, however busy this machine is."""
        monkeypatch.setattr("benchmarks.speed.duel.BUDGET", 3600.0)

    def test_everyone_is_called_in_turns_after_one_call_to_compare(self):
        calls = []

        def call(name):
            return lambda: calls.append(name)

        clock = duel([Contestant(lambda: call("a"), "a"), Contestant(lambda: call("b"), "b")], call("ours"))
        assert calls == ["ours", "a", "b", *["a", "b", "ours"] * clock.rounds]

    def test_each_series_has_a_time_for_each_round(self):
        clock = duel([Contestant(lambda: lambda: (time.sleep(0.02), 7)[1], "slow")])
        (series,) = clock.extra_info["others"]
        assert clock.rounds == MOST == len(series["seconds"])
        assert min(series["seconds"]) >= 0.02
        assert len(series["cpu"]) == len(clock.extra_info["cpu"]) == clock.rounds

    def test_cpu_seconds_leave_waiting_out(self):
        clock = duel([Contestant(lambda: lambda: (time.sleep(0.05), 7)[1], "asleep")])
        (series,) = clock.extra_info["others"]
        assert max(series["cpu"]) < min(series["seconds"]) / 5

    def test_two_peers_of_one_name_are_refused(self):
        with pytest.raises(ValueError, match="sum: two peers have one name, of a, a"):
            duel([Contestant(lambda: lambda: 7, "a"), Contestant(lambda: lambda: 7, "a", "mixed")])

    def test_another_result_is_never_timed(self):
        clock, wrong = Clock(), Contestant(lambda: lambda: 8, "wrong")
        with pytest.raises(AssertionError):
            run(clock, Subject("sum", (4, 5, 6), 1), lambda: 7, others=[wrong], same=equal)
        assert (clock.rounds, clock.extra_info) == (0, {})

    def test_a_peer_may_have_a_criterion_of_its_own(self):
        near = Contestant(lambda: lambda: 8, "near", same=lambda a, b: np.testing.assert_allclose(a, b, atol=1))
        assert duel([near]).rounds == MOST

    def test_a_peer_that_is_not_installed_leaves_the_others_alone(self):
        clock = duel([Contestant(missing, "swift"), Contestant(lambda: lambda: 7, "here")])
        here, swift = clock.extra_info["others"]
        assert (here["who"], len(here["seconds"])) == ("here", clock.rounds)
        assert swift["who"] == "swift"
        assert swift["reason"] == "not installed (No module named 'swift')"
        assert swift["seconds"] == ()

    @pytest.mark.parametrize("fault", [ImportError("libgreedy.so: cannot open"), OSError("libgreedy.so: cannot open")])
    def test_a_peer_that_is_there_and_broken_leaves_the_others_alone(self, fault):
        def broken():
            raise fault

        clock = duel([Contestant(broken, "swift"), Contestant(lambda: lambda: 7, "here")])
        here, swift = clock.extra_info["others"]
        assert (len(here["seconds"]), swift["reason"]) == (
            clock.rounds,
            "cannot be loaded (libgreedy.so: cannot open)",
        )

    def test_long_calls_are_made_a_few_times(self, monkeypatch):
        monkeypatch.setattr("benchmarks.speed.duel.BUDGET", BUDGET / 1000)
        assert duel([], lambda: time.sleep(BUDGET / 1000), lambda *_: None).rounds == FEWEST

    def test_what_was_timed_is_said(self):
        info = duel([]).extra_info
        assert (info["name"], info["who"], info["grid"], info["voxels"]) == ("sum", "ours", (4, 5, 6), 120)
        assert (info["threads"], info["device"], info["precision"]) == (1, "cpu", "float32")
        assert info["load"] >= 0


class TestThreads:
    def test_one_and_all_are_measured(self):
        assert threads.counts() == sorted({1, threads.cores()})

    def test_every_library_is_told(self):
        import SimpleITK as sitk  # noqa: N813 - the field's own name
        import torch

        threads.use(1)
        assert torch.get_num_threads() == 1 == sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()


def entry(others=(), **changes):
    about = {"name": "warp", "grid": (4, 5, 6), "voxels": 120, "threads": 1, "load": 0.5} | changes
    return Measurement(**about, others=list(others))


class TestRows:
    def test_each_peer_is_compared_by_medians(self):
        others = [Series("a", 1, seconds=(0.2, 9.0, 0.4)), Series("b", 1, seconds=(0.1, 0.1, 0.1))]
        rows = list(rows_of(entry(others), 0.2, 3))
        assert [(row.peer, row.peer_s, row.ratio, row.n) for row in rows] == [("a", 0.4, 2.0, 3), ("b", 0.1, 0.5, 3)]
        assert {(row.name, row.grid, row.threads, row.ours_s, row.load) for row in rows} == {
            ("warp", "4x5x6", 1, 0.2, 0.5)
        }

    def test_a_variant_of_ours_meets_the_same_peers(self):
        others = [Series("ours", 2, seconds=(0.1,)), Series("a", 1, seconds=(0.3,))]
        rows = list(rows_of(entry(others), 0.2, 1))
        assert [(row.threads, row.ours_s, row.ratio) for row in rows] == [
            (1, 0.2, pytest.approx(1.5)),
            (2, 0.1, pytest.approx(3)),
        ]

    def test_single_precision_is_not_compared_with_a_peer_in_mixed(self):
        others = [
            Series("ours", 1, "mixed", (0.1,)),
            Series("plain", 1, "float32", (0.4,)),
            Series("autocast", 1, "mixed", (0.3,)),
        ]
        rows = list(rows_of(entry(others), 0.2, 1))
        assert [(row.precision, row.peer) for row in rows] == [
            ("float32", "plain"),
            ("mixed", "plain"),
            ("mixed", "autocast"),
        ]

    def test_no_peer_and_a_missing_one_have_rows(self):
        (alone,) = rows_of(entry(), 0.2, 3)
        assert (alone.peer, alone.ratio, alone.ours_s) == ("", None, 0.2)
        (lost,) = rows_of(entry([Series("swift", 1, reason="not installed")]), 0.2, 3)
        assert (lost.peer, lost.peer_s, lost.ratio, lost.note) == ("swift", None, None, "not installed")


class TestLimits:
    """1 GFLOP/s and 2 GB/s on one thread, twice the arithmetic in mixed precision."""

    RATES = (
        Ceiling("FLOP", 1, "float32", 1e9),
        Ceiling("FLOP", 1, "mixed", 2e9),
        Ceiling("bytes", 1, "float32", 2e9),
    )

    @pytest.mark.parametrize(
        ("work", "precision", "seconds", "by"),
        [
            (Work(flops=3e9, bytes=1e9), "float32", 3, "FLOP"),
            (Work(flops=3e9, bytes=1e9), "mixed", 1.5, "FLOP"),
            (Work(flops=3e9, bytes=8e9), "mixed", 4, "bytes"),
            (Work(bytes=8e9), "float32", 4, "bytes"),
        ],
    )
    def test_the_longer_of_two_times_is_the_limit(self, work, precision, seconds, by):
        assert limit_of(work, Series("ours", 1, precision), self.RATES) == Limit(seconds, by)

    def test_what_was_not_measured_gives_no_limit(self):
        assert limit_of(None, Series("ours", 1), self.RATES) is None
        assert limit_of(Work(flops=1), Series("ours", 2), self.RATES) is None
        assert limit_of(Work(flops=1, bytes=1), Series("ours", 1), self.RATES[:1]) is None

    def test_rates_are_those_of_the_product_and_the_copy(self):
        product = entry([Series("ours", 1, "mixed", (0.5, 0.9))], name="matrix product", work=Work(flops=2e9))
        copied = entry(name="copy", threads=2, work=Work(bytes=1e9))
        assert ceilings([(product, 2.0), (copied, 0.1), (entry(work=Work(flops=9)), 1.0)]) == [
            Ceiling("FLOP", 1, "float32", 1e9),
            Ceiling("FLOP", 1, "mixed", 4e9),
            Ceiling("bytes", 2, "float32", 1e10),
        ]

    def test_a_row_says_what_the_ratio_would_be_at_best(self):
        measured = entry([Series("plain", 1, seconds=(9.0,))], work=Work(flops=3e9))
        (limited,) = rows_of(measured, 4.5, 3, self.RATES)
        assert (limited.ratio, limited.limit_s, limited.limit_ratio, limited.limit_by) == (2, 3, 3, "FLOP")


class TestCommand:
    def write(self, folder, clock):
        stats = {"median": 0.25, "min": 0.2, "rounds": clock.rounds}
        path = folder / "speed.json"
        path.write_text(json.dumps({"benchmarks": [{"stats": stats, "extra_info": clock.extra_info}]}))
        return path

    def test_the_file_of_a_duel_becomes_table_and_picture(self, tmp_path, capsys):
        path = self.write(tmp_path, duel([Contestant(lambda: lambda: 7, "here"), Contestant(missing, "swift")]))
        command.main([str(path)])
        table = pd.read_csv(tmp_path / "speed.csv").set_index("peer")
        assert list(pd.read_csv(tmp_path / "speed.csv").columns) == COLUMNS
        assert table.loc["here", "ratio"] == pytest.approx(table.loc["here", "peer_s"] / 0.25, rel=1e-4)
        assert table.loc["swift", "note"].startswith("not installed")
        assert np.isnan(table.loc["swift", "ratio"])
        assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")
        assert "swift" in capsys.readouterr().out

    def test_runs_beside_each_other_give_medians_and_their_range(self, tmp_path):
        paths = []
        for number, peer in enumerate((0.5, 2.0, 1.0)):
            clock = duel([Contestant(lambda: lambda: 7, "here"), Contestant(missing, "swift")])
            clock.extra_info["others"][0]["seconds"] = (peer,)
            (tmp_path / str(number)).mkdir()
            paths.append(self.write(tmp_path / str(number), clock))
        command.main([*map(str, paths)])
        table = pd.read_csv(tmp_path / "2" / "medians.csv").set_index("peer")
        here = table.loc["here"]
        assert (here.ratio, here.ratio_low, here.ratio_high, here.runs) == (4, 2, 8, 3)
        assert np.isnan(table.loc["swift", "ratio"])

    @pytest.mark.parametrize("content", ["{}", "no json", '{"benchmarks": [{"stats": {}, "extra_info": {}}]}', "[]"])
    def test_a_foreign_file_is_one_clear_line(self, tmp_path, content):
        path = tmp_path / "speed.json"
        path.write_text(content)
        with pytest.raises(SystemExit, match=r"^error: .*speed\.json: not a file of `make bench`.*run it again$"):
            command.main([str(path)])

    def test_a_file_that_is_not_there_is_one_clear_line(self, tmp_path):
        with pytest.raises(SystemExit, match=r"speed\.json: not a file of `make bench`"):
            command.main([str(tmp_path / "speed.json")])


def row(**changes):
    about = {"name": "warp", "grid": "128x128x128", "threads": 1, "precision": "float32", "device": "cpu"}
    timed = {"ours_s": 1.0, "peer": "SciPy", "peer_s": 2.0, "ratio": 2.0, "n": 3, "load": 0.1}
    return SpeedRow(**about | timed | changes)


class TestFigure:
    def test_a_cube_is_named_by_its_side(self):
        assert label_of(row()) == "warp, 128³: SciPy"
        assert label_of(row(grid="160x192x224")) == "warp, 160 x 192 x 224: SciPy"

    def test_no_ratio_at_all_is_drawn_too(self, tmp_path):
        draw([row(ratio=None)], tmp_path / "speed.png")
        assert (tmp_path / "speed.png").exists()
