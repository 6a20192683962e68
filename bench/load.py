"""Many sessions at once over the HTTP API, against a scripted endpoint. Prints JSON.

    python -m bench.load [--sessions 200] [--minutes 1] [--pace 30] [--delay 0.5] [--parts alone two paced first]

Three things: how many durable turns a second one process answers and two on one Postgres, with sessions that never
rest; what Primum adds to a turn while each session asks every `pace` seconds, and what its memory does meanwhile; and
when the first audited sentence comes, beside the first sentence of the draft as the endpoint alone gives it. Servers,
endpoint and sessions are processes of their own, on this machine. Vectors are hashes of words: embedding costs nothing.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any
from uuid import uuid4

import httpx

from bench.rig import endpoint, new_settings, report
from bench.turn import question
from primum.graph.agent import Agent
from primum.graph.llm import open_client
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.server.api import create_app
from primum.server.listener import listen
from primum.server.port import free_port
from primum.server.terminal import run
from tests.fakes import FakeEmbedder

WORDS = 170  # of a draft
TOKEN = 0.02  # seconds that one takes, where the first sentence is waited for: fifty a second
FIRSTS = 10  # turns in which it is
WARM = 20  # turns that are not counted, on each server
SENTENCE = ". "
PARTS = ("alone", "two", "paced", "first")


@dataclass
class Told:
    """What the sessions saw: seconds of whole turns and of what Primum added to its model calls; errors by name."""

    turns: list[float] = field(default_factory=list)
    added: list[float] = field(default_factory=list)
    calls: int = 0
    errors: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Server:
    url: str
    pid: int

    def megabytes(self) -> float:
        """Of memory that it holds now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def processor(self) -> float:
        """Seconds of a processor that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _serve(settings: Settings, port: int) -> None:
    run(listen(create_app(settings, FakeEmbedder()), "127.0.0.1", port, "error"), "error")


@contextmanager
def api(settings: Settings) -> Iterator[Server]:
    """A process that serves the API."""
    port = free_port(0)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(settings, port))
    process.start()
    try:
        yield Server(f"http://127.0.0.1:{port}", process.pid or 0)
    finally:
        process.terminate()
        process.join(30)


@asynccontextmanager
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Of a server that answers by now."""
    async with open_client(server.url, "none") as http:
        async with asyncio.timeout(120):
            while True:
                try:
                    (await http.get("/health")).raise_for_status()
                    break
                except httpx.HTTPError:
                    await asyncio.sleep(0.2)
        await asyncio.gather(*(session(http, Told(), 0, 0.0, turns=1) for _ in range(WARM)))
        yield http


async def events(http: httpx.AsyncClient, thread: str, asked: str) -> AsyncIterator[tuple[str, str]]:
    """A turn's events: their names and data. Raises httpx.HTTPError."""
    async with http.stream("POST", f"/threads/{thread}/turns", json={"question": asked}) as response:
        response.raise_for_status()
        name = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, line[6:]


async def turn(http: httpx.AsyncClient, told: Told, thread: str, asked: str, delay: float) -> None:
    """One question to its end, with what came of it."""
    started = perf_counter()
    name, data = "", ""
    try:
        async for name, data in events(http, thread, asked):  # noqa: B007
            pass
    except httpx.HTTPStatusError as error:
        told.errors[f"HTTP {error.response.status_code}"] += 1
        return
    except httpx.HTTPError as error:
        told.errors[type(error).__name__] += 1
        return
    took, end = perf_counter() - started, json.loads(data)
    if name != "done" or end["status"] != "answered":
        told.errors[str(end.get("error") or end.get("status"))] += 1
        return
    calls = end["trace"]["tokens"]["calls"]
    told.turns.append(took)
    told.added.append(took - calls * delay)
    told.calls += calls


async def session(
    http: httpx.AsyncClient,
    told: Told,
    number: int,
    delay: float,
    *,
    pace: float = 0.0,
    until: float = 0.0,
    turns: int = 0,
) -> None:
    """One reader's conversation: so many turns, or until a time; a question every `pace` seconds, or without a rest."""
    thread = str(uuid4())
    chance = random.Random(number)
    await asyncio.sleep(chance.random() * pace)
    count = 0
    while count < turns or perf_counter() < until:
        started = perf_counter()
        await turn(http, told, thread, question(number + count), delay)
        count += 1
        if pace and (rest := pace - (perf_counter() - started)) > 0:
            await asyncio.sleep(min(rest, max(0.0, until - perf_counter())))


async def throughput(
    servers: Sequence[tuple[Server, httpx.AsyncClient]], sessions: int, seconds: float, delay: float
) -> dict[str, Any]:
    """Turns a second of sessions that never rest, spread over the servers, and what a turn costs a processor."""
    https = [http for _, http in servers]
    used = sum(server.processor() for server, _ in servers)
    told, started = Told(), perf_counter()
    until = started + seconds
    await asyncio.gather(*(session(https[one % len(https)], told, one, delay, until=until) for one in range(sessions)))
    used = sum(server.processor() for server, _ in servers) - used
    return {
        "processes": len(https),
        "turns_a_second": round(len(told.turns) / (perf_counter() - started), 1),
        "turns": len(told.turns),
        "processor_ms_a_turn": round(used * 1000 / max(1, len(told.turns)), 1),
        "turn_s": _spread(told.turns),
        "errors": dict(told.errors),
    }


