"""The services of literature that the settings name, and how what they know gets into the library."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import SecretStr

from primum.graph.errors import LookUpFailed, MemoryUnavailable
from primum.graph.settings import Settings
from primum.memory.session import Database
from primum.retrieval.copies import Copies
from primum.retrieval.embedder import Embedder
from primum.retrieval.ingest import store
from primum.retrieval.loaders import Source, Unreadable
from primum.retrieval.origins import Addresses, Origin
from primum.tools.connect import MedlinePlus
from primum.tools.deidentify import deidentify
from primum.tools.europepmc import EuropePMC
from primum.tools.fetched import Fetched
from primum.tools.guard import Guard
from primum.tools.labels import Labels
from primum.tools.literature import NOTHING_LEAVES, Found, look_up
from primum.tools.pubmed import PubMed
from primum.tools.service import Service
from primum.tools.trials import Trials
from primum.tools.web import Web

PAPERS = 100  # of one query to ingest
_TOO_SLOW = "What was found could not be stored in the time of this turn."


def pubmed_origin(settings: Settings) -> Origin:
    """`pubmed:"query"` for `primum ingest`: the papers that match best; only the query's medical words leave."""

    async def search(wanted: str) -> list[Source]:
        query = deidentify(wanted)
        if query is None:
            raise LookUpFailed(NOTHING_LEAVES)
        guard = Guard()
        try:
            pubmed = PubMed(guard, key=_plain(settings.ncbi_key), contact=settings.contact)
            return await pubmed.search(query, PAPERS)
        finally:
            await guard.close()

    def read(wanted: str, _: httpx.Client, __: Addresses) -> Iterator[Source | Unreadable]:
        try:
            yield from asyncio.run(search(wanted))
        except LookUpFailed as error:
            yield Unreadable(f"pubmed:{wanted}", str(error))

    return read


class Literature:
    """What services know of a question, put into everyone's library until it is too old."""

    def __init__(
        self, services: tuple[Service, ...], writer: Database, embedder: Embedder, settings: Settings, copies: Copies
    ) -> None:
        self._copies = copies
        self.services = services
        self.cache = Fetched(writer, settings.literature_days)
        self._writer = writer
        self._embedder = embedder
        self._settings = settings

    async def bring(self, question: str, seconds_left: float) -> Found:
        """Looks a question up and stores what is found, in half of the time left; only its medical words leave.

        What could not be stored is none of what was found: `reason` tells why.

        Raises:
            RetrievalFailed: the library is another embedder's.
        """
        half = max(0.2, seconds_left / 2)
        deadline = asyncio.get_running_loop().time() + half
        found = await look_up(
            question, self.services, self.cache, seconds=min(self._settings.literature_timeout, half / 2)
        )
        if not found.documents:
            return found
        expires_at = datetime.now(UTC) + timedelta(days=self._settings.literature_days)
        try:
            async with asyncio.timeout_at(deadline):
                await store(found.documents, self._writer, self._embedder, expires_at)
        except TimeoutError:
            return replace(found, documents=(), reason=_TOO_SLOW)
        except MemoryUnavailable as error:
            return replace(found, documents=(), reason=f"What was found could not be stored: {error}")
        self._copies.written()
        return found


@asynccontextmanager
async def open_literature(settings: Settings, embedder: Embedder, copies: Copies) -> AsyncIterator[Literature | None]:
    """The literature that the settings allow; none where they name no service."""
    if not settings.literature or settings.database_url is None:
        yield None
        return
    writer = Database(settings.database_url.get_secret_value(), pool=2, owner=True)
    try:
        async with open_services(settings) as services:
            yield Literature(services, writer, embedder, settings, copies)
    finally:
        await writer.close()


@asynccontextmanager
async def open_services(settings: Settings, guard: Guard | None = None) -> AsyncIterator[tuple[Service, ...]]:
    """The services of PRIMUM_LITERATURE, in its order; none where it is empty, and then nothing leaves."""
    guard = guard or Guard()
    try:
        yield tuple(_service(name, settings, guard) for name in dict.fromkeys(settings.literature))
    finally:
        await guard.close()


def _service(name: str, settings: Settings, guard: Guard) -> Service:
    match name:
        case "pubmed":
            return PubMed(guard, key=_plain(settings.ncbi_key), contact=settings.contact)
        case "europepmc":
            return EuropePMC(guard)
        case "medlineplus":
            return MedlinePlus(guard)
        case "openfda":
            return Labels(guard, key=_plain(settings.openfda_key))
        case "ctgov":
            return Trials(guard)
    return Web(guard, settings.web_domains)


def _plain(key: SecretStr | None) -> str:
    return key.get_secret_value() if key else ""
