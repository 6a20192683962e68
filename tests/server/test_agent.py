"""What an agent opens on embedded defaults."""

from pathlib import Path

import httpx
from pydantic import SecretStr

from primum.graph.resources import Resources
from primum.graph.settings import read_settings
from primum.server.agent import opened
from primum.server.api import create_app
from tests.fakes import FakeEmbedder

NOWHERE = "http://127.0.0.1:1/v1"


async def documents(resources: Resources) -> int:
    return int((await resources.library.state())["documents"])


async def test_the_library_of_a_database_that_is_given_is_left_as_it_is(tmp_path: Path, database_url: str) -> None:
    given = read_settings(home=tmp_path, database_url=SecretStr(database_url), model_url=NOWHERE)
    async with opened(given, FakeEmbedder()) as resources:
        assert await documents(resources) == 0


async def test_the_api_of_an_embedded_database_begins_with_the_starter_library(tmp_path: Path) -> None:
    app = create_app(read_settings(home=tmp_path, database_url=None, model_url=NOWHERE), FakeEmbedder())
    async with app.router.lifespan_context(app):
        assert await documents(app.state.agent.resources) > 100
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")
        answer = await http.post("/v1/chat/completions", json={"model": "primum", "messages": [
            {"role": "user", "content": "How is an attack of gout treated?"}]})  # fmt: skip
        await http.aclose()
    assert answer.json()["primum"]["citations"]
