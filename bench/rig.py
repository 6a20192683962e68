"""What the benchmarks of the agent stand on: a scripted endpoint in a process of its own, Postgres, a small library."""

import gc
import json
import logging
import multiprocessing
import re
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

import psycopg
import structlog
import uvloop
from pydantic import SecretStr

from primum.graph.resources import Resources, open_resources
from primum.graph.settings import Settings, read_settings
from primum.memory.schema import upgrade
from primum.memory.session import Database
from primum.retrieval.embedder import Vector
from primum.retrieval.ingest import ingest
from primum.retrieval.search import EVERYTHING, Filter, Passage, Retriever
from primum.retrieval.starter import STARTER
from primum.safety.sentences import split_plain
from primum.server import postgres
from tests.fakes import Body, FakeEmbedder, FakeVLLM, Says

_PASSAGE = re.compile(r"^\[(\d+)\] .*\n(.+(?:\n(?!\[\d+\] |\n).+)*)", re.MULTILINE)
FORMS = {"Audit": '{"objections": []}', "Choice": '{"numbers": [0]}', "Proposals": '{"facts": []}'}


class Script:
    """Answers with the passages' own sentences, marked, up to a number of words; after a delay of so many seconds.

    `false` is a sentence that a first draft ends with, and a refined one does not. `each`: seconds that a token takes.
    """

    def __init__(self, words: int, delay: float, false: str, each: float = 0.0) -> None:
        self.words, self.delay, self.false, self.each = words, delay, false, each

    def __call__(self, request: Body) -> Says:
        prompt = str(
            request["messages"][-1]["content"] if len(request["messages"]) < 3 else request["messages"][1]["content"]
        )
        told: list[str] = []
        for number, text in _PASSAGE.findall(prompt):
            told += [f"{text[a:b].rstrip('.')} [{number}]." for a, b in split_plain(text)]
        answer: list[str] = []
        for sentence in told:
            if answer and sum(len(s.split()) for s in answer) + len(sentence.split()) > self.words:
                break
            answer.append(sentence)
        if self.false and len(request["messages"]) == 2:
            answer.append(self.false)
        return Says(" ".join(answer) or "Nothing.", first=self.delay, each=self.each)


def _serve(words: int, delay: float, false: str, each: float, pipe: Connection) -> None:
    with FakeVLLM() as server:
        server.default = Script(words, delay, false, each)
        for form, filled in FORMS.items():
            server.forms[form] = Says(filled, first=delay)
        pipe.send(server.url)
        pipe.recv()


@contextmanager
def endpoint(words: int, delay: float, false: str = "", each: float = 0.0) -> Iterator[str]:
    """Its URL. It runs in a process of its own, so that its work is not counted as ours."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(words, delay, false, each, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join(5)


class TimedRetriever(Retriever):
    """Counts the time of searching, reading and embedding, of all of them, so that it can be told apart."""

    seconds: ClassVar[float] = 0.0

    async def search(self, queries: Sequence[str], k: int, only: Filter = EVERYTHING) -> list[Passage]:
        started = perf_counter()
        try:
            return await super().search(queries, k, only)
        finally:
            TimedRetriever.seconds += perf_counter() - started

    async def read(self, chunk_ids: Sequence[int]) -> list[Passage]:
        started = perf_counter()
        try:
            return await super().read(chunk_ids)
        finally:
            TimedRetriever.seconds += perf_counter() - started

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        started = perf_counter()
        try:
            return await super().embed(texts)
        finally:
            TimedRetriever.seconds += perf_counter() - started


@asynccontextmanager
async def new_settings(model_url: str) -> AsyncIterator[Settings]:
    """Settings with a new database that holds the starter library, vectors by a hash of the words."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "postgres"
        with (Path(folder) / "postgres.log").open("ab") as log:
            postgres.start(data, log)
        try:
            with psycopg.connect(postgres.url(data, "postgres", "postgres"), autocommit=True) as connection:
                connection.execute("create database bench owner primum")
            url = postgres.url(data, database="bench")
            upgrade(url)
            database = Database(url, owner=True)
            await ingest([STARTER], database, FakeEmbedder())
            await database.close()
            secret = SecretStr(url)
            yield read_settings(home=folder, database_url=secret, model_url=model_url, database_pool=16)
        finally:
            postgres.stop(data)


@asynccontextmanager
async def resources(model_url: str) -> AsyncIterator[Resources]:
    """An agent's resources on such a database."""
    async with new_settings(model_url) as settings, open_resources(settings, FakeEmbedder()) as opened:
        gc.collect()
        gc.freeze()
        yield opened


def report(measurement: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Runs a measurement on the event loop that the server has, and prints it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    told = uvloop.run(measurement)
    print(json.dumps(told, indent=2, ensure_ascii=False))
    return told
