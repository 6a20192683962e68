"""What the stages with real models share: the packaged embedder and some pages of the starter library."""

from collections.abc import AsyncIterator

import pytest

from primum.graph.agent import Agent
from primum.graph.resources import open_resources
from primum.graph.settings import Settings, read_settings
from primum.memory.session import Database
from primum.retrieval.embedder import Embedder, load_embedder
from primum.retrieval.ingest import ingest
from primum.retrieval.starter import STARTER
from tests.conftest import Cluster

pytest.register_assert_rewrite("tests.integration.contract")

PAGES = ("gestational-diabetes", "gout", "ibuprofen", "metformin", "type-1-diabetes", "type-2-diabetes")


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return load_embedder()


@pytest.fixture(scope="session")
async def starter(cluster: Cluster, embedder: Embedder) -> AsyncIterator[Database]:
    """A database with some pages of the starter library."""
    cluster.create("starter", "template")
    database = Database(cluster.url("starter"), owner=True)
    await ingest([STARTER / f"{page}.md" for page in PAGES], database, embedder)
    yield database
    await database.close()


@pytest.fixture
def settings(starter: Database, model_url: str) -> Settings:
    """Few passages and a lot of time: a busy machine reads 20 tokens a second."""
    return read_settings(database_url=starter.url, model_url=model_url, passages=2, turn_timeout=600)


@pytest.fixture
async def agent(settings: Settings, embedder: Embedder) -> AsyncIterator[Agent]:
    async with open_resources(settings, embedder) as resources:
        agent = Agent(resources)
        yield agent
        await agent.close()
