"""The graph as `langgraph dev` and Studio open it: LangGraph's server brings the checkpointer."""

import json
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from starlette.applications import Starlette

from primum.graph.agent import Agent
from primum.graph.errors import LocalServerFailed
from primum.server import studio
from tests.fakes import FakeVLLM
from tests.served import ASKED
from tests.server.conftest import DOSE, GOOD

CONFIG = json.loads((Path(__file__).resolve().parents[2] / "langgraph.json").read_text())


@pytest.fixture
async def opened(agent: Agent) -> AsyncIterator[Any]:
    """The graph with the agent's resources, on a checkpointer of the server's."""
    studio.app.state.resources = agent.resources
    yield studio.graph().copy({"checkpointer": InMemorySaver()})
    del studio.app.state.resources


def test_langgraph_json_names_the_graph_and_the_app_that_opens_its_parts() -> None:
    def named(place: str) -> Any:
        module, _, name = place.partition(":")
        return getattr(import_module(module), name)

    assert isinstance(named(CONFIG["http"]["app"]), Starlette)
    assert named(CONFIG["graphs"]["primum"])().name == "primum"


async def test_a_thread_of_the_server_is_answered_and_goes_on(opened: Any, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    config = {"configurable": {"thread_id": "t"}}
    first = await opened.ainvoke({"question": ASKED}, config, context={"patient": "anna"})
    assert (first["answer"]["status"], first["answer"]["text"]) == ("answered", f"{DOSE} [1].")
    vllm.requests.clear()
    second = await opened.ainvoke({"question": "And how often?"}, config, context={"patient": "anna"})
    assert [one["question"] for one in second["before"]] == [ASKED, "And how often?"]
    assert ASKED in str(vllm.requests)


async def test_what_a_question_tells_counts_for_its_answer_and_touches_no_chart(
    opened: Any, agent: Agent, vllm: FakeVLLM
) -> None:
    vllm.default = GOOD
    config = {"configurable": {"thread_id": "t"}}
    asked = {"question": f"I'm allergic to penicillin. {ASKED}"}
    told = await opened.ainvoke(asked, config, context={"patient": "anna"})
    assert "allergic to penicillin" in str(told["answer"]["facts"])
    assert await agent.resources.charts.count(agent.resources.identity("anna")) == 0


async def test_the_chart_is_that_of_the_patient_whom_the_context_names(
    opened: Any, agent: Agent, vllm: FakeVLLM
) -> None:
    vllm.default = GOOD
    await agent.ask(f"I'm allergic to penicillin. {ASKED}", patient="anna")
    for patient, facts in (("anna", 1), ("ben", 0)):
        config = {"configurable": {"thread_id": patient}}
        told = await opened.ainvoke({"question": ASKED}, config, context={"patient": patient})
        assert len(told["answer"]["facts"]) == facts


async def test_without_the_app_it_says_what_is_missing() -> None:
    with pytest.raises(LocalServerFailed, match=r"http\.app"):
        await studio.graph().ainvoke({"question": ASKED})
