"""The agent with a real vLLM, whose address `--vllm-url` gives: see `.ci/vllm`."""

import httpx
import pytest

from primum.graph.agent import Agent
from primum.memory.session import Database
from tests.integration import contract

pytestmark = pytest.mark.vllm


@pytest.fixture
def model_url(pytestconfig: pytest.Config) -> str:
    url = pytestconfig.getoption("--vllm-url")
    if url is None:
        pytest.skip("needs a vLLM server: --vllm-url http://127.0.0.1:8000/v1, or `.ci/vllm test`")
    return str(url)


async def test_a_whole_turn_is_answered_with_citations_that_stand(agent: Agent, starter: Database) -> None:
    await contract.a_whole_turn(agent, starter)


async def test_a_critique_takes_the_prompt_of_its_draft_from_the_prefix_cache(agent: Agent, model_url: str) -> None:
    before = await prefix_cache_hits(model_url)
    drafting, auditing = await contract.draft_and_critique(agent)
    assert auditing["cached"] >= 0.8 * drafting["prompt"]
    assert await prefix_cache_hits(model_url) > before


async def test_text_is_streamed(agent: Agent) -> None:
    await contract.streaming(agent)


async def test_forms_are_filled_by_their_json_schema(agent: Agent) -> None:
    await contract.forms(agent)


async def test_health_names_the_served_model(agent: Agent) -> None:
    await contract.health(agent)


async def prefix_cache_hits(model_url: str) -> float:
    """Tokens of prompts that the server did not have to read again, since it started."""
    async with httpx.AsyncClient(base_url=model_url.removesuffix("/v1")) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:prefix_cache_hits_total"))
