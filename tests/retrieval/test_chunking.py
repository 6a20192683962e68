import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from primum.retrieval.chunking import LIMIT, Chunk, chunk, sections
from primum.retrieval.loaders import Source
from primum.retrieval.plaintext import clean
from tests.fakes import FakeEmbedder

count = FakeEmbedder().count_tokens
WORDS = st.lists(st.sampled_from("fever 2.5 mg Dr. often, helps ß 頭痛 naïve x".split()), min_size=1, max_size=60)
SENTENCES = WORDS.map(lambda words: " ".join(words).capitalize() + ".")
PARAGRAPHS = st.lists(SENTENCES, min_size=1, max_size=12).map(" ".join)
PAGES = st.lists(st.one_of(PARAGRAPHS, st.text(max_size=300), SENTENCES.map(lambda s: f"## {s[:40]}")), max_size=12)


def chunks_of(text: str, title: str = "Title") -> list[Chunk]:
    return chunk(Source(uri="a", title=title, text=text), count)


@given(PAGES.map("\n\n".join).map(clean))
def test_positions_are_exact_and_nothing_but_headings_and_space_is_left_out(text: str) -> None:
    chunks = chunks_of(text)
    assert all(text[c.start : c.stop] == c.text and c.text == c.text.strip() for c in chunks)
    assert all(one.stop <= other.start for one, other in pairwise(chunks))
    borders = [0, *(border for c in chunks for border in (c.start, c.stop)), len(text)]
    left_out = "".join(text[a:b] for a, b in zip(borders[::2], borders[1::2], strict=True))
    assert re.sub(r"(?m)^#{1,6} +.+$", "", left_out).split() == []


@given(PAGES.map("\n\n".join).map(clean))
def test_no_chunk_is_larger_than_the_limit(text: str) -> None:
    assert all(count(f"Title\n{c.heading}\n{c.text}") + 2 <= LIMIT for c in chunks_of(text))


def test_a_section_is_never_mixed_with_another() -> None:
    chunks = chunks_of("Gout hurts.\n\n## Causes\nUric acid.\n\n## Treatment\nRest.\n\n### Medicines\nIbuprofen.")
    assert [(c.heading, c.text) for c in chunks] == [
        ("", "Gout hurts."),
        ("Causes", "Uric acid."),
        ("Treatment", "Rest."),
        ("Treatment – Medicines", "Ibuprofen."),
    ]


def test_a_long_section_is_cut_into_even_parts_at_sentence_borders() -> None:
    text = " ".join(f"Sentence {number} says that Dr. Lee gave 2.5 mg of it." for number in range(60))
    chunks = chunks_of(text)
    sizes = [count(c.text) for c in chunks]
    assert all(c.text.startswith("Sentence") and c.text.endswith("of it.") for c in chunks)
    assert min(sizes) > 150 and max(sizes) < LIMIT


def test_a_cut_falls_between_paragraphs_where_it_can() -> None:
    paragraph = " ".join(["Rest and drink a lot of water when you have a fever."] * 15)
    chunks = chunks_of(f"{paragraph}\n\n{paragraph}")
    assert [c.text for c in chunks] == [paragraph, paragraph]


def test_a_sentence_alone_too_long_is_cut_between_words_and_a_word_anywhere() -> None:
    assert len(chunks_of("word " * 1000)) > 3
    assert all(re.fullmatch(r"(word ?)+", c.text) for c in chunks_of("word " * 1000))
    assert "".join(c.text for c in chunks_of("x" * 30_000)) == "x" * 30_000
    assert max(len(c.text) for c in chunks_of("x" * 30_000)) <= LIMIT * 16


def test_a_very_long_title_still_leaves_room_for_text() -> None:
    chunks = chunks_of("Fever is common. " * 40, title="long " * 500)
    assert all(20 <= count(c.text) <= LIMIT for c in chunks)


def test_sections_cover_the_text_from_its_start_to_its_end() -> None:
    text = "Opening.\n## One\nBody."
    assert [(name, text[a:b].strip()) for name, a, b in sections(text)] == [("", "Opening."), ("One", "Body.")]


def test_a_chunk_tells_the_page_on_which_it_starts() -> None:
    source = Source(uri="a", title="T", text="## A\nOne.\n\n## B\nTwo.\n\n## C\nThree.", pages=[0, 11, 11, 22])
    assert [(c.text, c.page) for c in chunk(source, count)] == [("One.", 1), ("Two.", 3), ("Three.", 4)]
    assert [c.page for c in chunks_of("One.")] == [None]


def test_a_row_of_a_table_is_not_cut_between_its_sentences() -> None:
    rows = [f"Drug: drug{number}; Advice: Take with food. Do not crush. See a doctor." for number in range(60)]
    chunks = chunks_of("\n".join(rows))
    assert len(chunks) > 2 and [row for c in chunks for row in c.text.split("\n")] == rows
