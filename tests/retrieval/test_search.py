import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from sqlalchemy import text

from primum.memory.session import Database
from primum.retrieval import index, search
from primum.retrieval.ingest import ingest, store
from primum.retrieval.loaders import Source, load
from primum.retrieval.search import Filter, Passage, Retriever
from tests.fakes import FakeEmbedder

PAGES = {
    "diabetes": "---\naliases: [sugar sickness]\nreviewed: 2026-01-02\n---\n# Type 2 diabetes\n\n"
    "Blood glucose is too high.\n\n## Symptoms\nThirst, tiredness and passing urine often.",
    "ibuprofen": "# Ibuprofen\n\nIbuprofen treats pain and fever.\n\n## Pregnancy\nAvoid it while pregnant.",
    "flu": "# Flu\n\nPain, fever and tiredness are common with flu.\n\n## Treatment\nRest and water treat flu.",
    "zoster": "# Shingles\n\nA painful rash. The cause is varicella.\n\n## Treatment\nRest treats pain and fever.",
}


@pytest.fixture
async def library(database: Database, tmp_path: Path) -> Retriever:
    for name, page in PAGES.items():
        (tmp_path / f"{name}.md").write_text(page)
    embedder = FakeEmbedder()
    await ingest([tmp_path], database, embedder)
    return Retriever(database, embedder)


def places(passages: list[Passage]) -> list[tuple[str, str]]:
    return [(passage.title, passage.heading) for passage in passages]


async def test_the_passage_of_the_asked_section_comes_first(library: Retriever) -> None:
    found = await library.search(["symptoms of type 2 diabetes"], 3)
    assert places(found)[0] == ("Type 2 diabetes", "Symptoms")
    assert [passage.score for passage in found] == sorted((p.score for p in found), reverse=True)


async def test_a_passage_carries_what_a_citation_needs(library: Retriever) -> None:
    (found,) = await library.search(["thirst and tiredness"], 1)
    assert (found.title, found.heading, found.reviewed) == ("Type 2 diabetes", "Symptoms", "2026-01-02")
    assert found.text == "Thirst, tiredness and passing urine often."
    assert found.stop - found.start == len(found.text)
    assert 0 < found.similarity <= 1


async def test_a_rare_word_finds_its_passage_among_frequent_ones(library: Retriever) -> None:
    assert places(await library.search(["pain of varicella"], 1)) == [("Shingles", "")]


async def test_an_alias_finds_the_page(library: Retriever) -> None:
    assert (await library.search(["sugar sickness"], 1))[0].title == "Type 2 diabetes"


async def test_several_queries_are_searched_together_and_nothing_comes_twice(library: Retriever) -> None:
    found = await library.search(["ibuprofen pregnancy", "flu treatment", "flu treatment"], 8)
    assert {("Ibuprofen", "Pregnancy"), ("Flu", "Treatment")} == set(places(found)[:2])
    assert len({passage.chunk_id for passage in found}) == len(found) == 8


async def test_k_limits_what_is_found(library: Retriever) -> None:
    assert len(await library.search(["fever"], 2)) == 2


@pytest.mark.parametrize(
    "query", ["", "the of and", "?!", "頭痛", "'; drop table chunks; --", "x" * 10_000, "\0\ud800"]
)
async def test_a_query_without_a_known_word_still_answers(library: Retriever, query: str) -> None:
    assert len(await library.search([query], 3)) == 3


async def test_an_empty_library_and_no_query_find_nothing(database: Database, library: Retriever) -> None:
    assert await library.search([], 3) == []


async def test_a_library_without_documents_finds_nothing(database: Database) -> None:
    empty = Retriever(database, FakeEmbedder())
    assert await empty.search(["fever"], 3) == []
    assert await empty.version() == ""
    assert (await empty.state())["documents"] == 0


async def test_passages_are_read_again_in_the_given_order_and_missing_ones_left_out(library: Retriever) -> None:
    first, second = (await library.search(["flu treatment"], 2))[:2]
    read = await library.read([second.chunk_id, 10**9, first.chunk_id])
    assert [(p.chunk_id, p.text) for p in read] == [(p.chunk_id, p.text) for p in (second, first)]


