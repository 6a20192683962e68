"""The agent with the embedded model, started by our own code: what a newcomer has."""

from collections.abc import AsyncIterator

import pytest

from primum.graph.agent import Agent
from primum.graph.settings import read_settings
from primum.memory.session import Database
from primum.server.local import embedded
from tests.integration import contract

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
async def model_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with embedded(read_settings(home=tmp_path_factory.mktemp("home"), model_url=None), need=["model"]) as ready:
        yield str(ready.model_url)


async def test_a_whole_turn_is_answered_with_citations_that_stand(agent: Agent, starter: Database) -> None:
    await contract.a_whole_turn(agent, starter)


async def test_text_is_streamed(agent: Agent) -> None:
    await contract.streaming(agent)


async def test_forms_are_filled_by_their_json_schema(agent: Agent) -> None:
    await contract.forms(agent)


async def test_health_names_the_served_model(agent: Agent) -> None:
    await contract.health(agent)
