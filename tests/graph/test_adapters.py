"""Adapters in turns: which one answers, told by the hash of what the server has loaded."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from primum.graph import adapters
from primum.graph.agent import Agent
from primum.graph.fingerprint import fingerprint
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory.releases import Releases
from primum.memory.session import Database
from tests.adapters import write_adapter
from tests.fakes import FakeEmbedder, FakeVLLM
from tests.pages import cited

ASKED = "How much paracetamol may I take?"
DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch, vllm: FakeVLLM) -> None:
    monkeypatch.setattr(adapters, "LOOK", -1.0)
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")


@pytest.fixture
def med(tmp_path: Path, vllm: FakeVLLM) -> str:
    """A served adapter; its label."""
    folder = write_adapter(tmp_path / "adapters" / "med")
    (folder / "card.json").write_text('{"licences": ["CC0-1.0"]}')
    serve(vllm, "med", folder)
    return f"med@{fingerprint(folder)[:12]}"


def serve(vllm: FakeVLLM, name: str, folder: Path) -> None:
    vllm.models = [*vllm.models, {"id": name, "parent": "primum", "root": str(folder)}]


@pytest.fixture
async def releases(agent: Agent) -> AsyncIterator[Releases]:
    owner = Database(agent.resources.database.url, pool=1, owner=True)
    yield Releases(owner, agent.resources.audit)
    await owner.close()


async def test_a_base_model_has_no_adapter_in_its_trace(agent: Agent) -> None:
    trace = (await agent.ask(ASKED)).trace
    assert (trace.model, trace.adapter, trace.adapters) == ("primum", None, {})


async def test_a_release_holds_from_the_next_turn_on_and_so_does_its_rollback(
    agent: Agent, releases: Releases, vllm: FakeVLLM, med: str
) -> None:
    await releases.use("main", "me", "writer", "med", adapter=None)
    trace = (await agent.ask(ASKED, thread="t")).trace
    assert (trace.model, trace.adapter) == ("med", med)
    assert trace.adapters == {"writer": med, "critic": med, "router": med}
    assert vllm.written[-1]["model"] == "med"
    await releases.rollback("main", "me", "writer")
    trace = (await agent.ask(ASKED, thread="t")).trace
    assert (trace.model, trace.adapter) == ("primum", None)
    assert vllm.written[-1]["model"] == "primum"


async def test_each_role_may_have_its_own(
    agent: Agent, releases: Releases, vllm: FakeVLLM, med: str, tmp_path: Path
) -> None:
    audit = write_adapter(tmp_path / "audit", seed=7)
    serve(vllm, "audit", audit)
    await releases.use("main", "me", "critic", "audit")
    trace = (await agent.ask(ASKED)).trace
    assert (trace.model, trace.adapter) == ("primum", None)
    assert trace.adapters == {"critic": f"audit@{fingerprint(audit)[:12]}"}
    assert {body["model"] for body in vllm.filled("Audit")} == {"audit"}


async def test_the_settings_name_an_adapter_of_each_role_too(settings: Settings, vllm: FakeVLLM, med: str) -> None:
    own = settings.model_copy(update={"model_name": "med", "critic_model": "primum"})
    async with open_resources(own, FakeEmbedder()) as resources:
        agent = Agent(resources)
        trace = (await agent.ask(ASKED)).trace
        assert (trace.model, trace.adapters) == ("med", {"writer": med, "router": med})
        await agent.close()


async def test_a_share_of_the_threads_gets_it_and_each_thread_stays(agent: Agent, releases: Releases, med: str) -> None:
    await releases.use("main", "me", "writer", "med", share=0.5)
    names = [f"t{number}" for number in range(8)]
    first = [(await agent.ask(ASKED, thread=name)).trace.model for name in names]
    assert set(first) == {"med", "primum"}
    assert [(await agent.ask(ASKED, thread=name)).trace.model for name in names] == first


async def test_the_audit_trail_tells_which_adapter_answered(agent: Agent, releases: Releases, med: str) -> None:
    await releases.use("main", "me", "writer", "med")
    trace = (await agent.ask(ASKED)).trace
    (event,) = [
        event
        for event in await agent.resources.audit._page("main", 0)
        if event.action == "answer" and str(event.run_id) == trace.run_id
    ]
    assert event.details["adapter"] == med and event.details["adapters"]["critic"] == med


async def test_files_that_cant_be_read_here_are_told_as_claimed(
    agent: Agent, releases: Releases, vllm: FakeVLLM
) -> None:
    serve(vllm, "far", Path("/on/another/machine"))
    await releases.use("main", "me", "writer", "far", adapter="ab" * 32)
    assert (await agent.ask(ASKED)).trace.adapter == "far@abababababab (claimed)"
    await releases.use("main", "me", "writer", "far")
    await releases.rollback("main", "me", "writer")
    health = (await agent.resources.health())["model"]
    assert health["state"] == "up" and health["adapters"][0]["claimed"] is True


async def test_health_tells_hash_card_and_releases(agent: Agent, releases: Releases, med: str, tmp_path: Path) -> None:
    sha256 = fingerprint(tmp_path / "adapters" / "med")
    await releases.use("main", "me", "writer", "med", adapter=sha256, share=0.25)
    health = (await agent.resources.health())["model"]
    assert health["state"] == "up"
    card = {"data": {"licences": ["CC0-1.0"]}}
    assert health["adapters"] == [{"name": "med", "sha256": sha256, "claimed": False, "card": card}]
    assert health["releases"] == [{"role": "writer", "model": "med", "adapter": sha256, "share": 0.25}]


async def test_health_tells_when_another_adapter_is_loaded_than_was_released(
    agent: Agent, releases: Releases, med: str, tmp_path: Path
) -> None:
    folder = tmp_path / "adapters" / "med"
    await releases.use("main", "me", "writer", "med", adapter=fingerprint(folder))
    write_adapter(folder, seed=9)
    health = (await agent.resources.health())["model"]
    assert health["state"] == "mismatch" and "`primum adapters unload med`" in health["reason"]
    # Whether the server read these files or those before them, nobody can tell.
    assert (await agent.ask(ASKED)).trace.adapter == "med@unknown"


async def test_an_adapter_without_a_folder_has_no_card_of_another(
    agent: Agent, vllm: FakeVLLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "card.json").write_text('{"licences": ["CC0-1.0"]}')
    monkeypatch.chdir(tmp_path)
    vllm.models = [*vllm.models, {"id": "far", "parent": "primum", "root": None}]
    (adapter,) = (await agent.resources.health())["model"]["adapters"]
    assert adapter["name"] == "far" and adapter["card"] == {}


async def test_health_tells_when_a_released_adapter_is_not_loaded(agent: Agent, releases: Releases) -> None:
    await releases.use("main", "me", "writer", "gone", adapter="ab" * 32)
    health = (await agent.resources.health())["model"]
    assert health["state"] == "missing" and "primum adapters load gone=FOLDER" in health["reason"]


async def test_a_server_without_the_model_is_named_and_the_answer_is_of_evidence_only(
    agent: Agent, vllm: FakeVLLM
) -> None:
    from tests.fakes import Says

    vllm.default = Says(status=404)
    answer = await agent.ask(ASKED)
    assert answer.status == "evidence_only"
    assert any("does not serve primum" in problem for problem in answer.trace.problems)
