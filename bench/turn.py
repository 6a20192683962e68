"""Time of a turn outside model and search calls, and what a thread's checkpoints weigh. Prints JSON.

    python -m bench.turn [--turns 300]

Two things in one run: the turns of one long thread, and as many turns each in a thread of its own.
"""

import argparse
from dataclasses import replace
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from sqlalchemy import text

from bench.rig import TimedRetriever, endpoint, report, resources
from primum.graph.agent import Agent
from primum.graph.resources import Resources

WORDS = 230  # of a draft: with the question about 1.7 KB of new text a turn
QUESTIONS = ["What are the symptoms of {}?", "How is {} treated?", "What causes {}, and when should I see a doctor?"]
TOPICS = ["type 2 diabetes", "gout", "asthma in children", "migraine", "high blood pressure", "shingles", "measles"]


def question(number: int) -> str:
    return QUESTIONS[number % len(QUESTIONS)].format(TOPICS[number % len(TOPICS)])


async def turns(agent: Agent, count: int, thread: str | None) -> tuple[list[float], list[int]]:
    """Milliseconds of each turn outside model and search, and bytes of question and answer."""
    times: list[float] = []
    sizes: list[int] = []
    for number in range(count):
        TimedRetriever.seconds = 0.0
        started = perf_counter()
        answer = await agent.ask(question(number), thread=thread, max_words=WORDS + 20)
        took = perf_counter() - started - TimedRetriever.seconds
        times.append(took * 1000 - answer.trace.timings_ms["model"])
        sizes.append(len(question(number)) + len(answer.text.encode()))
        assert answer.status == "answered", answer.status
    return times, sizes


async def checkpoint_bytes(opened: Resources, thread: str) -> int:
    statement = " union all ".join(
        f"select sum(pg_column_size(t.*)) from checkpoints.{table} t "
        "where thread_id = (select key::text from threads where id = :thread)"
        for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
    )
    async with opened.database.begin(opened.identity("me")) as connection:
        rows = await connection.execute(text(statement), {"thread": thread})
        return sum(int(size or 0) for (size,) in rows)


def spread(times: list[float]) -> dict[str, float]:
    cuts = quantiles(times, n=100)
    return {"p50_ms": round(median(times), 2), "p95_ms": round(cuts[94], 2)}


async def measure(count: int) -> dict[str, Any]:
    with endpoint(WORDS, delay=0.0) as url:
        async with resources(url) as opened:
            library = TimedRetriever(opened.database, opened.library.embedder)
            agent = Agent(replace(opened, library=library))
            await turns(agent, 20, "warm")
            half, sizes = await turns(agent, count // 2, "long")
            at_half = await checkpoint_bytes(opened, "long")
            rest, more = await turns(agent, count - count // 2, "long")
            at_end = await checkpoint_bytes(opened, "long")
            fresh, _ = await turns(agent, count, None)
    long, sizes = half + rest, sizes + more
    first, last = median(long[:20]), median(long[-20:])
    return {
        "turns": count,
        "outside_model_and_search": {"one_thread": spread(long), "fresh_threads": spread(fresh)},
        "last_20_turns_over_first_20": round(last / first, 3),
        "new_text_bytes_a_turn": round(sum(sizes) / len(sizes)),
        "checkpoint_bytes_a_turn": round(at_end / count),
        "second_half_bytes_over_first": round((at_end - at_half) / at_half, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=300)
    report(measure(parser.parse_args().turns))


if __name__ == "__main__":
    main()
