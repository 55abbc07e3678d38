"""The frontier of accuracy against seconds: its definition by brute force, its figure, and what does not count."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ranking import Quote
from reports.archive.load import Loaded
from reports.archive.sentences import traded
from reports.overview.accuracy_time import accuracy_time, frontier_plot
from reports.overview.frontier import Frontier, Point, frontiers, number_steps
from tests.reports.report_inputs import make_run, small_metrics, timing_frame

few = st.sampled_from([0.1, 0.2, 0.4, 0.8])  # ties are frequent
points = st.lists(
    st.builds(Point, st.just(""), st.just("A, b"), st.just("learned"), few, few, st.booleans()), max_size=9
)


def named(found):
    return [replace(point, method=f"m{number}") for number, point in enumerate(found)]


@given(points, st.none() | few, st.booleans())
def test_on_the_frontier_is_what_beats_all_that_take_no_longer(found, before, higher):
    given_points = named(found)
    steps = [point for point in number_steps(given_points, before, higher_is_better=higher) if point.place]
    sign = 1 if higher else -1
    rivals = [point for point in given_points if point.whole]
    wanted = {
        (point.seconds, point.accuracy)
        for point in rivals
        if (before is None or sign * (point.accuracy - before) > 0)
        and not any(
            (other.seconds <= point.seconds and sign * (other.accuracy - point.accuracy) > 0)
            or (other.seconds < point.seconds and other.accuracy == point.accuracy)
            for other in rivals
        )
    }
    assert {(point.seconds, point.accuracy) for point in steps} == wanted
    assert [point.place for point in steps] == list(range(1, len(wanted) + 1))
    assert [point.seconds for point in steps] == sorted(point.seconds for point in steps)


@given(points, st.booleans())
def test_numbering_keeps_every_method_once(found, higher):
    given_points = named(found)
    out = number_steps(given_points, None, higher_is_better=higher)
    assert sorted(point.method for point in out) == sorted(point.method for point in given_points)


def test_a_method_that_failed_on_a_pair_is_shown_but_not_numbered(built):
    [found] = frontiers(make_run(small_metrics(), built[1], timing=timing_frame()))
    assert {point.method: point.place for point in found.points} == {"net": 0, "syn": 1}
    assert found.before == pytest.approx(0.6)
    assert [point.label for point in found.others] == ["Network & co"]


def test_methods_that_are_worse_than_no_registration_are_not_numbered():
    worse = Point("a", "A", "learned", 0.1, 0.4, whole=True)
    assert [point.place for point in number_steps([worse], 0.5, higher_is_better=True)] == [0]
    assert [point.place for point in number_steps([worse], 0.5, higher_is_better=False)] == [1]


def test_every_method_is_named_once_below_its_panel():
    labels = ["LDR, 1 cascade", "LDR, 2 cascades", "RCN", *(f"Net {letter}" for letter in "abcdefghij")]
    spread = [
        Point(label, label, "learned", 0.1 * number + 0.1, 0.5 - 0.01 * (number - 2) ** 2, whole=True)
        for number, label in enumerate(labels)
    ]
    steps = number_steps(spread, None, higher_is_better=True)
    found = Frontier("d", "D", Quote("dice", "nearest", "mean"), 0.3, 0.99, steps)
    text = accuracy_time([found], "Some clock.").axes[0].get_xlabel()
    assert text.count("\n1  LDR, 1 cascade: 0.46") == 1
    assert "Not numbered: Net a; Net b;" in text
    small = frontier_plot(found).get_supxlabel()
    assert [line.split("  ")[0] for line in small.splitlines()] == ["1", "2", "3"]


def test_where_no_method_is_better_than_before_none_is_numbered_and_the_plot_stands():
    worse = Point("a", "A", "learned", 0.1, 0.4, whole=True)
    points = number_steps([worse], 0.5, higher_is_better=True)
    found = Frontier("d", "D", Quote("dice", "nearest", "mean"), 0.5, 0.99, points)
    assert frontier_plot(found).get_supxlabel() == ""
    assert "Not numbered: A" in accuracy_time([found], "Some clock.").axes[0].get_xlabel()


def test_no_text_of_the_small_plot_leaves_it_however_long_the_names_are():
    names = [
        "LDR + ALDK, 1 cascade, taught by VoxelMorph",
        "VoxelMorph (affine stem, RCN training)",
        "a method of mine " * 5,
    ]
    spread = [
        Point(name, name, "learned", 0.0193 * (number + 1), 0.8 + 0.01 * number, whole=True)
        for number, name in enumerate(names)
    ]
    steps = number_steps(spread, None, higher_is_better=True)
    figure = frontier_plot(Frontier("d", "D", Quote("displacement_error", "mask", "all"), 0.3, 0.99, steps))
    figure.draw_without_rendering()
    whole = figure.bbox
    for text in (figure.axes[0].yaxis.label, figure.axes[0].xaxis.label, *figure.texts):
        place = text.get_window_extent()
        assert whole.x0 <= place.x0, text
        assert place.x1 <= whole.x1, text
        assert whole.y0 <= place.y0, text
        assert place.y1 <= whole.y1, text


def test_the_table_of_a_page_has_every_point_and_those_of_the_frontier_in_bold(built):
    run = make_run(small_metrics(), built[1], timing=timing_frame())
    [found] = frontiers(run)
    head, _, before, *rows, _, told = traded(Loaded(run, []))["frontier"].splitlines()
    assert head.startswith(f"| {len(run.datasets[found.dataset].test_pairs)} pairs of ")
    assert before.startswith("| before registration |  | 0.600 |")
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [
        f"**{point.label}**" if point.place else point.label for point in found.points
    ]
    assert told.startswith("Warm calls of the timing run: ")


def test_no_text_below_a_single_panel_leaves_the_figure():
    points = number_steps([Point("a", "A", "learned", 0.1, 0.4, whole=True)], None, higher_is_better=True)
    found = Frontier("d", "D", Quote("dice", "nearest", "mean"), 0.3, 0.99, points)
    figure = accuracy_time([found], "Warm calls of the timing run: 2 threads (Some Processor of a long name). " * 3)
    figure.canvas.draw()
    (label,) = [text for text in figure.texts if "Squares" in text.get_text()]
    box, size = label.get_window_extent(), figure.get_size_inches() * figure.dpi
    assert box.x0 >= 0
    assert box.x1 <= size[0]
    assert box.y0 >= 0
