"""What lives as long as the process: pools, clients, the embedder and the compiled graph. Opened once."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx

from primum.graph.adapters import Adapters
from primum.graph.builder import Graph, build_graph
from primum.graph.context import Audience, Context, Examples, Limits, Run
from primum.graph.errors import BadInput, PrimumError
from primum.graph.literature import Literature, open_literature
from primum.graph.llm import open_client
from primum.graph.request import check_name
from primum.graph.rules import rules_in_use
from primum.graph.senses import Senses
from primum.graph.settings import Settings
from primum.graph.tracing import tracing
from primum.memory.audit import Audit
from primum.memory.chart import Charts
from primum.memory.checkpoints import open_checkpointer
from primum.memory.consent import Consents
from primum.memory.erasure import Erasure
from primum.memory.feedback import Opinions
from primum.memory.identity import Identity
from primum.memory.records import Records
from primum.memory.releases import Releases
from primum.memory.reviews import Reviews
from primum.memory.roles import ROLES, ModelRole
from primum.memory.secret import Secret, find_secret
from primum.memory.session import Database
from primum.memory.summaries import Summaries
from primum.memory.threads import Threads
from primum.nodes.examples import load_examples
from primum.retrieval.copies import Copies
from primum.retrieval.embedder import Embedder, load_embedder
from primum.retrieval.reranker import load_reranker
from primum.retrieval.search import Retriever
from primum.retrieval.terms import expand
from primum.retrieval.vocabulary import Vocabulary
from primum.safety import harm, support, validator
from primum.safety.profile import Profile

# Kept from the turn's time for the search, the audit and the answer that need no model.
RESERVE = 0.15


@dataclass(frozen=True)
class Resources:
    """Shared by all turns; `context` makes what one turn gets."""

    settings: Settings
    secret: Secret
    database: Database
    audit: Audit
    threads: Threads
    charts: Charts
    summaries: Summaries
    records: Records
    opinions: Opinions
    reviews: Reviews
    erasure: Erasure
    consents: Consents
    library: Retriever
    literature: Literature | None
    copies: Copies
    graph: Graph
    examples: Examples
    http: httpx.AsyncClient
    adapters: Adapters
    senses: Senses

    def context(
        self, run: Run, identity: Identity, thread: str, audience: Audience, profile: Profile | None = None
    ) -> Context:
        """`Adapters.look` before it, or the releases are those of the last turn."""
        settings = self.settings
        models = self.adapters.models(identity.tenant, thread)
        session = hashlib.sha256(f"{identity.tenant}\0{thread}".encode()).hexdigest()[:32]
        writer, critic, router = (self.adapters.endpoint(models[role]).bind(role, run, session) for role in ROLES)

        async def loaded() -> dict[ModelRole, str]:
            return await self.adapters.labels(models)

        return Context(
            writer=writer,
            critic=critic,
            router=router,
            library=self.library.of(identity.tenant),
            charts=self.charts,
            summaries=self.summaries,
            examples=self.examples,
            model_name=models["writer"],
            loaded=loaded,
            identity=identity,
            thread=thread,
            literature=self.literature,
            signs=settings.sign_off == "patients" and audience == "patient",
            limits=Limits(
                settings.max_revisions,
                settings.max_words,
                settings.passages,
                settings.history_turns,
                settings.summarise_after,
                settings.search_rounds,
                settings.max_tool_calls if settings.model_tools else 0,
            ),
            run=run,
            audience=audience,
            profile=profile or Profile(),
            region=settings.region,
        )

    def identity(self, patient: str, tenant: str | None = None) -> Identity:
        """A patient of a tenant, of the settings' unless given. Raises BadInput."""
        own = self.settings.tenant if tenant is None else check_name(tenant, "tenant")
        return Identity(own, check_name(patient, "patient"))

    def new_run(self, run_id: UUID | None = None) -> Run:
        return Run(id=str(run_id or uuid4()), deadline=time.monotonic() + self.settings.turn_timeout * (1 - RESERVE))

    async def health(self) -> dict[str, dict[str, Any]]:
        """Each part with its state; asks each of them now."""
        database, replica, model = await asyncio.gather(
            self._database_health(), self.copies.health(), self.adapters.health()
        )
        return {**database, **replica, "model": model}

    async def _database_health(self) -> dict[str, dict[str, Any]]:
        try:
            corpus = await self.library.state()
        except PrimumError as error:
            unknown = {"state": "unknown"}
            return {"database": {"state": "down", "reason": str(error)}, "embedder": unknown, "corpus": unknown}
        mine = self.library.embedder
        fits = corpus["embedder"] in (None, mine.name)
        return {
            "database": {"state": "up"},
            "embedder": {
                "state": "up" if fits else "mismatch",
                "name": mine.name,
                "dimensions": mine.dimensions,
                "fingerprint": mine.fingerprint,
            },
            "corpus": {"state": "up" if corpus["chunks"] else "empty", **corpus},
        }


