"""A table on the page: what is empty is hidden and said to be, what is a result stays, files keep everything."""

from hypothesis import given
from hypothesis import strategies as st

from reports.tables.folding import SHORT, folded
from reports.tables.markdown import markdown
from reports.tables.table import NOTHING, Group, Head, Table, Text

FAILED = Text("failed", muted=True, outcome=True)
PRINTED = Text("n. m. [1]", muted=True, printed="91.2")
HEADS = [Head("Method", number=False), Head("Dice"), Head("CUDA", group=Group("Seconds")), Head("Note", number=False)]


def table(*rows, notes=(), heads=HEADS):
    return Table("A caption", heads, rows, notes)


def texts(found):
    return [[cell.text for cell in row] for row in found.table.rows]


def test_rows_and_columns_without_a_number_are_hidden_and_named():
    absent = Text("not measured: no CUDA device", muted=True)
    found = folded(table([Text("a"), Text("0.9"), absent, Text("x")], [Text("b"), NOTHING, absent, Text("y")]))
    assert texts(found) == [["a", "0.9", "x"]]
    assert [head.title for head in found.table.heads] == ["Method", "Dice", "Note"]
    assert found.hidden == (
        "1 row without a number (b); 1 column without a number (Seconds CUDA: not measured: no CUDA device)"
    )


def test_failures_and_printed_numbers_are_something():
    whole = table([Text("a"), FAILED, NOTHING, Text("")], [Text("b"), NOTHING, PRINTED, Text("")])
    assert folded(whole).table == whole
    assert folded(whole).hidden == ""


def test_a_table_without_any_number_stays():
    whole = table([Text("a"), NOTHING, NOTHING, Text("")])
    assert folded(whole).table == whole
    words = table([Text("a")], heads=HEADS[:1])
    assert folded(words).table == words


def test_long_notes_are_folded_and_none_is_lost():
    notes = ["short", "l" * (SHORT + 1), "also short"]
    found = folded(table([Text("a"), Text("1"), Text("2"), Text("")], notes=notes))
    assert (found.notes, found.more) == (["short", "also short"], [notes[1]])


cells = st.sampled_from([Text("0.5"), NOTHING, FAILED, PRINTED, Text("")])


@given(st.lists(st.tuples(cells, cells, cells), max_size=5))
def test_nothing_but_emptiness_is_hidden(rows):
    heads = [Head("Method", number=False), Head("A"), Head("B"), Head("C")]
    whole = table(*([Text(f"m{number}"), *row] for number, row in enumerate(rows)), heads=heads)
    found = folded(whole)
    full = sum(not cell.empty for row in whole.rows for cell in row[1:])
    assert sum(not cell.empty for row in found.table.rows for cell in row[1:]) == full
    if full:
        assert all(any(not cell.empty for cell in row[1:]) for row in found.table.rows)
        for place, head in enumerate(found.table.heads):
            assert not head.number or any(not row[place].empty for row in found.table.rows)
    assert (found.hidden == "") == (found.table == whole)


def test_files_keep_what_the_page_hides():
    whole = table([Text("a"), Text("0.9"), NOTHING, Text("x")], [Text("b"), NOTHING, NOTHING, Text("y")])
    folded(whole)
    assert "| b | — | — | y |" in markdown([whole])
