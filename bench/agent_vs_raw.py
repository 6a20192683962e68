"""Model calls a second through the agent, beside the same calls sent straight to the same endpoint. Prints JSON.

    python -m bench.agent_vs_raw [--at-once 32] [--turns 128] [--delay 0.5]

The endpoint is scripted: each call takes the delay, however many come at once. Both sides send the very same bodies:
those that the agent sent are recorded and sent again with httpx.
"""

import argparse
import asyncio
from time import perf_counter
from typing import Any

import httpx

from bench.rig import endpoint, report, resources
from bench.turn import question
from primum.graph.agent import Agent
from primum.graph.resources import Resources


async def through_agent(opened: Resources, turns: int, at_once: int) -> tuple[float, list[list[bytes]]]:
    """Seconds for all turns, and the bodies that each turn's calls had."""
    agent = Agent(opened)
    numbers = iter(range(turns))
    sent: list[bytes] = []

    async def record(request: httpx.Request) -> None:
        if request.url.path.endswith("/chat/completions"):
            sent.append(request.content)

    opened.http.event_hooks["request"].append(record)

    async def worker() -> None:
        for number in numbers:
            answer = await agent.ask(question(number))
            assert answer.status == "answered", (answer.status, answer.trace.problems)

    await worker_warmup(agent)
    sent.clear()
    started = perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    took = perf_counter() - started
    size = len(sent) // turns
    return took, [sent[i : i + size] for i in range(0, len(sent), size)]


async def worker_warmup(agent: Agent) -> None:
    await agent.ask(question(0))


async def straight(url: str, bodies: list[list[bytes]], at_once: int) -> float:
    """Seconds for the same calls; those of one turn one after the other, as a turn needs them."""
    todo = iter(bodies)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=at_once)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:

        async def worker() -> None:
            for calls in todo:
                for body in calls:
                    headers = {"content-type": "application/json"}
                    async with client.stream("POST", f"{url}/chat/completions", content=body, headers=headers) as reply:
                        async for _ in reply.aiter_bytes():
                            pass

        started = perf_counter()
        await asyncio.gather(*(worker() for _ in range(at_once)))
        return perf_counter() - started


async def measure(turns: int, at_once: int, delay: float) -> dict[str, Any]:
    with endpoint(words=120, delay=delay) as url:
        async with resources(url) as opened:
            agent_seconds, bodies = await through_agent(opened, turns, at_once)
            raw_seconds = await straight(url, bodies, at_once)
    calls = sum(len(turn) for turn in bodies)
    return {
        "turns": turns,
        "at_once": at_once,
        "seconds_a_call": delay,
        "model_calls": calls,
        "agent_calls_a_second": round(calls / agent_seconds, 2),
        "raw_calls_a_second": round(calls / raw_seconds, 2),
        "agent_over_raw": round(raw_seconds / agent_seconds, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--turns", type=int, default=128)
    parser.add_argument("--delay", type=float, default=0.5)
    given = parser.parse_args()
    report(measure(given.turns, given.at_once, given.delay))


if __name__ == "__main__":
    main()
