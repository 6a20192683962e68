"""docs/agents.md is run as it stands, with the addresses and keys of the test in the place of its own."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from primum.graph.settings import Settings
from tests.fakes import Body, FakeVLLM, Says
from tests.served import served

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
PAIR = (("check_interactions", {"medicines": ["Viagra", "GTN spray"]}),)


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


IN_A_GRAPH, BY_NAME, OVER_HTTP = snippets("python")
STDIO, HTTP = snippets("json")


async def ran(code: str, environment: dict[str, str]) -> str:
    """What a snippet prints, run as a program of its own."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await program.communicate()
    assert program.returncode == 0, err.decode()[-2000:]
    return out.decode()


async def test_the_graph_with_primums_tools_answers_from_what_they_give(environment: dict[str, str]) -> None:
    def speak(request: Body) -> str:
        return str(json.loads(request["messages"][-1]["content"])[0]["text"])

    with FakeVLLM("your-model") as theirs:
        theirs.says(Says(calls=PAIR), speak)
        said = await ran(IN_A_GRAPH.replace("http://127.0.0.1:8000/v1", theirs.url), environment)
    assert "Never together." in said


async def test_a_tool_is_called_by_its_name(environment: dict[str, str]) -> None:
    assert "major" in await ran(BY_NAME, environment)


async def test_the_configuration_of_a_desktop_client_starts_primum(environment: dict[str, str]) -> None:
    config = json.loads(STDIO)
    (server,) = config["mcpServers"].values()
    assert server["command"] == "primum"
    server |= {"command": sys.executable, "args": ["-m", "primum", *server["args"]], "env": environment}
    async with Client(config, init_timeout=120) as client:
        assert "ask" in [tool.name for tool in await client.list_tools()]


@pytest.fixture
def token(settings: Settings) -> str:
    """A key as the page's command makes it."""
    assert settings.database_url is not None
    (command,) = (one for one in snippets("bash") if one.startswith("primum keys"))
    environment = {
        **os.environ,
        "PRIMUM_HOME": str(settings.home),
        "PRIMUM_DATABASE_URL": settings.database_url.get_secret_value(),
    }
    program = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    found = re.search(r"primum_\S+", done.stdout)
    assert found is not None
    return found[0]


def test_the_configuration_of_a_client_over_http_fits(settings: Settings, token: str) -> None:
    async def recalled(config: dict[str, Any]) -> list[dict[str, Any]]:
        async with Client(config) as client:
            with pytest.raises(Exception, match="Nothing of such a patient"):
                await client.call_tool("recall_facts", {"patient": "ben"})
            found = (await client.call_tool("recall_facts", {})).structured_content
        assert found is not None
        return list(found["facts"])

    with served(settings.model_copy(update={"auth": "required"})) as api:
        config = json.loads(HTTP.replace("http://127.0.0.1:8400", str(api.base_url)).replace("primum_…", token))
        assert asyncio.run(recalled(config)) == []


def test_a_graph_takes_the_tools_over_http(settings: Settings, token: str, environment: dict[str, str]) -> None:
    with served(settings.model_copy(update={"auth": "required"})) as api:
        code = OVER_HTTP.replace("http://127.0.0.1:8400", str(api.base_url)).replace("primum_…", token)
        assert "Never together." in asyncio.run(ran(code, environment))
