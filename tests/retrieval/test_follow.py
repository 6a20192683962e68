import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from primum.memory.session import Database
from primum.retrieval import follow as module
from primum.retrieval.follow import follow
from primum.retrieval.ingest import ingest
from tests.fakes import FakeEmbedder


async def titles(database: Database) -> set[str]:
    async with database.begin() as connection:
        rows = await connection.execute(text("select title from documents where replaced_at is null"))
        return {row.title for row in rows}


async def until(database: Database, fits: Callable[[set[str]], bool]) -> set[str]:
    async with asyncio.timeout(30):
        while not fits(found := await titles(database)):  # noqa: ASYNC110 (Postgres tells nobody)
            await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def following(folder: Path, database: Database) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(follow([folder], database, FakeEmbedder(), stop, settled=0.1))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


async def test_the_library_becomes_and_stays_what_a_folder_holds(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "house"
    (folder / "old").mkdir(parents=True)
    (folder / "gout.md").write_text("# Gout\n\nGout hurts.")
    (folder / "old" / "flu.md").write_text("# Flu\n\nFlu is an infection.")
    (folder / "gone.md").write_text("# Gone\n\nGone when the server was off.")
    await ingest([folder], database, FakeEmbedder())
    (folder / "gone.md").unlink()
    (tmp_path / "elsewhere.md").write_text("# Elsewhere\n\nNot watched.")
    await ingest([tmp_path / "elsewhere.md"], database, FakeEmbedder())
    async with following(folder, database):
        await until(database, lambda found: found == {"Gout", "Flu", "Elsewhere"})
        (folder / "acne.md").write_text("# Acne\n\nAcne is common.")
        (folder / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
        (folder / "gout.md").write_text("# Gout, again\n\nGout hurts more.")
        await until(database, lambda found: found == {"Gout, again", "Flu", "Elsewhere", "Acne"})
        shutil.rmtree(folder / "old")
        await until(database, lambda found: found == {"Gout, again", "Elsewhere", "Acne"})


async def test_a_folder_that_is_not_there_yet_is_waited_for(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.05)
    async with following(tmp_path / "later", database):
        (tmp_path / "later").mkdir()
        (tmp_path / "later" / "gout.md").write_text("# Gout\n\nGout hurts.")
        await until(database, lambda found: found == {"Gout"})
