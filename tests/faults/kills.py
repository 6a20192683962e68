"""Processes that live to be killed: `python -m tests.faults.kills` lives the lives that it reads, one a line.

The first it lives itself, so that all is imported and warm; for each other it forks. A child's agent does its deeds
until it is killed: by itself at a crossing, or by its parent at a moment. A crossing is the edge of a node, a statement
or a commit; nothing in Primum knows of it. What a life told, and how it ended, is written as a line.
"""

import asyncio
import gc
import json
import logging
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

import psycopg
import structlog

from primum.graph import builder
from primum.graph.agent import Agent
from primum.graph.resources import open_resources
from primum.graph.settings import read_settings
from primum.memory.jobs import open_worker
from tests.fakes import FakeEmbedder

P = ParamSpec("P")
T = TypeVar("T")
Crossing = tuple[str, int]  # its name, and which of that name

MORTAL = "mortal"  # the name of their connections
NODES = ("recall", "triage", "router", "rewrite", "retrieve", "draft", "critique", "refine", "respond")
NAME = 60  # characters of a statement that name it
PINGS = {f"{side} {nothing}" for side in ("before", "after") for nothing in ("", ";")}  # a pool's
LONGEST = 2**24  # bytes that a life may tell


@dataclass(frozen=True)
class Life:
    """What a process does, and when it is killed, if it is.

    `deeds`, each with what it needs, are done one after the other; with a worker all at once, and never ended.
    `after` are seconds from when the agent is open.
    """

    settings: Mapping[str, Any]
    deeds: Sequence[Sequence[str]]
    works: bool = False
    at: Crossing | None = None
    after: float | None = None


@dataclass(frozen=True)
class Death:
    """How a life went: whether it was killed, and what it told until then."""

    killed: bool
    told: Sequence[Mapping[str, str]] = ()

    def of(self, kind: str) -> list[str]:
        return [one[kind] for one in self.told if kind in one]

    @property
    def crossings(self) -> list[Crossing]:
        """Those that it came to; not the start of a statement, which is one moment with the end of what was before."""
        seen: Counter[str] = Counter()
        found = []
        for name in self.of("crossed"):
            seen[name] += 1
            side, _, what = name.partition(" ")
            if side == "after" or what in NODES or what.startswith("commit"):
                found.append((name, seen[name]))
        return found


class Tell(Protocol):
    def __call__(self, **said: str) -> None: ...


