"""Tables as reportlab draws them on a page, read again."""

import io
from collections.abc import Sequence
from typing import Any

import pytest

from primum.retrieval import pdf_table
from primum.retrieval.pdf import pdf_page
from tests.retrieval.documents import DOSES, FIRST_ROW

SECOND_ROW = "Drug: doxycycline; Dose: 100 mg; Frequency: every 12 hours"


def printed(*parts: Any) -> str:
    """The text of a PDF of these paragraphs and tables; a number is so many empty points."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

    body = getSampleStyleSheet()["BodyText"]
    makers: dict[type, Any] = {str: lambda text: Paragraph(text, body), int: lambda points: Spacer(1, points)}
    data = io.BytesIO()
    SimpleDocTemplate(data, pagesize=A4).build([makers.get(type(part), lambda one: one)(part) for part in parts])
    return pdf_page(data.getvalue(), "ward").text


def table(rows: Sequence[Sequence[str]], *style: Any, widths: Any = 120, repeat: int = 0) -> Any:
    from reportlab.platypus import Table, TableStyle

    return Table([list(row) for row in rows], colWidths=widths, style=TableStyle([*style]), repeatRows=repeat)


def black(kind: str, start: tuple[int, int], stop: tuple[int, int]) -> Any:
    from reportlab.lib import colors

    return (kind, start, stop, 1, colors.black)


ALL = (0, 0), (-1, -1)
GRID = ("GRID", *ALL)


def rules(heads: int = 1) -> list[Any]:
    """Rules above and below the headings and at the end, as journals set them."""
    ends = [("LINEABOVE", (0, 0), (-1, 0)), ("LINEBELOW", (0, heads - 1), (-1, heads - 1))]
    return [black(*rule) for rule in (*ends, ("LINEBELOW", (0, -1), (-1, -1)))]


def test_a_cell_that_spans_rows_or_columns_is_told_in_each() -> None:
    rows = [
        ["Drug", "Dose", ""],
        ["", "Day", "Night"],
        ["A", "5 mg", "10 mg"],
        ["B", "none", ""],
    ]
    spans = [("SPAN", (0, 0), (0, 1)), ("SPAN", (1, 0), (2, 0)), ("SPAN", (1, 3), (2, 3))]
    bold = ("FONTNAME", (0, 0), (-1, 1), "Helvetica-Bold")
    assert printed(table(rows, black(*GRID), bold, *spans)).splitlines() == [
        "Drug: A; Dose – Day: 5 mg; Dose – Night: 10 mg",
        "Drug: B; Dose – Day: none; Dose – Night: none",
    ]


def test_bold_rows_at_the_top_are_the_headings_although_they_hold_numbers() -> None:
    rows = [["Drug", "2025", "2026"], ["A", "5 mg", "6 mg"], ["B", "7 mg", "8 mg"]]
    bold = ("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold")
    assert printed(table(rows, black(*GRID), bold)) == (
        "Drug: A; 2025: 5 mg; 2026: 6 mg\nDrug: B; 2025: 7 mg; 2026: 8 mg"
    )


def test_lines_of_one_cell_are_put_together_and_a_word_that_was_cut_is_joined() -> None:
    rows = [["Drug", "Use"], ["A", "Anti-\nbiotic of\nfirst choice"], ["B", "B-\n12 is low"]]
    assert printed(table(rows, black(*GRID))).splitlines() == [
        "Drug: A; Use: Antibiotic of first choice",
        "Drug: B; Use: B- 12 is low",
    ]


def test_a_row_that_goes_on_in_a_second_line_of_an_open_table_stays_one_row() -> None:
    rows = [["Effect", "Placebo"], ["Rash on face", "3 %"], ["and neck", ""], ["", "(of 99)"], ["Pain", "1 %"]]
    assert printed(table(rows, *rules())).splitlines() == [
        "Effect: Rash on face and neck; Placebo: 3 % (of 99)",
        "Effect: Pain; Placebo: 1 %",
    ]


def test_headings_in_two_rows_of_an_open_table_are_put_together() -> None:
    rows = [
        ["Effect", "Placebo", "Drug"],
        ["Kind", "(N = 9)", "(N = 8)"],
        ["Rash", "3 %", "9 %"],
        ["Pain", "1 %", "2 %"],
    ]
    assert printed(table(rows, *rules(heads=2))).splitlines() == [
        "Effect Kind: Rash; Placebo (N = 9): 3 %; Drug (N = 8): 9 %",
        "Effect Kind: Pain; Placebo (N = 9): 1 %; Drug (N = 8): 2 %",
    ]


def test_text_between_rules_without_columns_is_no_table() -> None:
    rows = [["Key points of this page, told in words"], ["Give the first dose early"], ["Review it after two days"]]
    text = printed(table(rows, *rules(), widths=300))
    assert ": " not in text and all(row in text for (row,) in rows)


@pytest.mark.parametrize("rows", [[["Take it with food."]], [["Take", "care"]], [["Take it with food."], ["Stop."]]])
def test_a_box_around_text_is_no_table(rows: list[list[str]]) -> None:
    text = printed("Before.", table(rows, black(*GRID)), "After.")
    assert ": " not in text and all(cell in text for row in rows for cell in row)


def test_a_grid_with_one_filled_row_is_no_table() -> None:
    text = printed(table([["Name", "Dose"], ["", ""], ["", ""]], black(*GRID)), "After.")
    assert "Name: " not in text and "Name" in text and "Dose" in text


def test_a_drawing_of_thousands_of_lines_is_not_searched_for_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_table, "_DRAWN", 3)
    text = printed(table(DOSES, black(*GRID)))
    assert FIRST_ROW not in text and "amoxicillin" in text


def test_two_tables_on_a_page_keep_their_order_and_the_text_between_them() -> None:
    text = printed(table(DOSES[:2], black(*GRID)), 20, "Between the tables.", 20, table([DOSES[0], DOSES[2]], *rules()))
    assert text.split("\n\n") == [FIRST_ROW, "Between the tables.", SECOND_ROW]


@pytest.mark.parametrize("between", [["Table 2. The other drug"], [40], []])
def test_two_tables_of_one_width_with_rules_only_are_two(between: list[Any]) -> None:
    rows = [["Effect", "Placebo"], ["Rash", "3 %"], ["Pain", "1 %"]]
    other = [["Sign", "Drug"], ["fever", "9 %"], ["cough", "8 %"]]
    found = printed(table(rows, *rules()), *between, 20, table(other, *rules())).splitlines()
    assert [line for line in found if line and not line.startswith(("Table", "#"))] == [
        *("Effect: Rash; Placebo: 3 %", "Effect: Pain; Placebo: 1 %"),
        *("Sign: fever; Drug: 9 %", "Sign: cough; Drug: 8 %"),
    ]


def test_rules_within_a_table_do_not_part_it() -> None:
    rows = [["Effect", "Placebo"], ["Rash", "3 %"], ["Skin", ""], ["Pain", "1 %"]]
    below = [black("LINEBELOW", (0, row), (-1, row)) for row in range(4)]
    assert printed(table(rows, *rules(), *below)).splitlines() == [
        *("Effect: Rash; Placebo: 3 %", "Skin – Effect: Pain; Placebo: 1 %"),
    ]


@pytest.mark.parametrize("repeat", [0, 1])
def test_a_table_that_breaks_off_goes_on_with_its_headings_told_once(repeat: int) -> None:
    rows = [DOSES[0], *([f"drug{number}", f"{number} mg", "daily"] for number in range(1, 60))]
    found = [line for line in printed(table(rows, black(*GRID), repeat=repeat)).splitlines() if line]
    assert found == [f"Drug: drug{number}; Dose: {number} mg; Frequency: daily" for number in range(1, 60)]


def test_a_new_table_at_the_top_of_a_page_takes_no_headings_of_another() -> None:
    other = [["Sign", "Care"], ["fever", "rest"], ["cough", "drink"]]
    text = printed(600, table(DOSES, black(*GRID)), 100, table(other, black(*GRID)))
    assert text.splitlines()[-2:] == ["Sign: fever; Care: rest", "Sign: cough; Care: drink"]
