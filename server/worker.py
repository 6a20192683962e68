"""`primum serve worker`: what comes after the reply, in a process of its own; and the part of it that the API does."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator

from fastapi import FastAPI, Response

from primum import __version__
from primum.graph.agent import Agent, tell_end
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory.session import Database
from primum.retrieval.embedder import Embedder
from primum.retrieval.follow import follow
from primum.server.health import Readiness, add_health_routes
from primum.server.local import embedded, url_of
from primum.server.operations import Metrics


def create_worker(settings: Settings, embedder: Embedder | None = None) -> FastAPI:
    """A worker with its health and its metrics, which need no key: they tell nothing of anybody.

    Args:
        embedder: one that is loaded already; else the settings'.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with embedded(settings) as ready, open_resources(ready, embedder) as resources, open_writer(ready) as own:
            app.state.metrics = Metrics()
            app.state.agent = Agent(resources)
            app.state.readiness = Readiness(resources)
            gc.collect()
            gc.freeze()
            async with working(app.state.agent, own):
                yield

    app = FastAPI(title="Primum's worker", version=__version__, lifespan=lifespan, openapi_url=None)
    add_health_routes(app)

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """This process' metrics, as Prometheus reads them."""
        counts: Metrics = app.state.metrics
        return await counts.exposed(app.state.agent.resources)

    return app


@contextlib.asynccontextmanager
async def working(agent: Agent, writer: Database) -> AsyncIterator[None]:
    """While it is open: jobs are done, and the library is kept as the watched folders are."""
    resources = agent.resources
    async with agent.working():
        if not (folders := resources.settings.watch):
            yield
            return
        following = asyncio.create_task(follow(folders, writer, resources.library.embedder))
        following.add_done_callback(tell_end)
        try:
            yield
        finally:
            following.cancel()


@contextlib.asynccontextmanager
async def open_writer(settings: Settings) -> AsyncIterator[Database]:
    """The tables' owner, who alone writes the library."""
    database = Database(url_of(settings), pool=4, owner=True)
    try:
        yield database
    finally:
        await database.close()
