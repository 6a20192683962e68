"""What a turn costs the database and the model server, and what of it stays. Prints JSON.

    python -m bench.cost [--threads 40] [--turns 5] [--at-once 8]

Two mixes: turns whose draft stands, and turns whose draft has one sentence that no passage proves, so that it is
refined and audited again. A thread is one patient's. docs/scale.md reckons with what this prints. Tokens are the
packaged embedder's word pieces; `new_prompt_tokens` are those that no earlier prompt of the thread, nor of the run's
first thread, began with: what a server with a prefix cache reads. Bytes that stay are counted after `vacuum full`.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
import psycopg

from bench.prompts import FALSE, common, flat
from bench.rig import endpoint, new_settings, report
from bench.turn import question
from primum.graph.agent import Agent
from primum.graph.resources import open_resources
from primum.retrieval.embedder import load_embedder
from primum.server.local import url_of
from tests.fakes import FakeEmbedder

WORDS = 120  # of a draft
FLUSHED = 2.0  # seconds after which Postgres has told of all that a connection did
KEPT = """
select coalesce(nullif(n.nspname, 'public') || '.', '') || coalesce(p.relname, c.relname), pg_total_relation_size(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent
where c.relkind = 'r' and n.nspname in ('public', 'checkpoints', 'jobs')
"""
WRITTEN = "select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_user_tables"
COMMITS = "select xact_commit from pg_stat_database where datname = current_database()"
WAL = "select pg_current_wal_lsn() - '0/0'"
CONNECTIONS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


class Books:
    """What Postgres says that it did and holds."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def one(self, statement: str) -> int:
        row = self._connection.execute(statement.encode()).fetchone()
        return int(row[0]) if row else 0

    def kept(self) -> dict[str, int]:
        """Bytes of each table with its indexes, without what is dead."""
        self._connection.execute("vacuum full")
        sizes: dict[str, int] = {}
        for name, size in self._connection.execute(KEPT.encode()):
            sizes[name] = sizes.get(name, 0) + size
        return sizes


async def mix(threads: int, turns: int, at_once: int, false: str) -> dict[str, Any]:
    """So many threads of so many turns, by one process."""
    prompts: dict[str, list[list[str]]] = {}  # by the thread's session
    words = calls = 0

    async def record(request: httpx.Request) -> None:
        if request.url.path.endswith("/chat/completions"):
            prompts.setdefault(request.headers["x-session-id"], []).append(flat(json.loads(request.content)))

    with endpoint(WORDS, delay=0.0, false=false) as url:
        async with new_settings(url) as settings, open_resources(settings, FakeEmbedder()) as opened:
            agent, books = Agent(opened), Books(url_of(settings))
            await agent.ask(question(0), thread="warm", patient="warm")
            opened.http.event_hooks["request"].append(record)
            await asyncio.sleep(FLUSHED)
            held = books.kept()
            before = [books.one(statement) for statement in (COMMITS, WRITTEN, WAL)]
            left = iter(range(threads))

            async def session() -> None:
                nonlocal words, calls
                for thread in left:
                    for turn in range(turns):
                        told = await agent.ask(question(thread + turn), thread=f"t{thread}", patient=f"p{thread}")
                        assert told.status == "answered", told.trace.problems
                        words += told.trace.tokens["completion"]
                        calls += told.trace.tokens["calls"]

            await asyncio.gather(*(session() for _ in range(at_once)))
            await asyncio.sleep(FLUSHED)
            connections = books.one(CONNECTIONS)
            did = [books.one(one) - old for one, old in zip((COMMITS, WRITTEN, WAL), before, strict=True)]
            grown = {name: size - held.get(name, 0) for name, size in books.kept().items()}
            await agent.close()
    count = threads * turns
    read, new = tokens(list(prompts.values()))
    return {
        "turns": count,
        "commits_a_turn": round(did[0] / count, 1),
        "rows_written_a_turn": round(did[1] / count, 1),
        "wal_kb_a_turn": round(did[2] / count / 1000, 1),
        "connections": connections,
        "bytes_that_stay_a_turn": round(sum(grown.values()) / count),
        "of_which": {name: round(size / count) for name, size in sorted(grown.items()) if size / count >= 1},
        "model_calls_a_turn": round(calls / count, 2),
        "prompt_tokens_a_turn": round(read / count),
        "new_prompt_tokens_a_turn": round(new / count),
        "answer_words_a_turn": round(words / count),
    }


def tokens(threads: Sequence[Sequence[list[str]]]) -> tuple[int, int]:
    """Of all prompts, and those of them that no earlier prompt of the thread or of the first thread began with."""
    count = load_embedder().count_tokens
    read = new = 0
    first: list[list[str]] = []
    for thread in threads:
        known: list[list[str]] = []
        for prompt in thread:
            shared = max((common(prompt, other) for other in (*known, *first)), default=0)
            read += count(" ".join(prompt))
            new += count(" ".join(prompt[shared:]))
            known.append(prompt)
        first = first or known
    return read, new


async def measure(threads: int, turns: int, at_once: int) -> dict[str, Any]:
    return {
        "threads": threads,
        "turns_a_thread": turns,
        "stands": await mix(threads, turns, at_once, ""),
        "refined": await mix(threads, turns, at_once, FALSE),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=40)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=8)
    given = parser.parse_args()
    report(measure(given.threads, given.turns, given.at_once))


if __name__ == "__main__":
    main()
