"""Drafts are kept of those who consent, as long as they do."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from primum.graph.agent import Agent
from primum.graph.errors import MemoryUnavailable
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory import exports
from primum.memory.identity import Identity
from tests.fakes import FakeEmbedder, FakeVLLM
from tests.rows import rows

ANNA = Identity("main", "anna")
ASKED = "How is gout treated?"


async def kept(agent: Agent, identity: Identity = ANNA) -> int:
    ((count,),) = await rows(agent.resources.database, "select count(*) from drafts", identity)
    return int(count)


async def test_unless_somebody_says_so_no_draft_is_kept(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = "Gout is cured by magic [1]."
    await agent.ask(ASKED, patient="anna")
    assert await kept(agent) == 0
    found = await agent.resources.consents.read(ANNA)
    assert (found.given, found.at, found.by) == (None, None, None)


async def test_with_consent_a_draft_stands_with_its_prompt_and_its_findings(agent: Agent, vllm: FakeVLLM) -> None:
    recorded = await agent.resources.consents.record(ANNA, True, "clinic")
    assert recorded.given and recorded.at is not None and recorded.by == "clinic"
    vllm.default = "Gout is cured by magic [1]."
    answer = await agent.ask(ASKED, patient="anna")
    ((run_id, prompt, attempts, model, rules),) = await rows(
        agent.resources.database, "select run_id::text, prompt, attempts, model, rules_version from drafts", ANNA
    )
    assert run_id == answer.trace.run_id
    assert [message["role"] for message in prompt] == ["system", "user"]
    assert ASKED in prompt[1]["content"]
    assert attempts[0]["text"] == "Gout is cured by magic [1]."
    assert attempts[0]["findings"][0]["rule"] == "unsupported"
    assert (model, rules) == ("primum", answer.trace.rules_version)


async def test_withdrawn_what_was_kept_goes_and_the_trail_says_so(agent: Agent, vllm: FakeVLLM) -> None:
    await agent.resources.consents.record(ANNA, True, "clinic")
    vllm.default = "Gout is cured by magic [1]."
    await agent.ask(ASKED, patient="anna")
    found = await agent.resources.consents.record(ANNA, False, "anna")
    assert (found.given, found.removed) == (False, 1)
    assert await kept(agent) == 0
    await agent.ask(ASKED, patient="anna")
    assert await kept(agent) == 0
    events = await rows(
        agent.resources.database, "select details from audit_events where action = 'consent' order by number", ANNA
    )
    assert [event["given"] for (event,) in events] == [True, False]


async def test_erased_drafts_are_counted_in_the_receipt(agent: Agent, vllm: FakeVLLM) -> None:
    await agent.resources.consents.record(ANNA, True, "clinic")
    vllm.default = "Gout is cured by magic [1]."
    await agent.ask(ASKED, patient="anna")
    receipt = await agent.resources.erasure.erase(ANNA, "patient")
    assert receipt.counts["drafts"] == 1
    assert receipt.exports is None
    assert await kept(agent) == 0


@pytest.fixture
async def learning(settings: Settings) -> AsyncIterator[Agent]:
    """An installation that keeps the drafts of who has no chart."""
    own = settings.model_copy(update={"learn_without_chart": True})
    async with open_resources(own, FakeEmbedder()) as resources:
        agent = Agent(resources)
        yield agent
        await agent.close()


async def test_an_installation_may_keep_those_of_who_has_no_chart_but_of_no_one_else(
    learning: Agent, vllm: FakeVLLM, tmp_path: Path
) -> None:
    vllm.default = "Gout is cured by magic [1]."
    await learning.ask(ASKED, patient="nobody")
    assert await kept(learning, Identity("main", "nobody")) == 1
    await learning.ask("I take warfarin. How is gout treated?", patient="anna", thread="t")
    await learning.ask(ASKED, patient="anna", thread="t")
    assert await kept(learning) < 2  # once the chart knows of the warfarin, consent alone counts
    refused = Identity("main", "ben")
    await learning.resources.consents.record(refused, False, "ben")
    await learning.ask(ASKED, patient="ben")
    assert await kept(learning, refused) == 0


@pytest.mark.usefixtures("impatient")
async def test_a_withdrawal_may_take_its_time_over_the_files(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    take_out = exports._take_out

    def slowly(*given: Any) -> exports.TakenOut:
        time.sleep(1.5)
        return take_out(*given)

    monkeypatch.setattr(exports, "_take_out", slowly)
    await agent.resources.consents.record(ANNA, False, "anna")
    assert (await agent.resources.consents.read(ANNA)).given is False
    with pytest.raises(MemoryUnavailable):  # of another a server waits no longer for its process
        async with agent.resources.database.begin(ANNA) as connection:
            await asyncio.sleep(1.5)
            await connection.execute(text("select 1"))
