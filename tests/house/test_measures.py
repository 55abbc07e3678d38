"""The house stays one to live in: floors, names a level, docstrings, sizes of functions, types where things travel."""

import statistics

import pytest

from tests.house import measures
from workflows.configuration.sources import ROOMS

FLOORS = {"datasets": 9, "methods": 6, "benchmarks": 4, "reports": 8, "workflows": 4}
WIDE_TOPS = ("datasets", "methods", "workflows")  # where one name is one data set, method, step or command
LOOSE = 40  # at the edges: JSON and YAML


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_have_few_floors(room, record_property):
    chain = measures.chain_of(room)
    record_property("floors", len(chain))
    print(f"{room}: {len(chain)} floors: {' > '.join(name.removeprefix(f'{room}.') for name in chain)}")
    assert len(chain) <= FLOORS[room]


def test_a_circle_of_imports_is_seen(tmp_path, monkeypatch):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "one.py").write_text("from room import two\n")
    (tmp_path / "room" / "two.py").write_text("def late():\n    from room.one import anything\n")
    monkeypatch.setattr(measures, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="circle"):
        measures.chain_of("room")


@pytest.mark.parametrize("room", ROOMS)
def test_no_level_is_crowded(room):
    crowded = {folder: names for folder, names in measures.levels_of(room).items() if len(names) > 14}
    assert set(crowded) <= set(WIDE_TOPS)


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_public_is_documented(room):
    assert measures.documented_share(room) >= 95, measures.undocumented(room)


def test_functions_are_small():
    functions = [function for room in ROOMS for function in measures.functions_of(room)]
    lengths = sorted(function.lines for function in functions)
    assert statistics.median(lengths) <= 5
    assert lengths[int(0.9 * len(lengths))] <= 15
    assert not [function.where for function in functions if function.lines > 50]


@pytest.mark.parametrize("room", ROOMS)
def test_functions_take_few_parameters(room):
    public = [function for function in measures.functions_of(room) if function.public]
    assert not [function.where for function in public if function.parameters > 10]
    assert not [function.where for function in public if function.positional > 4]


def test_dictionaries_travel_at_the_edges_alone():
    assert sum(sum(measures.loose_dictionaries(room).values()) for room in ROOMS) < LOOSE