async def test_a_document_is_read_in_its_order(library: Retriever) -> None:
    (found,) = await library.search(["ibuprofen pregnancy"], 1)
    assert [p.heading for p in await library.document(found.document_id)] == ["", "Pregnancy"]
    assert await library.document(10**9) == []


async def test_the_state_counts_documents_and_chunks(library: Retriever) -> None:
    state = await library.state()
    assert (state["documents"], state["chunks"], state["embedder"]) == (4, 8, "fake")


async def test_texts_are_embedded_to_compare_them(library: Retriever) -> None:
    one, same, other = await library.embed(["a fever", "fever a", "shingles rash"])
    assert one == same
    assert sum(a * b for a, b in zip(one, other, strict=True)) < 0.5


# Filters, and what is not to be found


def row(name: str, text: str, **fields: object) -> str:
    return json.dumps({"_id": name, "title": f"Gout {name}", "text": text, **fields})


async def stored(database: Database, folder: Path, *written: str) -> Retriever:
    (folder / "rows.jsonl").write_text("\n".join(written))
    embedder = FakeEmbedder()
    await ingest([folder / "rows.jsonl"], database, embedder)
    return Retriever(database, embedder)


@pytest.mark.parametrize("few", [20_000, 0])
@pytest.mark.parametrize(
    ("only", "names"),
    [
        (Filter(kinds=("label",)), {"a", "b"}),
        (Filter(kinds=("label",), languages=("es",)), {"b"}),
        (Filter(published_since=date(2020, 1, 1)), {"b", "c"}),
        (Filter(published_since=date(2020, 1, 1), published_until=date(2020, 12, 31)), {"b"}),
        (Filter(audiences=("clinician",), evidence=("trial", "review")), {"c"}),
        (Filter(kinds=("nothing",)), set()),
    ],
)
async def test_only_documents_that_a_filter_wants_are_found(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int, only: Filter, names: set[str]
) -> None:
    monkeypatch.setattr(search, "_FEW_CHUNKS", few)  # all compared one by one, or by the index
    library = await stored(
        database,
        tmp_path,
        row("a", "Gout hurts in the toe.", kind="label", published="2019-05-01"),
        row("b", "La gota duele en el pie.", kind="label", published="2020-05-01", language="es"),
        row("c", "A trial of gout.", published="2021-05-01", audience="clinician", evidence="trial"),
        row("d", "Another page on gout and its crystals."),
    )
    assert {p.title[-1] for p in await library.search(["gout"], 9, only)} == names


async def test_what_is_changed_or_removed_is_not_found_from_then_on(database: Database, tmp_path: Path) -> None:
    library = await stored(database, tmp_path, row("a", "Colchicine treats it."), row("b", "Rest treats it."))
    (before,) = [p for p in await library.search(["colchicine"], 9) if p.title == "Gout a"]
    await stored(database, tmp_path, row("a", "Ibuprofen treats it."))
    assert {p.text for p in await library.search(["colchicine treats"], 9)} == {
        "Ibuprofen treats it.",
        "Rest treats it.",
    }
    assert await library.read([before.chunk_id]) == []
    async with database.begin() as connection:
        await index.lock(connection)
        gone = [f"file:{tmp_path}/rows.jsonl#{name}" for name in ("a", "unknown")]
        assert await index.remove(connection, gone, "") == 1
        assert await connection.scalar(text("select count(*) from documents")) == 1
    assert [p.text for p in await library.search(["ibuprofen treats"], 9)] == ["Rest treats it."]


async def test_of_two_that_nearly_repeat_each_other_one_is_found_and_without_it_the_other(
    database: Database, tmp_path: Path
) -> None:
    story = " ".join(f"Sentence {number} tells of gout, its causes and its cure." for number in range(60))
    library = await stored(
        database, tmp_path, row("a", story, title="Gout"), row("b", f"{story} Reviewed.", title="Gout"),
        row("c", "Something else on gout."),
    )  # fmt: skip
    found = await library.search(["causes and cure of gout"], 20)
    assert {p.title for p in found} == {"Gout", "Gout c"} and not any("Reviewed" in p.text for p in found)
    async with database.begin() as connection:
        await index.lock(connection)
        await index.remove(connection, [f"file:{tmp_path}/rows.jsonl#a"], "")
    found = await library.search(["causes and cure of gout"], 20)
    assert {p.title for p in found} == {"Gout", "Gout c"} and any("Reviewed" in p.text for p in found)


