import io
import zipfile

import pytest

from primum.retrieval import archive
from primum.retrieval.slides import slides_page
from primum.retrieval.word import word_page
from tests.retrieval import documents


def test_a_word_file_gives_headings_lists_and_rows_that_read_alone() -> None:
    page = word_page(documents.word(), "ward")
    assert page.title == "Pneumonia on the ward"
    assert page.text == (
        "## Treatment\n\nDo not wait for the culture. Neutrophils above 10⁹/L.\n\n"
        "- take blood first\n- then give the dose\n\n### Doses\n\n###### Table 1. Adults\n\n"
        f"{documents.FIRST_ROW}\nDrug: doxycycline; Dose: 100 mg; Frequency: every 12 hours\n\n"
        "### Doses\n\nReview after 48 hours."
    )


def test_a_file_with_only_a_title_is_without_text() -> None:
    assert word_page(documents.word_run("", "<w:r><w:t> </w:t></w:r>", ""), "bare").text == ""


def test_micrograms_in_the_symbol_font_do_not_become_grams_or_milligrams() -> None:
    for run in (
        '<w:r><w:sym w:font="Symbol" w:char="F06D"/></w:r>',
        '<w:r><w:rPr><w:rFonts w:ascii="Symbol" w:hAnsi="Symbol"/></w:rPr><w:t>m</w:t></w:r>',
        "<w:r><w:t>\uf06d</w:t></w:r>",
    ):
        assert word_page(documents.word_run("Give 5 ", run, "g."), "dose").text == "Give 5 μg."


def test_each_slide_is_a_page_with_its_title_and_notes() -> None:
    page = slides_page(documents.slides(), "talk")
    assert page.title == "Sepsis teaching"
    first, second, third = page.pages
    assert page.text[first:second].strip() == (
        "## The first hour\n- Take cultures\n- Give fluids\n\nNotes: Ask who has seen a case."
    )
    assert second == third  # the slide between has no text
    assert page.text[third:].startswith(f"## Doses\n{documents.FIRST_ROW}\n")


@pytest.mark.parametrize("reader", [word_page, slides_page])
def test_an_office_file_that_is_broken_old_or_a_bomb_is_refused_with_the_reason(
    reader: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(reader)
    for data, why in (
        (b"PK", "not a zip archive"),
        (documents.zipped({"a.txt": "no office file"}), "broken"),
        (documents.word()[:2000], "not a zip archive"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "without a password"),
    ):
        with pytest.raises(ValueError, match=why):
            reader(data, "a")
    monkeypatch.setattr(archive, "MAX_UNPACKED", 2**20)
    with pytest.raises(ValueError, match="unpacks to more than 1 MB"):
        reader(documents.zipped({"word/document.xml": bytes(2**21)}), "a")


def test_a_word_file_that_declares_entities_is_refused() -> None:
    given = zipfile.ZipFile(io.BytesIO(documents.word()))
    files: dict[str, bytes | str] = {name: given.read(name) for name in given.namelist()}
    xml = given.read("word/document.xml").decode()
    evil = '<!DOCTYPE w [<!ENTITY host SYSTEM "file:///etc/hostname">]><w:document'
    files["word/document.xml"] = xml.replace("<w:document", evil, 1).replace("Review after", "Review &host; after")
    with pytest.raises(ValueError, match="declares XML entities"):
        word_page(documents.zipped(files), "evil")
