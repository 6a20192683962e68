"""Ingesting: its rate beside the bare embedder's, its memory, and what a second run costs. Prints JSON.

    python -m bench.ingest --documents 400 --chunks 200000

The rates are of real passages (MedQuAD where it lies beside the project, else the starter library) and the embedder of
the settings; parts of them are ingested and embedded bare by turns, in the same batches, so that a busy machine slows
both alike. Memory is this process's, over a made library of so many chunks with a quick embedder.
"""

import argparse
import asyncio
import gzip
import json
import logging
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import structlog
from sqlalchemy import text

from primum.graph.resources import embedder_of
from primum.graph.settings import read_settings
from primum.memory.schema import upgrade
from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.embedder import Embedder, Vector
from primum.retrieval.ingest import IngestReport, Progress, ingest
from primum.retrieval.loaders import STARTER, Source, load
from primum.server import postgres
from tests.fakes import FakeEmbedder

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "retrieval"
MEDQUAD = DATA / "medquad" / "corpus.jsonl.gz"
PARTS = 2  # in turns with the bare embedder
OF_A_DOCUMENT = 4  # chunks that a made document has, about
PAGE = 4096  # bytes; what /proc counts in


class Listening:
    """An embedder that keeps the batches that it was given, and how long they took."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dimensions, self.pooling = embedder.name, embedder.dimensions, embedder.pooling
        self.fingerprint, self.count_tokens = embedder.fingerprint, embedder.count_tokens
        self.embed_queries = embedder.embed_queries
        self._embedder = embedder
        self.batches: list[Sequence[str]] = []
        self.seconds = 0.0

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        self.batches.append(texts)
        began = time.perf_counter()
        try:
            return self._embedder.embed_passages(texts)
        finally:
            self.seconds += time.perf_counter() - began


def real(count: int) -> list[dict[str, Any]]:
    """So many documents as rows of a .jsonl; all there are, if they are fewer."""
    if MEDQUAD.is_file():
        with gzip.open(MEDQUAD, "rt") as file:
            return [json.loads(row) for row in islice(file, count)]
    pages = (page for page in load(STARTER) if isinstance(page, Source))
    return [{"_id": page.uri, "title": page.title, "text": page.text} for page in islice(pages, count)]


def made(chunks: int) -> Iterator[dict[str, Any]]:
    """Documents of about four chunks, put together from the starter library's sentences; no two alike."""
    pages = (page for page in load(STARTER) if isinstance(page, Source))
    sentences = [part for page in pages for part in page.text.replace("\n", " ").split(". ") if len(part) > 30]
    for number in range(chunks // OF_A_DOCUMENT):
        body = ". ".join(random.Random(number).sample(sentences, 35))
        yield {"_id": number, "title": f"Page {number}", "text": f"Number {number}. {body}."}


def written(path: Path, rows: Iterator[dict[str, Any]] | Sequence[dict[str, Any]]) -> Path:
    with path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def resident() -> float:
    """Megabytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


async def rates(folder: Path, documents: int, database: Database, embedder: Embedder) -> dict[str, Any]:
    """Chunks a second of ingesting and of embedding the same batches; what ingesting the same again costs."""
    rows = real(documents)
    size = -(-len(rows) // PARTS)
    files = [written(folder / f"{n}.jsonl", rows[n * size : (n + 1) * size]) for n in range(PARTS)]
    listening = Listening(embedder)
    embedder.embed_passages(["warm up"] * 16)
    whole = bare = 0.0
    chunks = 0
    for file in files:
        began = time.perf_counter()
        chunks += (await ingest([file], database, listening)).chunks
        whole += time.perf_counter() - began
        began = time.perf_counter()
        for batch in listening.batches:
            await asyncio.to_thread(embedder.embed_passages, batch)
        bare += time.perf_counter() - began
        listening.batches.clear()
    began = time.perf_counter()
    assert not (await ingest(files, database, listening)).changed
    again = time.perf_counter() - began
    return {
        "chunks": chunks,
        "embedder_chunks_per_s": round(chunks / bare, 1),
        "ingest_chunks_per_s": round(chunks / whole, 1),
        "ratio": round(bare / whole, 3),
        "embedder_busy": round(listening.seconds / whole, 3),
        "again_share_of_first": round(again / whole, 4),
    }


async def memory(folder: Path, chunks: int, database: Database) -> dict[str, Any]:
    """Megabytes held at a tenth, half and all of a made library; chunks a second where embedding costs little."""
    file = written(folder / "made.jsonl", made(chunks))
    held: dict[str, float] = {}

    def note(progress: Progress) -> None:
        for share in (10, 50, 100):
            if progress.done * 100 >= share * progress.total:
                held.setdefault(f"at_{share}_percent_mb", round(resident(), 1))

    embedder = FakeEmbedder(dimensions=384)
    embedder.passages = Forgotten()
    async with database.begin() as connection:
        await index.claim(connection, embedder)
    await index.change_vector_index(database, "none")  # it would take most of the time, and none of this memory
    began = time.perf_counter()
    report: IngestReport = await ingest([file], database, embedder, note)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    assert not (await ingest([file], database, embedder)).changed
    return {
        "chunks": report.chunks,
        **held,
        "chunks_per_s": round(report.chunks / seconds, 1),
        "again_chunks_per_s": round(report.chunks / (time.perf_counter() - began), 1),
    }


class Forgotten(list[str]):
    """What the fake embedder was given is not kept: it would be measured as memory."""

    def extend(self, _: Any) -> None:
        pass


class Servers(AbstractContextManager["Servers"]):
    """An embedded Postgres in a folder; each database is new."""

    def __init__(self, folder: Path) -> None:
        self._data, self._log = folder / "postgres", folder / "postgres.log"

    def __enter__(self) -> "Servers":
        with self._log.open("ab") as log:
            postgres.start(self._data, log)
        return self

    def __exit__(self, *_: object) -> None:
        postgres.stop(self._data)

    def database(self, name: str) -> Database:
        with psycopg.connect(postgres.url(self._data, "postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name} owner primum".encode())
        url = postgres.url(self._data, database=name)
        upgrade(url)
        return Database(url, owner=True)


async def bench(folder: Path, documents: int, chunks: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    with Servers(folder) as servers:
        if documents:
            database = servers.database("rates")
            result["rates"] = await rates(folder, documents, database, embedder_of(read_settings()))
            await database.close()
        if chunks:
            database = servers.database("memory")
            result["memory"] = await memory(folder, chunks, database)
            async with database.begin() as connection:
                result["memory"]["stored"] = await connection.scalar(text("select count(*) from chunks"))
            await database.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=400, help="of the rates (default: %(default)s; 0: none)")
    parser.add_argument("--chunks", type=int, default=10_000, help="of the memory (default: %(default)s; 0: none)")
    given = parser.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(bench(Path(folder), given.documents, given.chunks)), indent=2))


if __name__ == "__main__":
    main()
