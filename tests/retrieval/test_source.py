from datetime import date, datetime
from pathlib import Path

import pytest

from primum.retrieval.loaders import Source, load
from primum.retrieval.source import PlainPage, day, source_of

PAGE = """---
title: Gota
language: es
audience: Patient
license: CC BY 4.0
evidence: guideline
published: 2025-03-01
retracted: true
---
La gota duele.
"""


def loaded(path: Path, content: str) -> Source:
    path.write_text(content)
    (found,) = load(path)
    assert isinstance(found, Source)
    return found


def test_front_matter_says_language_audience_licence_evidence_and_day(tmp_path: Path) -> None:
    page = loaded(tmp_path / "gota.md", PAGE)
    assert (page.language, page.audience, page.licence, page.evidence) == ("es", "patient", "CC BY 4.0", "guideline")
    assert (page.published, page.retracted, page.origin, page.pages) == (date(2025, 3, 1), True, "", [])


def test_a_row_says_them_too(tmp_path: Path) -> None:
    row = '{"text": "One.", "licence": "CC0", "audience": "clinician", "retracted": "no", "published": "20240229"}'
    page = loaded(tmp_path / "a.jsonl", row)
    assert (page.licence, page.audience, page.retracted, page.published) == (
        "CC0",
        "clinician",
        False,
        date(2024, 2, 29),
    )


def test_what_is_no_known_audience_or_evidence_is_left_out() -> None:
    page = source_of(PlainPage("T", "Text.", {"audience": "nurses", "evidence": ["trial"]}), "a")
    assert (page.audience, page.evidence, page.language) == ("", "", "en")


def test_a_document_cannot_name_its_own_origin_or_identity(tmp_path: Path) -> None:
    page = loaded(tmp_path / "a.md", "---\norigin: dailymed\nuri: starter:gout\nidentity: x\n---\nText.")
    assert (page.origin, page.uri) == ("", f"file:{tmp_path}/a.md")


def test_a_document_without_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no text"):
        source_of(PlainPage("T", ""), "a")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-21", date(2026, 11, 21)),
        ("2026-11-21T10:00:00Z", date(2026, 11, 21)),
        ("20261121", date(2026, 11, 21)),
        (datetime(2026, 11, 21, 10), date(2026, 11, 21)),
        ("2026-13-01", None),
        ("soon", None),
        (None, None),
    ],
)
def test_a_day_is_read_from_the_forms_that_documents_use(value: object, expected: date | None) -> None:
    assert day(value) == expected


def test_the_hash_changes_with_each_new_field() -> None:
    pages: list[dict[str, object]] = [
        {},
        {"language": "es"},
        {"audience": "patient"},
        {"licence": "CC0"},
        {"evidence": "trial"},
        {"published": "2026-01-01"},
        {"retracted": True},
    ]
    assert len({source_of(PlainPage("T", "Text.", meta), "a").content_hash for meta in pages}) == len(pages)
