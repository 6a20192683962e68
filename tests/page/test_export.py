"""A conversation as a file."""

import io
from datetime import date
from typing import Any

import pdfplumber
from markdown_it import MarkdownIt
from playwright.async_api import Page, expect

from primum.page.export import to_markdown, to_pdf
from tests.fakes import FakeVLLM
from tests.page.test_page import ASKED, DOSE, DRAFT, LIVER, ask, stored
from tests.pages import cited

MADE = date(2026, 11, 22)
EVIL = "<script>alert(1)</script> ![x](https://evil.example/x.png) [a](javascript:alert(1)) </para><br>"
CITATION = {
    "marker": 1, "chunk_id": 1, "document_id": 1, "title": "Paracetamol", "heading": "Dose", "quote": f"{DOSE}.",
    "url": "", "reviewed": "2026-11-01", "page": 4,
    "sources": [{"title": "Paracetamol for adults", "publisher": "NHS", "url": "https://www.nhs.uk/p/"}],
}  # fmt: skip
FINDING = {"rule": "x", "severity": "major", "subjects": ["warfarin"], "text": "Bleeding.", "source": "BNF, 2024"}


def turn(text: str, status: str = "answered", question: str = ASKED, **given: Any) -> dict[str, Any]:
    safety = {"risk_level": 2, "disposition": "none", "warnings": [], "findings": [FINDING]}
    answer = stored(text, status, **{"citations": [CITATION], "safety": safety, **given})
    return {"run_id": "r", "question": question, "status": "done", "answer": answer}


def text_of(pdf: bytes) -> str:
    with pdfplumber.open(io.BytesIO(pdf)) as read:
        return " ".join(" ".join(page.extract_text() for page in read.pages).split())


def test_both_files_hold_question_answer_warning_sources_disclaimer_and_date() -> None:
    turns = [turn(f"**{DOSE}** [1]."), {"question": "And then?", "answer": None}]
    for text in (text_of(to_pdf(turns, MADE)), to_markdown(turns, MADE).replace("\\", "")):
        for part in (
            ASKED, DOSE, "[1]", "Major: warfarin. Bleeding. (BNF, 2024)", "Dose, page 4", "Reviewed 1 November 2026",
            "NHS", "it does not replace a doctor", "Saved on 22 November 2026", "And then?", "No answer could be made",
        ):  # fmt: skip
            assert part in text, part


def test_an_answer_of_quotes_and_an_emergency_are_called_so() -> None:
    turns = [turn("Quoted.", "evidence_only"), turn("Call 112.", "emergency")]
    for text in (text_of(to_pdf(turns, MADE)), to_markdown(turns, MADE)):
        assert "Quoted from the library, word for word" in text and "This may be an emergency" in text


def test_what_a_clinician_made_of_an_answer_stands_by_it() -> None:
    def signed(decision: str, status: str) -> dict[str, Any]:
        return turn(decision, status, signed={"decision": decision, "by": "clinician 1", "at": "2026-11-22T09:00:00Z"})

    turns = [signed("approved", "evidence_only"), signed("edited", "answered"), signed("refused", "declined")]
    for text in (text_of(to_pdf(turns, MADE)), to_markdown(turns, MADE)):
        assert "Checked by a clinician." in text and "Edited by a clinician." in text
        assert "A clinician asks you to speak with them" in text and "Outside what I answer" not in text


def test_nothing_from_outside_becomes_a_tag_a_link_or_a_picture() -> None:
    source = {"title": EVIL, "publisher": EVIL, "url": "javascript:alert(1)"}
    citation = {**CITATION, "title": EVIL, "heading": EVIL, "quote": EVIL, "sources": [source]}
    turns = [
        turn(f"{EVIL} [1](javascript:alert(1)) [1]\n\n[1]: https://evil.example", question=EVIL, citations=[citation])
    ]
    html = MarkdownIt("commonmark", {"html": True}).render(to_markdown(turns, MADE))
    assert "<script" not in html and "<a " not in html and "<img" not in html
    assert "<script>alert(1)</script>" in text_of(to_pdf(turns, MADE))


def test_a_pdf_holds_lists_warnings_and_what_latin_letters_can_not_write() -> None:
    text = text_of(
        to_pdf(
            [turn("> **Warning.** Ask.\n\n1. one\n2. two ≥ 3\n\n- 成人每次可服用对乙酰氨基酚。\n\n#### Then\n\nEnd.")],
            MADE,
        )
    )
    assert "Warning. Ask." in text and "two ≥ 3" in text and "成人每次可服用对乙酰氨基酚。" in text and "Then" in text


async def test_a_conversation_is_saved_in_both_forms(page: Page, vllm: FakeVLLM) -> None:
    vllm.says(cited(DRAFT))
    await ask(page)
    await page.get_by_role("button", name="Save this conversation").click()
    dialog = page.get_by_role("dialog")
    for label, ending in (("As PDF", "pdf"), ("As Markdown", "md")):
        async with page.expect_download() as waiting:
            await dialog.get_by_role("button", name=label).click()
        file = await waiting.value
        content = (await file.path()).read_bytes()
        text = text_of(content) if ending == "pdf" else content.decode()
        assert file.suggested_filename.endswith(f".{ending}") and LIVER in text and ASKED.rstrip("?") in text
    await expect(dialog).to_be_visible()
