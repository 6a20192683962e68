import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.retrieval.table import MAX_CELLS, ROW, Cell, spread, table_lines
from tests.retrieval.documents import DOSES, FIRST_ROW

TEXT = st.text(alphabet="ab 1%;:\n–", max_size=6)


def test_each_row_repeats_the_headings_of_its_columns() -> None:
    assert table_lines(DOSES) == [FIRST_ROW, "Drug: doxycycline; Dose: 100 mg; Frequency: every 12 hours"]
    assert all(ROW.fullmatch(row) for row in table_lines(DOSES))


def test_empty_cells_are_left_out_and_an_empty_first_one_stands_for_the_one_above() -> None:
    rows = [["Drug", "Who", "Dose"], ["amoxicillin", "adults", "500 mg"], ["", "children", "250 mg"], ["b", "", "1 g"]]
    assert table_lines(rows)[1:] == ["Drug: amoxicillin; Who: children; Dose: 250 mg", "Drug: b; Dose: 1 g"]


def test_a_row_that_names_a_group_is_told_in_each_row_under_it() -> None:
    rows = [["Effect", "Placebo"], ["Skin", "Skin"], ["Rash", "3 %"], ["Gut", ""], ["Nausea", "5 %"]]
    assert table_lines(rows) == ["Skin – Effect: Rash; Placebo: 3 %", "Gut – Effect: Nausea; Placebo: 5 %"]


def test_in_a_file_of_values_an_incomplete_row_is_no_group() -> None:
    rows = [["Drug", "Dose"], ["ibuprofen", ""], ["amoxicillin", "500 mg"]]
    assert table_lines(rows, 1, groups=False) == ["Drug: ibuprofen", "Drug: amoxicillin; Dose: 500 mg"]


def test_headings_in_two_rows_and_numbers_of_patients_under_them_are_put_together() -> None:
    rows = [["", "Drug A", "Drug A"], ["Effect", "Day", "Night"], ["", "(N=9)", "(N=8)"], ["Rash", "1", "2"]]
    assert table_lines(rows) == ["Effect: Rash; Drug A – Day (N=9): 1; Drug A – Night (N=8): 2"]


def test_a_first_row_that_spans_the_table_is_its_caption() -> None:
    assert table_lines([["Table 1"] * 3, *DOSES])[:2] == ["Table 1", FIRST_ROW]


def test_a_table_without_headings_keeps_its_cells() -> None:
    assert table_lines([["1", "2 mg"], ["3", "4 mg"]]) == ["1: 2 mg", "3: 4 mg"]
    assert table_lines([["Note"], ["Take care."]]) == ["Note", "Take care."]
    assert table_lines([["", ""]]) == []


def test_values_stacked_in_one_row_become_rows() -> None:
    rows = [["Response", "Drug"], ["ACR20\nWeek 1\nWeek 2", "\n63%\n69%"]]
    assert table_lines(rows) == ["ACR20 – Response: Week 1; Drug: 63%", "ACR20 – Response: Week 2; Drug: 69%"]


def test_cells_that_span_rows_and_columns_are_repeated() -> None:
    rows = [[Cell("A", rows=2), Cell("B", columns=2)], [Cell("c"), Cell("d")]]
    assert spread(rows) == [["A", "B", "B"], ["A", "c", "d"]]


def test_a_cell_that_claims_to_span_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        spread([[Cell("A", columns=MAX_CELLS + 1)]])


@given(st.lists(st.lists(TEXT, min_size=3, max_size=3), max_size=6), st.booleans())
def test_no_value_of_a_table_is_lost(rows: list[list[str]], groups: bool) -> None:
    told = re.split(r"[\s:;]+", "\n".join(table_lines([["A", "B", "C"], *rows], 1, groups)))
    kept = [row for row in rows if not groups or row[0].strip()]  # else it may go on with the headings
    wanted = {word for row in kept for cell in row for word in re.split(r"[\s:;]+", cell)}
    assert wanted - set(told) <= {""}
