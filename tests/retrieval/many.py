"""An ingest on many workers, to be run and killed.

python -m tests.retrieval.many URL FOLDER [MARK | different] [tell | die] [WORKERS]
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.graph.errors import PrimumError
from primum.memory.session import Database
from primum.retrieval.cluster import ingest_on_workers
from primum.retrieval.embedder import Embedder
from primum.retrieval.ingest import IngestReport, Progress
from tests.fakes import FakeEmbedder

ENOUGH = 150  # passages after which the first worker dies


class Mortal(FakeEmbedder):
    """Kills its process after some passages, unless another has died so: then the mark is there."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self._mark = mark

    def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        if len(self.passages) + len(texts) > ENOUGH and not self._mark.exists():
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed_passages(texts)


class Different(FakeEmbedder):
    """Another model in each process, as if their machines had been set up apart."""

    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = str(os.getpid())


class Deadly(Database):
    """Kills its process right after some documents were committed, before anyone hears of it."""

    @asynccontextmanager
    async def begin(self, *args: Any, **kwargs: Any) -> AsyncIterator[AsyncConnection]:
        async with super().begin(*args, **kwargs) as connection:
            yield connection
            stored = await connection.scalar(text("select count(*) from documents"))
        if stored:
            os.kill(os.getpid(), signal.SIGKILL)


async def run(url: str, folder: str, load: Callable[[], Embedder], tell: str, workers: int) -> IngestReport:
    database = (Deadly if tell == "die" else Database)(url, owner=True)

    def told(progress: Progress) -> None:
        if tell and progress.done:
            say(progress.done)

    try:
        return await ingest_on_workers([folder], database, load, workers, told)
    finally:
        await database.close()


def main(url: str, folder: str, mark: str = "", tell: str = "", workers: str = "2") -> None:
    load: Callable[[], Embedder] = FakeEmbedder
    if mark:
        load = Different if mark == "different" else partial(Mortal, Path(mark))
    try:
        say(json.dumps(vars(asyncio.run(run(url, folder, load, tell, int(workers))))))
    except PrimumError as error:
        say(error)
        sys.exit(1)


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