def embedder_of(settings: Settings) -> Embedder:
    """The embedder that the settings name. Takes seconds. Raises RetrievalFailed."""
    return load_embedder(settings.embedder, settings.embedder_url, settings.embedder_key.get_secret_value())


@asynccontextmanager
async def open_resources(settings: Settings, embedder: Embedder | None = None) -> AsyncIterator[Resources]:
    """Pools, clients, embedder and graph, closed again at the end.

    Args:
        settings: with `database_url` and `model_url` given; `primum.open_agent` fills in embedded ones.
        embedder: one that is loaded already; else the settings'.

    Raises:
        BadInput: a URL is missing, a table of imported interactions or terms is damaged, or traces are wanted without
            the packages for them.
        RetrievalFailed: the embedder can't be loaded.
    """
    if settings.database_url is None or settings.model_url is None:
        raise BadInput("PRIMUM_DATABASE_URL and PRIMUM_MODEL_URL must be set, or use primum.open_agent().")
    url = settings.database_url.get_secret_value()
    async with AsyncExitStack() as stack:
        stack.enter_context(rules_in_use(settings))
        await stack.enter_async_context(tracing(settings))
        database = Database(url, settings.database_pool)
        stack.push_async_callback(database.close)
        secret = await asyncio.to_thread(find_secret, settings.secrets, settings.home)
        await database.check(secret)
        saver = await stack.enter_async_context(open_checkpointer(url, settings.database_pool, secret))
        key = settings.model_key.get_secret_value()
        http = await stack.enter_async_context(open_client(settings.model_url, key))
        other = settings.senses_url
        sensing = await stack.enter_async_context(open_client(other, key)) if other else http
        loaded, _ = await asyncio.gather(
            asyncio.to_thread(embedder_of, settings) if embedder is None else _given(embedder),
            asyncio.to_thread(_warm),
        )
        reranker = await asyncio.to_thread(load_reranker, settings.reranker) if settings.reranker else None
        replica = settings.database_replica_url
        beside = Database(replica.get_secret_value(), settings.database_pool) if replica else None
        if beside is not None:
            stack.push_async_callback(beside.close)
        copies = Copies(database, beside)
        library = Retriever(copies, loaded, reranker=reranker)

        audit = Audit(database, secret)
        charts = Charts(database, audit)
        yield Resources(
            settings=settings,
            secret=secret,
            database=database,
            audit=audit,
            threads=Threads(database, audit),
            charts=charts,
            records=Records(charts, audit),
            opinions=Opinions(database, audit),
            reviews=Reviews(database, audit),
            summaries=Summaries(database),
            erasure=Erasure(database, audit),
            consents=Consents(database, audit),
            library=library,
            literature=await stack.enter_async_context(open_literature(settings, loaded, copies)),
            copies=copies,
            graph=build_graph(saver),
            examples=await asyncio.to_thread(load_examples, loaded, settings.cache),
            http=http,
            adapters=Adapters(settings, http, Releases(database, audit)),
            senses=Senses.of(settings, sensing),
        )


def _warm() -> None:
    """Reads the tables of the rules, which a first turn would wait for."""
    support.warm()
    validator.dangers(["Take 1 g of aspirin."], Profile(medicines=("warfarin",), allergies=("penicillin",)))
    validator.examine("I take warfarin 5 mg.")
    harm.judge("Hello.")
    expand("Hello.")
    Vocabulary({}).corrected("helo", "en")


async def _given(embedder: Embedder) -> Embedder:
    return embedder
