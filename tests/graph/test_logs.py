"""What is logged, printed or said in an error holds no patient's words, whatever breaks."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from primum.graph.agent import Agent
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory.session import Database
from tests.fakes import Body, FakeEmbedder, FakeVLLM, Reply, Says

CANARY = "zebrafinch"
ASKED = f"How much paracetamol can adults with {CANARY} take?"

Printed = Callable[[], str]


@pytest.fixture
def printed(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Printed:
    """Everything that was logged or printed so far, tracebacks too."""
    caplog.set_level(logging.INFO)
    structlog.reset_defaults()

    def everything() -> str:
        out, err = capfd.readouterr()
        return caplog.text + out + err

    return everything


def echoed(request: Body) -> Says:
    """An error of the server that repeats what it was sent."""
    return Says(raw='data: {"error": {"message": "' + CANARY + '", "code": 500}}\n\n')


REPLIES: dict[str, Reply] = {
    "answers": f"Paracetamol is fine with {CANARY} [1].",
    "refuses": Says(status=500),
    "repeats the question in an error": echoed,
    "is killed in mid-stream": Says(f"With {CANARY} take one.", breaks_after=3),
    "sends what is no JSON": Says(raw=f"data: {CANARY}\n\n"),
}


@pytest.mark.parametrize("model", REPLIES)
async def test_no_log_has_the_patients_words_where_the_model(
    agent: Agent, vllm: FakeVLLM, printed: Printed, model: str
) -> None:
    vllm.default = REPLIES[model]
    vllm.forms["Searches"] = vllm.forms["Routing"] = CANARY
    answer = await agent.ask(ASKED, thread="t")
    await agent.ask(f"What about {CANARY} and it?", thread="t")
    assert CANARY not in answer.trace.model_dump_json()
    logged = printed()
    assert "turn.answered" in logged and CANARY not in logged


async def test_no_error_of_the_database_has_the_patients_words(agent: Agent, printed: Printed) -> None:
    owner = Database(agent.resources.database.url, owner=True)
    async with owner.begin() as connection:
        await connection.execute(text("alter table turns drop column request"))
    await owner.close()
    with pytest.raises(Exception, match="column") as caught:
        await agent.ask(ASKED)
    assert CANARY not in str(caught.value) + printed()


class Broken(FakeEmbedder):
    def embed_queries(self, texts: Any) -> list[list[float]]:
        raise RuntimeError(f"can't embed {texts}")


async def test_an_error_that_is_not_ours_is_logged_by_its_name_alone(settings: Settings, printed: Printed) -> None:
    async with open_resources(settings, Broken()) as resources:
        events = [event async for event in Agent(resources).stream(ASKED)]
    assert events[-1].data["error"] == "InternalError" and CANARY not in str(events[-1])
    logged = printed()
    assert "RuntimeError" in logged and CANARY not in logged
