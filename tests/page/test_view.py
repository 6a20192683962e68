"""The page's parts as HTML."""

from typing import Any

import pytest

from primum.page.view import (
    day,
    degree,
    erased,
    origin,
    place,
    plain,
    render,
    seconds,
    standing,
    step,
    troubles,
    web,
    why_quoted,
)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://www.nhs.uk/x?a=1", True),
        ("http://127.0.0.1/x", True),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        ("data:text/html,<script>", False),
        ("//evil.example", False),
        ("https:evil", False),
        ("http://[::1", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_only_addresses_of_the_web_are_linked(url: str, kept: bool) -> None:
    assert web(url) == (url if kept else "")


def test_numbers_and_dates_are_written_for_readers() -> None:
    assert [seconds(ms) for ms in (4, 1_250, 61_300)] == ["0.0 s", "1.2 s", "1 min 1 s"]
    assert [day(text) for text in ("2026-11-01", "in May")] == ["1 November 2026", "in May"]
    assert [degree(share) for share in (0.2, 0.5, 0.9)] == ["low", "medium", "high"]
    assert [step(name) for name in ("retrieve", "second_look")] == ["Searching the library", "Second look"]


@pytest.mark.parametrize(
    ("problems", "removed", "words"),
    [
        (["draft: The model did not answer."], 0, "no usable answer"),
        (["draft: The model did not answer."], 3, "no usable answer"),
        ([], 3, "could not be proven"),
        ([], 0, "nothing was reworded"),
    ],
)
def test_an_answer_of_quotes_says_why_it_is_one(problems: list[str], removed: int, words: str) -> None:
    assert words in why_quoted({"trace": {"problems": problems}, "support": {"removed": removed}})


UP = {"state": "up", "version": "0.1.0", "database": {"state": "up"}, "embedder": {"state": "up"}}
UP |= {"corpus": {"state": "up", "documents": 1143, "chunks": 8890}, "model": {"state": "up", "name": "qwen"}}


@pytest.mark.parametrize(
    ("part", "state", "words"),
    [
        ("database", "down", "The database can't be reached"),
        ("model", "down", "quotes from the library only"),
        ("model", "missing", "does not have the model"),
        ("embedder", "mismatch", "must be read in again"),
        ("corpus", "empty", "The library is empty"),
    ],
)
def test_a_part_that_is_not_well_is_named_in_plain_words(part: str, state: str, words: str) -> None:
    health: dict[str, Any] = {**UP, "state": "degraded", part: {"name": "x", "state": state}}
    (said,) = troubles(health)
    assert words in said and said in render("health", health=health).replace("&#39;", "'")


def test_health_shows_the_model_and_the_size_of_the_library() -> None:
    html = render("health", health=UP)
    assert troubles(UP) == [] and "Ready" in html and "1,143 pages, 8,890 passages" in html and "qwen" in html


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("rules", "You said so on 3 May 2026"),
        ("model", "Found by the model in what you said on 3 May 2026"),
        ("form", "Filled in by hand on 3 May 2026"),
        ("import", "From a record, imported on 3 May 2026"),
        ("dream", "Noted on 3 May 2026"),
    ],
)
def test_a_fact_says_where_it_comes_from(source: str, words: str) -> None:
    assert origin({"source": source, "said": "2026-05-03"}) == words


def test_a_receipt_is_told_in_words() -> None:
    counts = {"threads": 1, "turns": 1200, "facts": 0, "effects": 2, "checkpoints": 3}
    assert erased({"counts": counts}) == [
        "1 conversation",
        "1,200 questions with their answers",
        "5 records of the work on it",
    ]


def test_a_label_is_the_text_itself() -> None:
    assert plain("**a**\n[b](c) :d: `e`") == r"\*\*a\*\* \[b\](c) \:d\: \`e\`"


def test_a_citation_says_what_speaks_for_and_against_its_source() -> None:
    trial = {"heading": "Results", "title": "A trial", "page": 3, "evidence": "trial", "published": "2015-03-05"}
    assert place(trial) == "Results, page 3"
    assert standing({**trial, "stale": True, "licence": "CC BY 4.0"}) == (
        "Clinical trial · published 5 March 2015 · may be out of date · CC BY 4.0"
    )
    assert standing({"reviewed": "2026-11-01"}) == "Reviewed 1 November 2026"
    assert standing({}) == ""
