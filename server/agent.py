"""`primum.open_agent`: the agent inside another Python program."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from primum.graph.agent import Agent
from primum.graph.resources import Resources, open_resources
from primum.graph.settings import Settings, read_settings
from primum.retrieval.embedder import Embedder
from primum.retrieval.starter import fill
from primum.server.local import embedded, url_of


@asynccontextmanager
async def open_agent(settings: Settings | None = None, *, work: bool = True) -> AsyncIterator[Agent]:
    """An agent, ready to ask; what it started is ended with it.

    Without PRIMUM_DATABASE_URL or PRIMUM_MODEL_URL it uses the embedded database and model, those of a running
    `primum up` if there is one; into an empty library of the embedded database the starter library is read first, which
    takes a minute or two, once.

    Args:
        work: whether to do jobs meanwhile, of this agent's turns and of others': what the model finds in a patient's
            words, summaries of long threads. Without it they wait for another process.

    Raises:
        BadInput: a setting is wrong.
        LocalServerFailed: an embedded part did not start.
    """
    async with opened(settings or read_settings()) as resources:
        agent = Agent(resources)
        async with agent.working() if work else nullcontext():
            try:
                yield agent
            finally:
                await agent.close()


@asynccontextmanager
async def opened(settings: Settings, embedder: Embedder | None = None) -> AsyncIterator[Resources]:
    """What an agent works with; embedded servers where the settings name none, and a library to begin with in them.

    Args:
        embedder: one that is loaded already; else the settings'.

    Raises:
        BadInput: a setting is wrong.
        LocalServerFailed: an embedded part did not start.
    """
    async with embedded(settings) as ready, open_resources(ready, embedder) as resources:
        if settings.database_url is None:
            await fill(url_of(ready), resources.library.embedder)
        yield resources
