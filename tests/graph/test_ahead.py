"""What of an answer is told while the rest of it is still written."""

import asyncio
from typing import Any

import pytest

from primum.graph.agent import Agent
from primum.graph.stream import Event
from tests.fakes import Body, FakeVLLM, Says
from tests.graph.test_turn import ASKED, DOSE, LIVER, opened
from tests.pages import cited

SLOW = 0.05  # seconds a token: an audit of the first sentence comes back before the draft ends
CHILDREN = "Children aged 6 to 8 years can take 250 mg of paracetamol up to 4 times in 24 hours"
DRAFT = f"{DOSE} [every 4 to 6 hours]. {LIVER} [damage the liver]. {CHILDREN} [250 mg]."


def slowly(text: str) -> Any:
    """The draft, a token at a time."""

    def says(request: Body) -> Says:
        return Says(cited(text)(request), each=SLOW)

    return says


async def followed(agent: Agent, **how: Any) -> list[Event]:
    return [event async for event in agent.stream(ASKED, **how)]


def audited(events: list[Event]) -> list[str]:
    return [str(event.data["text"]) for event in events if event.name == "audited"]


async def test_audited_sentences_are_told_while_the_rest_is_written(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(slowly(DRAFT))
    events = await followed(agent)
    told, answer = audited(events), events[-1].data
    assert told[0] == f"{DOSE} [1]." and answer["text"].startswith(told[0])
    names = [event.name for event in events]
    drafted = next(i for i, e in enumerate(events) if e.data == {"name": "draft", "state": "finished"})
    assert names.index("audited") < drafted
    first = next(event for event in events if event.name == "audited")
    assert [(one["marker"], one["quote"]) for one in first.data["citations"]] == [(1, f"{DOSE}.")]


async def test_what_is_told_early_is_no_part_of_the_answers_making(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(slowly(DRAFT))
    followed_answer = (await followed(agent))[-1].data
    assert len(vllm.filled("Audit")) >= 2
    vllm.says(slowly(DRAFT))
    alone = await agent.ask(ASKED)
    assert len(vllm.filled("Audit")) - 1 >= 2 and alone.text == followed_answer["text"]
    assert alone.trace.tokens["calls"] == 2


async def test_what_is_not_proven_is_not_told(agent: Agent, vllm: FakeVLLM) -> None:
    false = "Paracetamol cures migraine [every 4 to 6 hours]."
    vllm.default = slowly(f"{false} {DRAFT}")
    told = audited(await followed(agent))
    assert told and not any("migraine" in text for text in told)


async def test_what_the_critic_objects_to_is_not_told(agent: Agent, vllm: FakeVLLM) -> None:
    quote = "damage the liver, even if you feel well"
    objection = f'{{"objections": [{{"sentence": 1, "kind": "misleading", "quote": "{quote}"}}]}}'
    vllm.forms["Audit"] = objection
    rest = "It may also help with a headache that comes after a long day" + ", and with the pains of a cold" * 6
    vllm.default = slowly(f"{LIVER} [damage the liver]. {DOSE} [every 4 to 6 hours]. {rest}.")
    told = audited(await followed(agent))
    assert told and not any(LIVER in text for text in told)


async def test_a_critic_that_is_away_tells_nothing_early(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Audit"] = Says(status=400)
    vllm.default = slowly(DRAFT)
    events = await followed(agent)
    assert not audited(events) and events[-1].name == "done"


async def test_a_quick_draft_costs_no_call_more(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(cited(DRAFT))
    events = await followed(agent)
    assert events[-1].data["status"] == "answered" and len(vllm.requests) == 2


@pytest.mark.parametrize("how", [{"ahead": False}, {"audience": "clinician", "form": "case"}])
async def test_who_does_not_follow_costs_no_call_more(agent: Agent, vllm: FakeVLLM, how: dict[str, Any]) -> None:
    vllm.default = slowly(DRAFT)
    assert not audited(await followed(agent, **how))


async def test_nothing_is_told_of_an_answer_that_waits_for_a_clinician(agent: Agent, vllm: FakeVLLM) -> None:
    settings = agent.resources.settings.model_copy(update={"sign_off": "patients"})
    async with opened(settings) as signed:
        vllm.says(slowly(DRAFT))
        events = await followed(signed)
    assert not audited(events) and events[-1].data["status"] == "waiting"


async def test_an_early_audit_ends_with_its_draft(agent: Agent, vllm: FakeVLLM) -> None:
    asked = 0

    def hangs_once(_: Body) -> Says | str:
        nonlocal asked
        asked += 1
        return Says(first=3600) if asked == 1 else '{"objections": []}'

    vllm.forms["Audit"] = hangs_once
    vllm.says(slowly(DRAFT))
    async with asyncio.timeout(30):
        events = await followed(agent)
    assert events[-1].data["status"] == "answered" and not audited(events) and asked == 2


async def test_an_early_audit_that_fails_for_good_leaves_the_turns_own(agent: Agent, vllm: FakeVLLM) -> None:
    audits = iter(["a word and " * 5000])
    vllm.forms["Audit"] = lambda _: next(audits, '{"objections": []}')
    vllm.says(slowly(DRAFT))
    answer = (await followed(agent))[-1].data
    assert answer["status"] == "answered" and answer["trace"]["problems"] == []
