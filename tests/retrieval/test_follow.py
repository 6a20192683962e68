import asyncio
import gzip
import json
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text

from primum.memory.session import Database
from primum.retrieval import follow as module
from primum.retrieval.follow import follow
from primum.retrieval.ingest import ingest
from tests.fakes import FakeEmbedder
from tests.retrieval import documents


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
async def following(folder: Path, database: Database, embedder: FakeEmbedder | None = None) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(follow([folder], database, embedder or FakeEmbedder(), stop, settled=0.1))
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


async def uris(database: Database) -> set[str]:
    async with database.begin() as connection:
        rows = await connection.execute(text("select uri from documents where replaced_at is null"))
        return {row.uri for row in rows}


def rows_of(**texts: str) -> str:
    return "\n".join(json.dumps({"_id": name, "title": name, "text": text}) for name, text in texts.items())


async def test_rows_and_an_archives_files_go_with_what_held_them(database: Database, tmp_path: Path) -> None:
    rows, table, archive = tmp_path / "drugs.jsonl", tmp_path / "asked.csv", tmp_path / "all.zip"
    rows.write_text(rows_of(a="Of a.", b="Of b.", c="Of c."))
    table.write_text("title,text\nd,Of d.\ne,Of e.\n")
    archive.write_bytes(documents.zipped({"f.md": "# f\n\nOf f.", "in/rows.jsonl": rows_of(g="Of g.", h="Of h.")}))
    async with following(tmp_path, database):
        await until(database, lambda found: found == set("abcdefgh"))
        rows.write_text(rows_of(a="Of a.", c="Of c, and more."))
        await until(database, lambda found: found == set("acdefgh"))
        table.write_text("title,text\nd,Of d.\n")
        await until(database, lambda found: found == set("acdfgh"))
        archive.write_bytes(documents.zipped({"in/rows.jsonl": rows_of(h="Of h.")}))
        await until(database, lambda found: found == set("acdh"))
        rows.unlink()
        archive.unlink()
        await until(database, lambda found: found == {"d"})


async def test_rows_that_went_while_nobody_followed_go_at_the_start(database: Database, tmp_path: Path) -> None:
    rows, table = tmp_path / "drugs.jsonl", tmp_path / "asked.csv"
    rows.write_text(rows_of(a="Of a.", b="Of b."))
    table.write_text("title,text\nd,Of d.\n")
    await ingest([tmp_path], database, FakeEmbedder())
    rows.write_text(rows_of(b="Of b."))
    table.unlink()
    async with following(tmp_path, database):
        await until(database, lambda found: found == {"b"})


async def test_a_file_that_cannot_be_read_to_its_end_loses_nothing(database: Database, tmp_path: Path) -> None:
    rows, archive = tmp_path / "drugs.jsonl.gz", tmp_path / "all.zip"
    rows.write_bytes(gzip.compress(rows_of(a="Of a.", b="Of b.").encode()))
    archive.write_bytes(documents.zipped({"c.md": "# c\n\nOf c.", "d.json": "[" + rows_of(d="Of d.") + "]"}))
    async with following(tmp_path, database):
        await until(database, lambda found: found == set("abcd"))
        rows.write_bytes(gzip.compress(rows_of(a="Of a, and more.").encode() * 9)[:-9])
        archive.write_bytes(documents.zipped({"d.json": "[broken", "e.md": "# e\n\nOf e."}))
        assert await until(database, lambda found: "e" in found and "c" not in found) == set("abde")


