"""deploy/haproxy/router.cfg before two model servers: a real HAProxy, which finds them by a name of our own."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx
import pytest

from primum.graph.agent import Agent
from primum.graph.answer import Answer
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from tests.fakes import HANGS, Body, FakeEmbedder, FakeVLLM, Says
from tests.pages import cited

CONFIG = Path(__file__).resolve().parents[2] / "deploy/haproxy/router.cfg"
HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") or ""
HOSTS = ("127.0.0.2", "127.0.0.3")
ASKED = "How much paracetamol can adults take?"
GOOD = cited(
    "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours [every 4 to 6 hours]."
)


class Names(asyncio.DatagramProtocol):
    """A name server that knows one name, whatever it is asked for."""

    def __init__(self, hosts: list[str]) -> None:
        self.hosts = hosts

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(b"\0", 12) + 5
        hosts = self.hosts if data[end - 4 : end - 2] == b"\0\x01" else []  # of version 4 alone
        head = data[:2] + b"\x81\x80\0\x01" + len(hosts).to_bytes(2, "big") + b"\0\0\0\0"
        answers = [b"\xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04" + socket.inet_aton(host) for host in hosts]
        self.transport.sendto(head + data[12:end] + b"".join(answers), addr)


@dataclass(frozen=True)
class Routed:
    """The router, the servers behind it, and the hosts that their name has."""

    url: str
    log: Path
    servers: list[FakeVLLM]
    hosts: list[str]

    @staticmethod
    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 (HAProxy tells nobody)
                await asyncio.sleep(0.02)

    def told(self, word: str) -> int:
        return self.log.read_text().count(word)


@contextmanager
def router(folder: Path, names: int, port: int, front: socket.socket) -> Iterator[Path]:
    """HAProxy with the shipped configuration; its pace, and where it asks for names, are the test's. Its log."""
    text = CONFIG.read_text()
    changes = {"parse-resolv-conf": f"nameserver test 127.0.0.1:{names}", "inter 3s fastinter 1s": "inter 100ms"}
    for old, new in {**changes, ':8000" resolvers': f':{port}" resolvers'}.items():
        assert old in text
        text = text.replace(old, new)
    given, log = folder / "router.cfg", folder / "router.log"
    given.write_text(text)
    bind, handed = {"ROUTER_BIND": f"fd@{front.fileno()}"}, [front.fileno()]
    with log.open("wb") as file:
        argv = [HAPROXY, "-db", "-f", str(given)]
        process = subprocess.Popen(argv, stdout=file, stderr=file, env=bind, pass_fds=handed)
    try:
        yield log
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
async def routed(tmp_path: Path) -> AsyncIterator[Routed]:
    """Two servers behind the router, which has found both."""
    if not HAPROXY:
        pytest.skip("HAProxy is not here: apt-get install haproxy")
    hosts = list(HOSTS)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Names(hosts), ("127.0.0.1", 0))
    with ExitStack() as stack:
        first = stack.enter_context(FakeVLLM(host=HOSTS[0]))
        second = stack.enter_context(FakeVLLM(host=HOSTS[1], port=first.port))
        for server in (first, second):
            server.default = GOOD
        front = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # HAProxy takes it over as it is
        log = stack.enter_context(router(tmp_path, transport.get_extra_info("sockname")[1], first.port, front))
        routed = Routed(f"http://127.0.0.1:{front.getsockname()[1]}/v1", log, [first, second], hosts)
        await routed.until(lambda: routed.told("is UP") >= 2)
        yield routed
    transport.close()


@pytest.fixture
async def agent(settings: Settings, routed: Routed) -> AsyncIterator[Agent]:
    settings = settings.model_copy(update={"model_url": routed.url})
    async with open_resources(settings, FakeEmbedder()) as resources:
        agent = Agent(resources)
        yield agent
        await agent.close()


def slowly(body: Body) -> Says:
    return Says(str(GOOD(body)), each=0.05)


async def owner(agent: Agent, routed: Routed) -> FakeVLLM:
    """The server that has the thread `t`, after its first turn."""
    assert (await agent.ask(ASKED, thread="t")).status == "answered"
    (server,) = (one for one in routed.servers if one.sessions)
    return server


async def finished(asked: asyncio.Task[Answer]) -> None:
    """Ends well, as if nothing had been."""
    answer = await asked
    assert answer.status == "answered" and answer.citations and answer.trace.problems == []


async def test_a_conversation_stays_with_a_server_and_both_have_some(agent: Agent, routed: Routed) -> None:
    for turn in range(16):
        await agent.ask(ASKED, thread=f"t{turn % 8}")
    first, second = (set(server.sessions) for server in routed.servers)
    assert first and second and not first & second and len(first | second) == 8


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


async def test_one_that_hangs_is_cut_off_and_done_without(agent: Agent, routed: Routed) -> None:
    hanging = await owner(agent, routed)
    hanging.default, before = HANGS, len(hanging.requests)
    asked = asyncio.create_task(agent.ask(ASKED, thread="t"))
    await routed.until(lambda: len(hanging.requests) > before)
    hanging.well = False
    await finished(asked)


async def test_one_that_is_not_well_gets_nothing_until_it_is(agent: Agent, routed: Routed) -> None:
    ill = await owner(agent, routed)
    ill.well, up = False, routed.told("is UP")
    await routed.until(lambda: routed.told("is DOWN") == 1)
    before = len(ill.requests)
    await finished(asyncio.create_task(agent.ask(ASKED, thread="t")))
    assert len(ill.requests) == before
    ill.well = True
    await routed.until(lambda: routed.told("is UP") > up)
    await finished(asyncio.create_task(agent.ask(ASKED, thread="t")))
    assert len(ill.requests) > before


async def test_one_more_is_found_by_its_name_and_gets_its_share(agent: Agent, routed: Routed) -> None:
    with FakeVLLM(host="127.0.0.4", port=routed.servers[0].port) as third:
        third.default, up = GOOD, routed.told("is UP")
        routed.hosts.append(third.host)
        await routed.until(lambda: routed.told("is UP") > up)
        for turn in range(12):
            await finished(asyncio.create_task(agent.ask(ASKED, thread=f"t{turn}")))
        assert all(server.sessions for server in (*routed.servers, third))


async def test_with_none_left_the_passages_answer(agent: Agent, routed: Routed) -> None:
    for server in routed.servers:
        server.stop()
    answer = await agent.ask(ASKED)
    assert answer.status == "evidence_only" and answer.trace.problems == [
        "draft: The model server answered with HTTP 503."
    ]


def test_it_tells_a_probe_that_it_lives_also_without_a_server(tmp_path: Path) -> None:
    if not HAPROXY:
        pytest.skip("HAProxy is not here: apt-get install haproxy")
    with socket.create_server(("127.0.0.1", 0)) as front, router(tmp_path, 9, 9, front):
        http = httpx.Client(base_url=f"http://127.0.0.1:{front.getsockname()[1]}", timeout=10)
        assert http.get("/router/live").status_code == 200 and http.get("/health").status_code == 503