class Crossings:
    """The edges that this process comes to; it ends at the chosen one."""

    def __init__(self) -> None:
        self._at: Crossing | None = None
        self._tell: Tell | None = None
        self._seen: Counter[str] = Counter()
        self._last = ""
        for node in NODES:
            setattr(builder, node, self._around(lambda *_, name=node: name, getattr(builder, node)))
        for method in ("execute", "executemany"):
            setattr(psycopg.AsyncCursor, method, self._around(self._statement, getattr(psycopg.AsyncCursor, method)))
        commit = self._around(lambda _: f"commit of {self._last}", psycopg.AsyncConnection.commit)
        psycopg.AsyncConnection.commit = commit  # type: ignore[assignment, method-assign]

    def begin(self, at: Crossing | None, tell: Tell) -> None:
        """Counts from here on."""
        self._at, self._tell, self._seen = at, tell, Counter()

    def _around(self, name: Callable[..., str], work: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @wraps(work)
        async def step(*args: P.args, **kwargs: P.kwargs) -> T:
            called = name(*args)
            self._cross(f"before {called}")
            result = await work(*args, **kwargs)
            self._cross(f"after {called}")
            return result

        return step

    def _statement(self, _: Any, query: object, *__: Any) -> str:
        self._last = " ".join(str(query).split())[:NAME]
        return self._last

    def _cross(self, name: str) -> None:
        if self._tell is None or name in PINGS:
            return
        self._seen[name] += 1
        self._tell(crossed=name)
        if self._at == (name, self._seen[name]):
            os.kill(os.getpid(), signal.SIGKILL)


async def drain(agent: Agent) -> None:
    """Does the jobs that there are, those of dead workers too."""
    erasure = agent.resources.erasure
    async with open_worker(agent.resources.database.url, agent.remember, lambda: erasure.retain(None)) as worker:
        await worker._retry_stalled()
        await worker._app.run_worker_async(wait=False, install_signal_handlers=False, delete_jobs="successful")


async def live(life: Life, crossings: Crossings, tell: Tell) -> None:
    """All of it, if it is not killed before."""
    async with open_resources(read_settings(**life.settings), FakeEmbedder()) as resources:
        agent = Agent(resources)
        admit = resources.threads.admit

        async def admitted(*args: Any, **kwargs: Any) -> Any:
            taken = await admit(*args, **kwargs)
            tell(admitted=str(taken.run_id))
            return taken

        resources.threads.admit = admitted  # type: ignore[method-assign]
        tell(opened=MORTAL)
        deeds = [DEEDS[deed](agent, tell, *given) for deed, *given in life.deeds]
        if life.works:
            async with agent.working():
                await asyncio.gather(*deeds, asyncio.Event().wait())
        crossings.begin(life.at, tell)
        for deed in deeds:
            await deed


async def _ask(agent: Agent, tell: Tell, patient: str, question: str) -> None:
    answer = await agent.ask(question, patient=patient, thread=patient)
    tell(answered=answer.trace.run_id, text=answer.text)


async def _recover(agent: Agent, _: Tell) -> None:
    await agent.recover()


async def _work(agent: Agent, _: Tell) -> None:
    await drain(agent)


async def _forget(agent: Agent, _: Tell, patient: str) -> None:
    await agent.forget(patient, patient)


async def _erase(agent: Agent, _: Tell, patient: str) -> None:
    await agent.resources.erasure.erase(agent.resources.identity(patient), "patient")


DEEDS: dict[str, Callable[..., Awaitable[None]]] = {
    "ask": _ask,
    "recover": _recover,
    "work": _work,
    "forget": _forget,
    "erase": _erase,
}


def run(life: Life, crossings: Crossings) -> Death:
    """A child that lives the life, watched until its end."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)

        def tell(**said: str) -> None:
            os.write(sink, json.dumps(said).encode() + b"\n")

        try:
            asyncio.run(live(life, crossings, tell))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(sink)
    told = list(_heard(source, child, life.after))
    _, status = os.waitpid(child, 0)
    if status not in (0, signal.SIGKILL):
        raise RuntimeError(f"a child ended with {status}")
    return Death(status == signal.SIGKILL, told)


def _heard(source: int, child: int, after: float | None) -> Iterator[Mapping[str, str]]:
    """What the child tells until its end, which comes `after` it has opened."""
    moment: float | None = None
    rest = b""
    while True:
        ready, _, _ = select.select([source], [], [], None if moment is None else max(0.0, moment - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            moment = None
            continue
        said = os.read(source, 65536)
        if not said:
            break
        *lines, rest = (rest + said).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if "opened" in told and after is not None:
                moment = time.monotonic() + after
            yield told
    os.close(source)


class Mortals:
    """The lives, as a test sees them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def live(self, life: Life) -> Death:
        """Lives a life to its end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(life)).encode() + b"\n")
        return Death(**json.loads(await self._process.stdout.readline()))


@asynccontextmanager
async def open_mortals() -> AsyncIterator[Mortals]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.faults.kills"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PGAPPNAME": MORTAL},
        limit=LONGEST,
    )
    try:
        yield Mortals(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    crossings = Crossings()
    lives = (_life(line) for line in sys.stdin)
    asyncio.run(live(next(lives), crossings, lambda **_: None))
    if threading.active_count() > 1:
        raise RuntimeError("threads do not live on in a fork")
    gc.freeze()
    _write(Death(False))
    for life in lives:
        _write(run(life, crossings))


def _life(line: str) -> Life:
    given = json.loads(line)
    return Life(**{**given, "at": given["at"] and tuple(given["at"])})


def _write(death: Death) -> None:
    sys.stdout.write(json.dumps(asdict(death)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