@pytest.mark.parametrize("name", ["cafe\u0301.md", "two  spaces.md", "a#b%20c.md", "a'b.md", "a\tb.md"])
async def test_a_file_of_any_name_stays_while_it_is_there_and_goes_with_it(
    database: Database, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("# a\n\nOf a.")
    for _ in range(2):  # also when it is followed again
        async with following(tmp_path, database):
            await until(database, lambda found: found == {"a"})
            (tmp_path / "b.md").write_text("# b\n\nOf b.")
            await until(database, lambda found: found == {"a", "b"})
            (tmp_path / "b.md").unlink()
            await until(database, lambda found: found == {"a"})
    async with following(tmp_path, database):
        (tmp_path / name).unlink()
        await until(database, lambda found: found == set())


async def test_a_folder_that_is_moved_away_takes_its_documents_along_whatever_its_name(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "house"
    for name in ("ward.2026", "ward.2026.old", "ward.md"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.md").write_text(f"# {name}\n\nOf {name}.")
    async with following(folder, database):
        await until(database, lambda found: len(found) == 3)
        shutil.move(folder / "ward.2026", tmp_path / "elsewhere")
        await until(database, lambda found: found == {"ward.2026.old", "ward.md"})
        shutil.rmtree(folder / "ward.md")
        await until(database, lambda found: found == {"ward.2026.old"})


async def test_a_link_counts_once_and_is_not_followed_out_of_the_folder(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "house"
    folder.mkdir()
    (tmp_path / "secret.md").write_text("# Secret\n\nNot of this folder.")
    (folder / "a.md").write_text("# a\n\nOf a.")
    (folder / "b.md").symlink_to(folder / "a.md")
    (folder / "secret.md").symlink_to(tmp_path / "secret.md")
    async with following(folder, database):
        await until(database, lambda found: found == {"a"})
        (folder / "more.md").symlink_to(tmp_path / "secret.md")
        (folder / "c.md").write_text("# c\n\nOf c.")
        await until(database, lambda found: found == {"a", "c"})
        assert await uris(database) == {f"file:{folder}/a.md", f"file:{folder}/c.md"}


async def test_what_changes_during_the_first_look_is_not_missed(database: Database, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# a\n\nOf a.")

    class Slow(FakeEmbedder):
        """Writes a page in a folder that was looked through, while it embeds."""

        def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
            if not self.passages:
                (tmp_path / "a.md").write_text("# Changed\n\nOf a, changed.")
                (tmp_path / "b.md").write_text("# b\n\nOf b.")
            return super().embed_passages(texts)

    async with following(tmp_path, database, Slow()):
        await until(database, lambda found: found == {"Changed", "b"})


class Stumbling(FakeEmbedder):
    """Fails at what nobody foresaw: a text that says so."""

    def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        if any("stumble" in text for text in texts):
            raise OSError("disk of patient Smith is gone")
        return super().embed_passages(texts)


async def test_following_goes_on_after_an_error_in_one_file(database: Database, tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    (tmp_path / "a.md").write_text("# a\n\nOf a.")
    (tmp_path / "b.md").write_text("# b\n\nWho reads it will stumble.")
    (tmp_path / "ward" / "c.md").write_text("# c\n\nOf c.")
    (tmp_path / "gone.md").write_text("# Gone\n\nGone when nobody followed.")
    await ingest([tmp_path / "gone.md"], database, FakeEmbedder())
    (tmp_path / "gone.md").unlink()
    with structlog.testing.capture_logs() as logs:
        async with following(tmp_path, database, Stumbling()):
            await until(database, lambda found: found == {"a", "c"})
            (tmp_path / "d.md").write_text("# d\n\nOne can stumble here too.")
            (tmp_path / "e.md").write_text("# e\n\nOf e.")
            await until(database, lambda found: found == {"a", "c", "e"})
            (tmp_path / "d.md").write_text("# d\n\nMended.")
            await until(database, lambda found: found == {"a", "c", "d", "e"})
    errors = {(log["name"], log["reason"]) for log in logs if log["log_level"] == "error"}
    assert errors == {("b.md", "OSError"), ("d.md", "OSError")}
    assert "Smith" not in str(logs)


async def test_a_folder_that_is_taken_away_keeps_its_documents_until_it_is_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.05)
    folder = tmp_path / "share"
    folder.mkdir()
    (folder / "a.md").write_text("# a\n\nOf a.")
    with structlog.testing.capture_logs() as logs:
        async with following(folder, database):
            await until(database, lambda found: found == {"a"})
            shutil.rmtree(folder)
            async with asyncio.timeout(30):
                while not any("no such folder" in log.get("reason", "") for log in logs):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert await titles(database) == {"a"}
            folder.mkdir()
            (folder / "b.md").write_text("# b\n\nOf b.")
            await until(database, lambda found: found == {"b"})


async def test_following_ends_at_once_also_while_it_waits(database: Database, tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        async with following(tmp_path / "later", database):
            pass
