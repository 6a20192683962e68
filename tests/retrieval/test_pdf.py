import io
import zlib

import pytest

from primum.retrieval import pdf
from primum.retrieval.chunking import chunk
from primum.retrieval.pdf import pdf_page
from primum.retrieval.plaintext import clean
from primum.retrieval.source import PlainPage, source_of
from tests.fakes import FakeEmbedder
from tests.retrieval import documents

CAPTION = "Table 1. Doses for adults with normal kidneys"


@pytest.fixture(scope="module")
def page() -> PlainPage:
    return pdf_page(documents.guideline(), "ward")


def test_two_columns_are_read_one_after_the_other(page: PlainPage) -> None:
    places = [page.text.index(f"{word} {number}.") for number in range(1, 21) for word in ("Start", "End")]
    assert places == sorted(places)
    assert page.text.count("Give the first dose early and count neutrophils, which should be above 0.5 × 10⁹/L.") == 40


def test_three_columns_under_an_abstract_are_read_one_after_the_other() -> None:
    text = pdf_page(documents.journal(), "trial").text
    places = [text.index(f"{word} {number}.") for number in range(1, 17) for word in ("Start", "End")]
    assert text.startswith("Abstract. We compared") and places == sorted(places)
    assert text.count("The outcome was cure at day 28 in the intention-to-treat population, with a margin") == 32


def test_micrograms_in_the_symbol_font_do_not_become_milligrams() -> None:
    assert pdf_page(documents.symbols("μ"), "dose").text == "Dose 5 μ"
    signs = "α β Ω ≤ ≥ ± × ° → ↓ ↑ ≠ ≈"
    assert pdf_page(documents.symbols(signs), "dose").text == f"Dose 5 {signs}"


def test_running_heads_feet_and_page_numbers_are_dropped(page: PlainPage) -> None:
    assert "Ward guideline" not in page.text
    assert "Page " not in page.text


def test_a_word_cut_at_the_end_of_a_line_is_joined(page: PlainPage) -> None:
    assert page.text.count("Antibiotics were given.") == 20


def test_the_largest_line_is_the_title_and_larger_lines_are_headings(page: PlainPage) -> None:
    assert page.title == "Pneumonia in hospital"
    headings = [line.lstrip("# ") for line in page.text.splitlines() if line.startswith("#")]
    assert headings == ["Diagnosis", "Treatment", "Doses", CAPTION, "Harms"]
    assert "- oral switch\n- stop on day five" in page.text


def test_a_tables_rows_read_alone_also_on_the_next_page(page: PlainPage) -> None:
    rows = [f"Drug: drug{number}; Dose: {number} mg; Frequency: daily" for number in range(1, 50)]
    assert [line for line in page.text.splitlines() if line.startswith("Drug: ")] == rows


def test_a_table_with_rules_only_is_a_table(page: PlainPage) -> None:
    assert "Effect: Rash; Placebo (n = 100): 3 (3 %); Drug (n = 99): 9 (9 %)" in page.text


def test_chunks_know_the_page_on_which_they_start(page: PlainPage) -> None:
    assert len(page.pages) == 4 and page.pages == sorted(page.pages) and page.text == clean(page.text)
    chunks = chunk(source_of(page, "a"), FakeEmbedder().count_tokens)
    on = {word: next(c.page for c in chunks if word in c.text) for word in ("Start 1.", "drug1;", "Rash")}
    assert on == {"Start 1.": 1, "drug1;": 3, "Rash": 4}
    assert [c.page for c in chunks] == sorted(c.page or 0 for c in chunks)


def test_every_row_of_a_table_is_whole_in_one_chunk(page: PlainPage) -> None:
    chunks = chunk(source_of(page, "a"), FakeEmbedder().count_tokens)
    rows = [line for c in chunks for line in c.text.splitlines() if "drug" in line]
    assert len(rows) == 49 and all(row.endswith("daily") for row in rows)
    assert {c.heading for c in chunks if "drug" in c.text} == {f"Doses – {CAPTION}"}


def test_a_scan_asks_for_ocr() -> None:
    with pytest.raises(ValueError, match="it is a scan; run OCR first"):
        pdf_page(documents.scan(), "scan")


def test_a_locked_pdf_asks_for_a_copy_without_password() -> None:
    with pytest.raises(ValueError, match="locked with a password; save a copy"):
        pdf_page(documents.locked(), "locked")


def test_a_pdf_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_STREAM", 2**20)
    bomb = io.BytesIO(
        b"%PDF-1.4\n1 0 obj<</Filter/FlateDecode>>stream\n" + zlib.compress(bytes(2**21)) + b"\nendstream"
    )
    with pytest.raises(ValueError, match="unpacks to more than 1 MB"):
        pdf_page(bomb.getvalue(), "bomb")


def test_a_dose_that_comes_back_at_the_foot_of_each_page_is_kept_and_the_running_lines_are_not() -> None:
    from reportlab.pdfgen.canvas import Canvas

    data = io.BytesIO()
    canvas = Canvas(data, pagesize=(595, 842))
    for number in range(1, 6):
        canvas.drawString(72, 815, "Ward guideline")
        for row in range(30):
            canvas.drawString(72, 720 - 14 * row, f"Line {row} of page {number} tells of gout and its treatment.")
        canvas.drawString(72, 60, "100 mg twice daily")
        canvas.drawString(300, 25, f"Page {number} of 5")
        canvas.showPage()
    canvas.save()
    text = pdf_page(data.getvalue(), "ward").text
    assert text.count("100 mg twice daily") == 5
    assert "Ward guideline" not in text and "of 5" not in text
