"""One embedded Postgres for the whole run; a fresh, migrated database for each test that asks for one."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
import structlog
from pytest_socket import socket_allow_hosts

from primum.graph.agent import Agent
from primum.graph.resources import open_resources
from primum.graph.settings import Settings, read_settings
from primum.memory import session
from primum.memory.schema import upgrade
from primum.memory.session import Database
from primum.retrieval.embedder import load_embedder
from primum.retrieval.ingest import ingest
from primum.server import postgres
from tests.fakes import FakeEmbedder, FakeVLLM
from tests.pages import write_pages

_numbers = itertools.count()
# Without a deadline, since a machine may be busy; with the same examples on every run.
hypothesis.settings.register_profile("primum", deadline=None, derandomize=True)
hypothesis.settings.load_profile("primum")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vllm-url", help="address of a vLLM server, for the tests that are marked `vllm`")
    parser.addoption("--deploy-tools", help="python of the environment that .ci/deploy makes, for tests/deploy")


def pytest_runtest_setup() -> None:
    """Tests reach this machine only."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """A command that a test runs in this process logs to its stderr, which is closed after it."""
    yield
    structlog.reset_defaults()


class Cluster:
    """The server of the test run, as its superuser sees it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        # Nothing here outlives the machine, and waiting for its disk is most of what a new database costs.
        self.run("alter system set fsync = off")
        self.run("select pg_reload_conf()")
        self.create("template")
        upgrade(self.url("template"))

    def url(self, database: str) -> str:
        return postgres.url(self.data, database=database)

    def run(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(postgres.url(self.data, "postgres", database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, name: str, template: str = "template1") -> None:
        self.run(f"create database {name} template {template} owner primum")

    def drop(self, name: str) -> None:
        self.run(f"drop database {name} with (force)")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends a transaction of an identity whose process has said nothing for a second."""
    monkeypatch.setattr(session, "ABSENT", 1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("home")
    with (home / "postgres.log").open("ab") as log:
        postgres.start(home / "postgres", log)
        try:
            yield Cluster(home / "postgres")
        finally:
            postgres.stop(home / "postgres")


@pytest.fixture
def empty_database_url(cluster: Cluster) -> Iterator[str]:
    """A database with the extension and no tables."""
    name = f"test_{next(_numbers)}"
    cluster.create(name)
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def database_url(cluster: Cluster) -> Iterator[str]:
    """A database of its own for each test, migrated."""
    name = f"test_{next(_numbers)}"
    cluster.create(name, "template")
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool=4, owner=True)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def library(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database with the pages of `tests/pages.py`."""
    cluster.create("library", "template")
    database = Database(cluster.url("library"), owner=True)
    await ingest([write_pages(tmp_path_factory.mktemp("pages"))], database, FakeEmbedder())
    await database.close()
    return "library"


@pytest.fixture
def library_url(cluster: Cluster, library: str) -> Iterator[str]:
    """A database of its own for each test, with the pages."""
    name = f"test_{next(_numbers)}"
    cluster.create(name, library)
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def vllm() -> Iterator[FakeVLLM]:
    with FakeVLLM() as server:
        yield server


@pytest.fixture
def settings(library_url: str, vllm: FakeVLLM, tmp_path: Path) -> Settings:
    """An agent's: the pages and the fake model."""
    return read_settings(home=tmp_path, database_url=library_url, model_url=vllm.url, turn_timeout=30)


@pytest.fixture
async def environment(database_url: str, vllm: FakeVLLM, tmp_path: Path) -> dict[str, str]:
    """What a process of its own is given: the pages, and the fake server for model and embedder."""
    database = Database(database_url, pool=4, owner=True)
    embedder = await asyncio.to_thread(load_embedder, "fake", vllm.url)
    await ingest([write_pages(tmp_path)], database, embedder)
    await database.close()
    given = {"home": str(tmp_path), "database_url": database_url, "model_url": vllm.url, "embedder": "fake"}
    given |= {"embedder_url": vllm.url, "turn_timeout": "30"}
    return {**os.environ, **{f"PRIMUM_{name.upper()}": value for name, value in given.items()}}


@pytest.fixture
async def agent(settings: Settings) -> AsyncIterator[Agent]:
    async with open_resources(settings, FakeEmbedder()) as resources:
        agent = Agent(resources)
        yield agent
        await agent.close()
