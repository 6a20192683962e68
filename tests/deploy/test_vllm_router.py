"""vLLM's own router in the place of HAProxy, started as docs/deploy.md says: a real one, before two model servers."""

import asyncio
import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from primum.graph.agent import Agent
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.server.port import free_port
from tests.deploy.test_router import ASKED, GOOD, Routed, finished, owner, slowly
from tests.fakes import FakeEmbedder, FakeVLLM

PAGE = (Path(__file__).resolve().parents[2] / "docs/deploy.md").read_text(encoding="utf-8")
TOLD = shlex.split(re.findall(r"^vllm-router .*$", PAGE, re.MULTILINE)[0])


@contextmanager
def router(program: Path, log: Path, port: int, servers: list[FakeVLLM]) -> Iterator[subprocess.Popen[bytes]]:
    """By the page's command, with other ports, and faster."""
    argv = TOLD[1 : TOLD.index("--worker-urls")]
    for option, value in {"--port": str(port), "--health-check-interval-secs": "1"}.items():
        argv[argv.index(option) + 1] = value
    argv += ["--prometheus-port", str(free_port(0))]
    argv += ["--worker-urls", *(server.url.removesuffix("/v1") for server in servers)]
    with log.open("wb") as file:
        process = subprocess.Popen([str(program), *argv], stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
async def routed(tools_python: Path, tmp_path: Path) -> AsyncIterator[Routed]:
    """Two servers behind the router, which has found both."""
    with ExitStack() as stack:
        servers = [stack.enter_context(FakeVLLM()) for _ in range(2)]
        for server in servers:
            server.default = GOOD
        port, log = free_port(0), tmp_path / "router.log"
        process = stack.enter_context(router(tools_python.with_name("vllm-router"), log, port, servers))
        routed = Routed(f"http://127.0.0.1:{port}/v1", log, servers, [])
        await routed.until(lambda: process.poll() is not None or answers(port))
        assert process.poll() is None, log.read_text()
        yield routed


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
async def agent(settings: Settings, routed: Routed) -> AsyncIterator[Agent]:
    settings = settings.model_copy(update={"model_url": routed.url, "model_key": SecretStr("sesame")})
    async with open_resources(settings, FakeEmbedder()) as resources:
        agent = Agent(resources)
        yield agent
        await agent.close()


async def test_a_conversation_stays_with_a_server_and_both_have_some(agent: Agent, routed: Routed) -> None:
    for turn in range(16):
        await agent.ask(ASKED, thread=f"t{turn % 8}")
    first, second = (set(server.sessions) for server in routed.servers)
    assert first and second and not first & second and len(first | second) == 8
    assert all(server.keys == {"sesame"} for server in routed.servers)


async def test_one_that_died_is_done_without(agent: Agent, routed: Routed) -> None:
    dead = await owner(agent, routed)
    dead.stop()
    await finished(asyncio.create_task(agent.ask(ASKED, thread="t")))


async def test_one_that_dies_in_mid_answer_is_done_without(agent: Agent, routed: Routed) -> None:
    dying = await owner(agent, routed)
    dying.default, before = slowly, dying.streamed
    asked = asyncio.create_task(agent.ask(ASKED, thread="t"))
    await routed.until(lambda: dying.streamed > before + 5)
    dying.stop()
    await finished(asked)
    (other,) = (one for one in routed.servers if one is not dying)
    assert other.sessions[0] == dying.sessions[0] and other.written == dying.written[-1:]
