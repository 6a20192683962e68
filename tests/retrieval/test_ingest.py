import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from primum.graph.errors import RetrievalFailed
from primum.memory.session import Database
from primum.retrieval.ingest import IngestReport, Progress, ingest
from primum.retrieval.search import Retriever
from tests.fakes import FakeEmbedder

PAGES = {
    "gout.md": "# Gout\n\nGout is a painful arthritis.\n\n## Treatment\nIbuprofen treats gout attacks early.",
    "flu.md": "# Flu\n\nFlu is an infection of the airways. Rest helps against flu.",
    "acne.md": "# Acne\n\nAcne is common in teenagers.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, page in PAGES.items():
        (tmp_path / name).write_text(page)
    return tmp_path


async def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    async with database.begin() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def assert_counts_are_right(database: Database) -> None:
    """The counts that ingesting keeps up are those that counting again gives."""
    counted = await rows(
        database, "select word, count(*) from chunks, unnest(tsvector_to_array(lexemes)) word group by word order by 1"
    )
    assert await rows(database, "select lexeme, chunks from lexemes order by 1") == counted
    assert await rows(database, "select chunks from corpus") == await rows(database, "select count(*) from chunks")


async def test_a_folder_goes_in_and_again_nothing_is_done(database: Database, folder: Path) -> None:
    embedder = FakeEmbedder()
    assert await ingest([folder], database, embedder) == IngestReport(added=3, chunks=4)
    version = await Retriever(database, embedder).version()
    embedded = len(embedder.passages)
    assert await ingest([folder, folder / "flu.md"], database, embedder) == IngestReport(unchanged=3)
    assert len(embedder.passages) == embedded
    assert await Retriever(database, embedder).version() == version != ""
    await assert_counts_are_right(database)


async def test_a_changed_file_replaces_its_document_and_changes_the_version(database: Database, folder: Path) -> None:
    embedder = FakeEmbedder()
    retriever = Retriever(database, embedder)
    await ingest([folder], database, embedder)
    before = await retriever.version()
    (folder / "flu.md").write_text("# Flu\n\nInfluenza vaccines prevent flu.")
    assert await ingest([folder], database, embedder) == IngestReport(replaced=1, unchanged=2, chunks=1)
    assert [text for (text,) in await rows(database, "select text from chunks where title = 'Flu'")] == [
        "Influenza vaccines prevent flu."
    ]
    await assert_counts_are_right(database)
    changed = await retriever.version()
    (folder / "flu.md").write_text(PAGES["flu.md"])
    await ingest([folder], database, embedder)
    assert await retriever.version() == before != changed


async def test_bad_files_are_named_and_the_others_go_in(database: Database, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 oops")
    (folder / "rows.jsonl").write_text('{"_id": 1, "text": "Good."}\n{"_id": 1, "text": "Twice."}\nbad')
    report = await ingest([folder, folder / "none.md"], database, FakeEmbedder())
    assert report.added == 4
    skipped = sorted(Path(name).name for name, _ in report.skipped)
    assert skipped == [
        "broken.pdf",
        "none.md",
        "rows.jsonl#1",
        "rows.jsonl:3",
    ]


async def test_progress_tells_how_many_documents_are_done(database: Database, folder: Path) -> None:
    told: list[Progress] = []
    await ingest([folder], database, FakeEmbedder(), told.append)
    assert told == [Progress(done=3, total=3, title="Gout")]


async def test_stored_positions_point_into_the_document(database: Database, folder: Path) -> None:
    await ingest([folder], database, FakeEmbedder())
    wrong = """
        select 1 from chunks c join documents d on d.id = document_id
        where substr(d.text, start + 1, stop - start) <> c.text
    """
    assert await rows(database, wrong) == []


class Killed(BaseException):
    """What nothing catches."""


class Interrupted(FakeEmbedder):
    """Stops for good after some texts, as a killed process would."""

    def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        if self.passages:
            raise Killed
        return super().embed_passages(texts)


async def test_a_broken_run_keeps_what_was_done_and_a_new_one_does_the_rest(database: Database, tmp_path: Path) -> None:
    rows_file = tmp_path / "rows.jsonl"
    long = "Fever is a high temperature of the body. " * 10
    rows_file.write_text("\n".join(json.dumps({"_id": n, "text": f"Page {n}. {long}"}) for n in range(300)))
    with pytest.raises(Killed):
        await ingest([rows_file], database, Interrupted())
    report = await ingest([rows_file], database, FakeEmbedder())
    assert report.added + report.unchanged == 300
    assert report.unchanged > 100
    await assert_counts_are_right(database)


async def test_two_ingests_of_the_same_folder_at_once_do_no_harm(database: Database, folder: Path) -> None:
    reports = await asyncio.gather(*(ingest([folder], database, FakeEmbedder()) for _ in range(3)))
    assert sum(report.added for report in reports) == 3
    assert await rows(database, "select count(*) from documents") == [(3,)]
    await assert_counts_are_right(database)


async def test_another_embedder_is_refused_with_the_way_to_mend_it(database: Database, folder: Path) -> None:
    await ingest([folder], database, FakeEmbedder("one"))
    other = FakeEmbedder("other", dimensions=32)
    for attempt in (ingest([folder], database, other), Retriever(database, other).search(["gout"], 3)):
        with pytest.raises(
            RetrievalFailed, match="Set PRIMUM_EMBEDDER back to one, or change the library: primum reembed"
        ):
            await attempt


async def test_the_same_model_under_another_name_is_welcome(database: Database, folder: Path) -> None:
    await ingest([folder], database, FakeEmbedder())
    renamed = FakeEmbedder()
    renamed.name = "moved"
    assert (await ingest([folder], database, renamed)).unchanged == 3
    assert (await Retriever(database, renamed).state())["embedder"] == "moved"


async def test_an_empty_library_takes_any_embedder(database: Database, folder: Path) -> None:
    await ingest([folder / "none.md"], database, FakeEmbedder("one"))
    assert (await ingest([folder], database, FakeEmbedder("other", dimensions=32))).added == 3


async def test_a_page_with_every_kind_of_word_can_be_counted_and_found(database: Database, tmp_path: Path) -> None:
    page = tmp_path / "odd.txt"
    page.write_text(r"O'Neill's c:\temp\x 'quoted' :colon & !no | (or) <-> 5% https://example.org/a?b='c' 頭痛 naïve")
    embedder = FakeEmbedder()
    await ingest([page], database, embedder)
    await assert_counts_are_right(database)
    found = await Retriever(database, embedder).search([page.read_text()], 1)
    assert [passage.title for passage in found] == ["odd"]
    page.write_text("Something else.")
    await ingest([page], database, embedder)
    await assert_counts_are_right(database)
