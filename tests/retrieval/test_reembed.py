from collections.abc import Sequence
from pathlib import Path

import pytest

from primum.graph.errors import RetrievalFailed
from primum.memory.session import Database
from primum.retrieval import reembed as module
from primum.retrieval.ingest import ingest
from primum.retrieval.reembed import reembed
from primum.retrieval.search import Retriever
from tests.fakes import FakeEmbedder
from tests.pages import write_pages

OLD, NEW = FakeEmbedder("old", 64), FakeEmbedder("new", 128)
ASKED = ["how is gout treated"]


class Breaking(FakeEmbedder):
    """Ends after so many passages, as a process does that is killed."""

    def __init__(self, name: str, dimensions: int, after: int) -> None:
        super().__init__(name, dimensions)
        self.after = after

    def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        if len(self.passages) >= self.after:
            raise KeyboardInterrupt
        return super().embed_passages(texts)


@pytest.fixture
async def library(database: Database, tmp_path: Path) -> Database:
    await ingest([write_pages(tmp_path)], database, OLD)
    return database


async def titles(database: Database, embedder: FakeEmbedder) -> list[tuple[str, str]]:
    return [(p.title, p.heading) for p in await Retriever(database, embedder).search(ASKED, 30)]


async def test_after_it_the_library_is_found_with_the_new_embedder_only(library: Database) -> None:
    told: list[tuple[int, int]] = []
    chunks = (await Retriever(library, OLD).state())["chunks"]
    assert await reembed(library, NEW, lambda done, total: told.append((done, total))) == chunks == told[-1][0]
    assert (await titles(library, NEW))[0][0] == "Gout"
    with pytest.raises(RetrievalFailed, match="Set PRIMUM_EMBEDDER back to new"):
        await titles(library, OLD)
    state = await Retriever(library, NEW).state()
    assert (state["embedder"], state["chunks"]) == ("new", chunks)
    assert await reembed(library, NEW) == 0


async def test_a_broken_run_goes_on_and_until_its_end_the_old_vectors_are_in_use(
    library: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 4)
    before = await titles(library, OLD)
    with pytest.raises(KeyboardInterrupt):
        await reembed(library, Breaking("new", 128, after=8))
    assert await titles(library, OLD) == before
    (tmp_path / "late.md").write_text("# Late\n\nWritten in the meantime, on gout.")
    await ingest([tmp_path / "late.md"], library, OLD)
    chunks = (await Retriever(library, OLD).state())["chunks"]
    assert await reembed(library, NEW) == chunks - 8
    assert ("Late", "") in await titles(library, NEW)


async def test_what_a_third_embedder_left_half_done_is_not_used(
    library: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 4)
    with pytest.raises(KeyboardInterrupt):
        await reembed(library, Breaking("third", 16, after=8))
    assert await reembed(library, NEW) == (await Retriever(library, NEW).state())["chunks"]


async def test_there_and_back_again_the_search_is_the_same(library: Database) -> None:
    before = await titles(library, OLD)
    await reembed(library, NEW)
    await reembed(library, OLD)
    assert await titles(library, OLD) == before
