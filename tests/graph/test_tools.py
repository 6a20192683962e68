"""Primum's tools in the graph of somebody else: LangGraph's ToolNode, driven by a model that calls them."""

import json
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import SecretStr

from primum.graph.agent import Agent
from primum.graph.errors import BadInput
from primum.graph.tools import RESULTS, Asked
from primum.tools.chart import Remembrance
from tests.fakes import Body, FakeVLLM, Says
from tests.pages import cited

DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"
ASKED = "How much paracetamol can adults take?"
CALLS: dict[str, dict[str, Any]] = {
    "ask": {"question": ASKED},
    "search_evidence": {"question": "paracetamol dose"},
    "recall_facts": {},
    "triage": {"text": "Crushing chest pain into the left arm"},
    "check_interactions": {"medicines": ["Viagra", "GTN spray"]},
    "check_allergies": {"medicines": ["Augmentin"], "allergies_known": ["penicillin"]},
    "check_dose": {"text": "paracetamol 2 g every 4 hours"},
    "check_person": {"medicines": ["ibuprofen"], "profile": {"weeks_pregnant": 30}},
    "check_text": {"text": "I take warfarin and ibuprofen"},
    "screen_request": {"text": "How much paracetamol is too much?"},
}


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


async def run(model: FakeVLLM, tools: tuple[BaseTool, ...], said: str) -> list[AnyMessage]:
    """The conversation of a foreign agent that has these tools."""
    chat = ChatOpenAI(model="theirs", base_url=model.url, api_key=SecretStr("none")).bind_tools(tools)

    async def think(state: State) -> State:
        return {"messages": [await chat.ainvoke(state["messages"])]}

    graph = StateGraph(State)
    graph.add_node("think", think)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", tools_condition)
    graph.add_edge("tools", "think")
    done = await graph.compile().ainvoke({"messages": [HumanMessage(said)]})
    return list(done["messages"])


def answers(messages: list[AnyMessage]) -> list[ToolMessage]:
    return [one for one in messages if isinstance(one, ToolMessage)]


async def test_a_foreign_agent_calls_primum_and_speaks_from_what_it_gives(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")

    def speak(request: Body) -> str:
        return str(json.loads(request["messages"][-1]["content"])["text"])

    with FakeVLLM("theirs") as theirs:
        theirs.says(Says(calls=(("ask", CALLS["ask"]),)), speak)
        messages = await run(theirs, agent.tools(patient="anna"), ASKED)
        offered = [one["function"]["name"] for one in theirs.requests[0]["tools"]]
    assert messages[-1].content == f"{DOSE} [1]." and isinstance(messages[-1], AIMessage)
    assert {"ask", "search_evidence", "recall_facts", "triage", "check_interactions", "calculate"} <= set(offered)


async def test_several_calls_of_one_message_each_get_their_answer(agent: Agent) -> None:
    calls = ("triage", "check_interactions", "search_evidence")
    with FakeVLLM("theirs") as theirs:
        theirs.says(Says(calls=tuple((name, CALLS[name]) for name in calls)), "Done.")
        told = answers(await run(theirs, agent.tools(), "Check all."))
    assert [one.name for one in told] == list(calls) and {one.status for one in told} == {"success"}
    assert "emergency" in str(told[0].content) and "contraindicated" in str(told[1].content)


async def test_what_fails_or_is_called_wrongly_ends_no_graph(agent: Agent) -> None:
    await agent.resources.database.close()
    wrong = (("check_interactions", {"medicines": ["warfarin"]}), ("ask", {"question": "x" * 8001}))
    with FakeVLLM("theirs") as theirs:
        theirs.says(Says(calls=(*wrong, ("recall_facts", {"patient": "ben"}))), "I could not check that.")
        messages = await run(theirs, agent.tools(patient="anna"), "Check.")
    assert [one.status for one in answers(messages)] == ["error"] * 3
    assert messages[-1].content == "I could not check that."
    for one, said in zip(answers(messages), ("at least two", "8000", "patient: "), strict=True):
        assert said in str(one.content)


async def test_a_database_that_is_away_is_a_stated_gap(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    away = type(agent.resources.database)("postgresql://primum@127.0.0.1:1/primum")
    monkeypatch.setattr(agent.resources.charts, "database", away)
    recall = next(one for one in agent.tools(patient="anna") if one.name == "recall_facts")
    assert "database" in await recall.ainvoke({})


@pytest.mark.parametrize("name", CALLS)
async def test_a_tool_gives_what_its_form_says(agent: Agent, vllm: FakeVLLM, name: str) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")
    given = await next(one for one in agent.tools() if one.name == name).ainvoke(CALLS[name])
    RESULTS[name].model_validate(given if isinstance(given, dict) else {"findings": given}, strict=False)


async def test_a_conversation_goes_on_by_its_thread_and_what_was_told_is_recalled(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = "No."
    tools = {one.name: one for one in agent.tools(patient="anna")}
    first = Asked(**await tools["ask"].ainvoke({"question": "I'm allergic to penicillin. What is gout?"}))
    second = Asked(**await tools["ask"].ainvoke({"question": "How is it treated?", "thread": first.thread}))
    assert second.thread == first.thread and second.run_id != first.run_id
    turns = await agent.resources.threads.turns(agent.resources.identity("anna"), first.thread)
    assert [turn.question for turn in turns] == ["I'm allergic to penicillin. What is gout?", "How is it treated?"]
    known = Remembrance(**await tools["recall_facts"].ainvoke({}))
    assert [one.kind for one in known.facts] == ["allergy"]


async def test_whose_they_are_is_settled_before_a_model_can_choose(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = "No."
    anna, ben = ({one.name: one for one in agent.tools(patient=name)} for name in ("anna", "ben"))
    asked = Asked(**await anna["ask"].ainvoke({"question": "I'm allergic to penicillin. What is gout?"}))
    assert Remembrance(**await ben["recall_facts"].ainvoke({})).facts == []
    assert "no such conversation" in await ben["ask"].ainvoke(
        {"question": "How is it treated?", "thread": asked.thread}
    )
    assert not any({"patient", "tenant", "audience"} & set(ben[name].args) for name in ("ask", "recall_facts"))
    with pytest.raises(BadInput, match="patient"):
        agent.tools(patient="a b")


async def test_an_answer_for_a_clinician_is_asked_as_a_clinicians(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")
    ask = next(one for one in agent.tools(audience="clinician") if one.name == "ask")
    await ask.ainvoke({"question": ASKED})
    assert "clinician" in str(vllm.written[0]["messages"][0]["content"]).lower()


async def test_what_is_known_beside_the_chart_is_taken_into_account(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = "No."
    ask = next(one for one in agent.tools() if one.name == "ask")
    given = Asked(**await ask.ainvoke({"question": "Can I take ibuprofen?", "profile": {"medicines": ["warfarin"]}}))
    assert any(finding.rule.startswith("interaction.") for finding in given.safety.findings)
