from collections.abc import AsyncIterator

import pytest
import structlog
from sqlalchemy import text

from primum.graph.errors import MemoryUnavailable, RetrievalFailed
from primum.memory.session import Database
from primum.retrieval import copies as module
from primum.retrieval.copies import Copies
from primum.retrieval.search import Retriever
from tests.conftest import Cluster
from tests.fakes import FakeEmbedder


@pytest.fixture
async def primary(library_url: str) -> AsyncIterator[Database]:
    database = Database(library_url, pool=2)
    yield database
    await database.close()


@pytest.fixture
async def replica(cluster: Cluster, library: str) -> AsyncIterator[Database]:
    """A copy in which each title says that it is one."""
    cluster.create("replica", library)
    cluster.run("update chunks set title = title || ' (replica)'", "replica")
    database = Database(cluster.url("replica"), pool=2)
    yield database
    await database.close()
    cluster.run("drop database if exists replica with (force)")


async def titles(copies: Copies, tenant: str = "") -> set[str]:
    found = await Retriever(copies, FakeEmbedder(), tenant).search(["how is gout treated"], 2)
    assert found
    return {passage.title.replace("Gout", "") for passage in found}


@pytest.mark.parametrize("tenant", ["", "clinic"])
async def test_searches_read_the_replica(primary: Database, replica: Database, tenant: str) -> None:
    copies = Copies(primary, replica)
    assert all(title.endswith("(replica)") for title in await titles(copies, tenant))
    assert not any(title.endswith("(replica)") for title in await titles(Copies(primary), tenant))
    assert await copies.health() == {"replica": {"state": "up"}}
    assert await Copies(primary).health() == {}


async def test_the_primary_is_asked_while_the_replica_is_gone_and_the_replica_again_after_a_rest(
    primary: Database, replica: Database, cluster: Cluster, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = Copies(primary, replica)
    await titles(copies)
    cluster.drop("replica")
    with structlog.testing.capture_logs() as logged:
        assert not any(title.endswith("(replica)") for title in await titles(copies) | await titles(copies))
    assert [one["event"] for one in logged] == ["the replica does not answer, the primary is asked"]  # and rests
    assert (await copies.health())["replica"]["state"] == "down"
    cluster.create("replica", library)
    cluster.run("update chunks set title = title || ' (replica)'", "replica")
    assert not any(title.endswith("(replica)") for title in await titles(copies))
    monkeypatch.setattr(module, "monotonic", lambda: float("inf"))
    assert all(title.endswith("(replica)") for title in await titles(copies))


async def test_what_was_written_just_now_is_looked_for_on_the_primary(
    primary: Database, replica: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = Copies(primary, replica)
    copies.written()
    assert not any(title.endswith("(replica)") for title in await titles(copies))
    monkeypatch.setattr(module, "monotonic", lambda: float("inf"))
    assert all(title.endswith("(replica)") for title in await titles(copies))


async def test_a_replica_that_has_not_heard_of_another_embedder_yet_is_passed_over(
    primary: Database, replica: Database, cluster: Cluster
) -> None:
    cluster.run("update corpus set fingerprint = 'of-before'", "replica")
    assert not any(title.endswith("(replica)") for title in await titles(Copies(primary, replica)))
    with pytest.raises(RetrievalFailed):
        await titles(Copies(replica))


async def test_the_replica_shows_a_tenant_nobody_elses(primary: Database, replica: Database, cluster: Cluster) -> None:
    cluster.run("update documents set tenant = 'other'; update chunks set tenant = 'other'", "replica")
    assert await Retriever(Copies(primary, replica), FakeEmbedder(), "clinic").search(["gout"], 3) == []


async def test_nothing_answers_if_both_are_gone(library_url: str) -> None:
    gone = Database(library_url.replace("/test_", "/none_"), pool=2)
    with pytest.raises(MemoryUnavailable):
        await Copies(gone, gone).read(None, lambda connection: connection.scalar(text("select 1")))