async def paced(
    server: Server, http: httpx.AsyncClient, sessions: int, minutes: float, pace: float, delay: float
) -> dict[str, Any]:
    """What Primum adds where each session asks every `pace` seconds, and its memory over the run."""
    told, until = Told(), perf_counter() + minutes * 60
    memory = [server.megabytes()]

    async def watch() -> None:
        while True:
            await asyncio.sleep(minutes * 60 / 20)
            memory.append(server.megabytes())

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(session(http, told, one, delay, pace=pace, until=until) for one in range(sessions)))
    watching.cancel()
    return {
        "minutes": minutes,
        "asked_a_second": round(sessions / pace, 1),
        "turns": len(told.turns),
        "model_calls_a_turn": round(told.calls / max(1, len(told.turns)), 2),
        "added_s": _spread(told.added),
        "errors": dict(told.errors),
        "memory_mb": {
            "before": round(memory[0]),
            "half": round(memory[len(memory) // 2]),
            "after": round(memory[-1]),
            "most": round(max(memory)),
        },
    }


async def first_sentence(settings: Settings) -> dict[str, float]:
    """Seconds to the first audited sentence of a reader who is alone, and to that of the same draft sent straight."""
    ours: list[tuple[float, float]] = []
    raw: list[float] = []
    async with open_resources(settings, FakeEmbedder()) as opened:
        agent, sent = Agent(opened), list[bytes]()

        async def record(request: httpx.Request) -> None:
            if request.content and "response_format" not in json.loads(request.content):  # a draft
                sent.append(request.content)

        await agent.ask(question(0))
        opened.http.event_hooks["request"].append(record)
        for number in range(FIRSTS):
            sent.clear()
            ours.append(await _audited(agent, question(number)))
            raw.append(await _straight(opened.http, sent[0]))
        await agent.close()
    return {
        "audited_p50_s": round(median(first for first, _ in ours), 2),
        "raw_p50_s": round(median(raw), 2),
        "answer_p50_s": round(median(whole for _, whole in ours), 2),
    }


async def _audited(agent: Agent, asked: str) -> tuple[float, float]:
    """Seconds to the first event with text of the answer, and to the whole answer."""
    started, first = perf_counter(), 0.0
    async for event in agent.stream(asked):
        if not first and "text" in event.data:
            first = perf_counter() - started
    return first, perf_counter() - started


async def _straight(http: httpx.AsyncClient, body: bytes) -> float:
    started, text = perf_counter(), ""
    headers = {"content-type": "application/json"}
    async with http.stream("POST", "chat/completions", content=body, headers=headers) as reply:
        async for line in reply.aiter_lines():
            if line.startswith("data: {"):
                text += "".join(choice["delta"].get("content") or "" for choice in json.loads(line[6:])["choices"])
            if SENTENCE in text:
                break
        else:
            raise RuntimeError("the endpoint sent no sentence")
    return perf_counter() - started


def _spread(times: Sequence[float]) -> dict[str, float]:
    if len(times) < 2:
        return {}
    cuts = quantiles(times, n=100)
    return {"p50": round(median(times), 3), "p95": round(cuts[94], 3), "most": round(max(times), 3)}


async def measure(given: argparse.Namespace) -> dict[str, Any]:
    told: dict[str, Any] = {"sessions": given.sessions, "seconds_a_call": given.delay, "processors": os.cpu_count()}
    load = (given.sessions, given.seconds, given.delay)
    async with AsyncExitStack() as stack:
        url = stack.enter_context(endpoint(WORDS, given.delay))
        settings = await stack.enter_async_context(new_settings(url))
        if {"alone", "two", "paced"} & set(given.parts):
            one = stack.enter_context(api(settings))
            http = await stack.enter_async_context(client(one))
        if "alone" in given.parts:
            told["alone"] = await throughput([(one, http)], *load)
        if "paced" in given.parts:
            told["paced"] = await paced(one, http, given.sessions, given.minutes, given.pace, given.delay)
        if "two" in given.parts:
            two = stack.enter_context(api(settings))
            beside = await stack.enter_async_context(client(two))
            told["two"] = await throughput([(one, http), (two, beside)], *load)
        if "first" in given.parts:
            slow = stack.enter_context(endpoint(WORDS, given.delay, each=TOKEN))
            told["first_sentence"] = await first_sentence(settings.model_copy(update={"model_url": slow}))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20, help="of each run without a rest")
    parser.add_argument("--minutes", type=float, default=1, help="of the run with a pace")
    parser.add_argument("--pace", type=float, default=30, help="seconds between the questions of a session")
    parser.add_argument("--delay", type=float, default=0.5, help="seconds that a model call takes")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    report(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