async def test_what_was_fetched_is_found_until_it_expires(database: Database) -> None:
    embedder = FakeEmbedder()
    library = Retriever(database, embedder)
    article = Source(uri="pubmed:1", title="A trial of gout", text="Gout was treated.", origin="pubmed")
    for lives, found in ((timedelta(hours=1), True), (timedelta(seconds=-1), False), (timedelta(hours=1), True)):
        await store([article], database, embedder, datetime.now(UTC) + lives)
        assert bool(await library.search(["gout"], 3)) == found
    await store([article], database, embedder, datetime.now(UTC) - timedelta(seconds=1))
    async with database.begin() as connection:
        await index.lock(connection)
        assert await index.remove_expired(connection) == 1
        assert await connection.scalar(text("select count(*) from chunks")) == 0


async def test_what_was_put_in_for_good_is_neither_replaced_nor_let_go_by_what_is_fetched(
    database: Database, tmp_path: Path
) -> None:
    lasting = await stored(database, tmp_path, row("a", "Colchicine treats it."))
    fetched = Source(uri=f"file:{tmp_path}/rows.jsonl#a", title="Gout a", text="Fetched since.", origin="pubmed")
    report = await store([fetched], database, FakeEmbedder(), datetime.now(UTC) - timedelta(seconds=1))
    assert (report.added, report.replaced, report.unchanged) == (0, 0, 1)
    assert [p.text for p in await lasting.search(["gout"], 3)] == ["Colchicine treats it."]


async def test_what_was_fetched_and_is_put_in_for_good_stays(database: Database, tmp_path: Path) -> None:
    library = await stored(database, tmp_path, row("b", "Rest treats it."))
    (kept,) = load(tmp_path / "rows.jsonl")
    assert isinstance(kept, Source)
    async with database.begin() as connection:
        await index.lock(connection)
        await index.remove(connection, [kept.uri], "")
    await store([kept], database, FakeEmbedder(), datetime.now(UTC) + timedelta(hours=1))
    await ingest([tmp_path / "rows.jsonl"], database, FakeEmbedder())
    async with database.begin() as connection:
        assert (
            await connection.scalar(
                text("select count(*) from documents where expires_at is not null and replaced_at is null")
            )
            == 0
        )
    assert [p.text for p in await library.search(["gout"], 3)] == ["Rest treats it."]


async def test_what_nearly_repeats_something_fetched_is_found_when_that_has_expired(
    database: Database, tmp_path: Path
) -> None:
    story = " ".join(f"Sentence {number} tells of gout, its causes and its cure." for number in range(60))
    article = Source(uri="pubmed:1", title="Gout", text=story, origin="pubmed")
    await store([article], database, FakeEmbedder(), datetime.now(UTC) - timedelta(seconds=1))
    library = await stored(database, tmp_path, row("a", f"{story} Reviewed.", title="Gout"))
    found = await library.search(["causes and cure of gout"], 20)
    assert found and any("Reviewed" in p.text for p in found)


async def test_a_long_document_leaves_room_for_others(database: Database, tmp_path: Path) -> None:
    long = "\n\n".join(f"## Part {n}\n" + "Gout is treated with rest and ice. " * 12 for n in range(12))
    library = await stored(database, tmp_path, row("a", long), row("b", "Ice helps."), row("c", "Rest is good."))
    found = await library.search(["gout is treated with rest and ice"], 8)
    assert len({p.document_id for p in found}) == 3
    assert max(Counter(p.document_id for p in found).values()) == 4


async def test_of_two_that_fit_alike_the_stronger_evidence_comes_first(database: Database, tmp_path: Path) -> None:
    kinds = ("case", "trial", "guideline", "review")
    library = await stored(
        database,
        tmp_path,
        *(  # the same words in another order are as like to the question, and no duplicates
            row(kind[0], " ".join(words), title="Gout", evidence=kind)
            for kind, words in zip(kinds, permutations("gout is treated with rest and ice".split()), strict=False)
        ),
    )
    found = await library.search(["gout"], 9)
    assert [p.evidence for p in found] == ["guideline", "review", "trial", "case"]
