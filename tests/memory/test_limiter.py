"""Processes that share a database share the limits of requests, within a bound that is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import psycopg
import pytest
from structlog.testing import capture_logs

from primum.memory import limiter
from primum.memory.limiter import SHARE, SLOT, SLOTS, Limiter
from primum.memory.secret import Secret
from primum.memory.session import Database
from tests.apis import FakeClock
from tests.faults.proxy import Proxy, address_of, through

LIMIT, PROCESSES = 30, 4
BOUND = LIMIT + (PROCESSES - 1) * (LIMIT // SHARE)
Opener = Callable[..., Limiter]


@pytest.fixture
async def process(database_url: str) -> AsyncIterator[Opener]:
    """Opens the limits of one more process."""
    async with AsyncExitStack() as stack:

        def opened(url: str = database_url, clock: FakeClock | None = None) -> Limiter:
            database = Database(url, pool=1)
            stack.push_async_callback(database.close)
            given = {"clock": lambda: clock.time} if clock else {}
            return Limiter(database, Secret("x" * 32), **given)

        yield opened


async def passed(one: Limiter, tries: int, who: str = "anna", limit: int = LIMIT) -> int:
    """How many of so many who come at once get in."""
    waits = await asyncio.gather(*(one.hit(limit, who) for _ in range(tries)))
    assert all(0 <= wait <= SLOT * SLOTS for wait in waits)
    return waits.count(0)


def held(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("select who, sum(times)::int from hits group by who").fetchall())


async def test_who_comes_to_all_processes_at_once_gets_a_share_more_of_each_at_most(process: Opener) -> None:
    processes = [process() for _ in range(PROCESSES)]
    counts = await asyncio.gather(*(passed(one, 3 * LIMIT) for one in processes))
    assert LIMIT <= sum(counts) <= BOUND
    for one in processes:
        await one.tell()
        assert await passed(one, LIMIT) == 0
    assert await passed(processes[0], 1, "ben") == 1


async def test_processes_that_have_told_each_other_let_nobody_in_beyond_the_limit(process: Opener) -> None:
    one, other = process(), process()
    count = 0
    for _ in range(LIMIT):
        for each in (one, other):
            count += await passed(each, 1)
            await one.tell()
            await other.tell()
    assert LIMIT <= count <= LIMIT + 1  # what one process let in before the other had anything to ask for


async def test_they_tell_each_other_without_being_asked(
    process: Opener, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiter, "EVERY", 0.01)
    one = process()
    async with one.sharing(), asyncio.timeout(30):
        assert await passed(one, 2) == 2
        while list(held(database_url).values()) != [2]:  # noqa: ASYNC110 (Postgres tells nobody)
            await asyncio.sleep(0.01)


async def test_one_that_ends_has_told_the_others_and_one_that_begins_learns_of_them(
    process: Opener, database_url: str
) -> None:
    ends = process()
    async with ends.sharing():
        assert await passed(ends, 2 * LIMIT) == LIMIT
    assert list(held(database_url).values()) == [LIMIT]
    begins = process()
    assert await passed(begins, 2 * LIMIT) == LIMIT // SHARE
    assert list(held(database_url).values()) == [LIMIT + LIMIT // SHARE]


async def test_without_the_database_each_holds_the_limit_alone_and_then_together_again(
    process: Opener, database_url: str
) -> None:
    with capture_logs() as said:
        async with Proxy(address_of(database_url)) as wire:
            one, other = process(through(wire, database_url)), process()
            for each in (one, other, one):
                assert await passed(each, 3) == 3
                await each.tell()
            wire.show("reset")
            await one.tell()
            assert await passed(one, 2 * LIMIT) == LIMIT - 9  # what it knew of before still counts
            wire.mend()
            await one.tell()
            await other.hit(LIMIT, "anna")
            await other.tell()
            assert await passed(other, LIMIT) == 0
    assert [one["event"] for one in said] == ["limits.alone", "limits.together"]


async def test_a_server_that_says_nothing_more_is_not_waited_for_again_and_again(
    process: Opener, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiter, "PATIENCE", 0.2)
    async with Proxy(address_of(database_url)) as wire:
        one = process(through(wire, database_url))
        await one.hit(LIMIT, "anna")
        await one.tell()
        wire.show("hole")
        async with asyncio.timeout(5):
            assert await passed(one, 2 * LIMIT) == LIMIT - 1
        wire.mend()


async def test_a_minute_later_there_is_room_again_as_was_told(process: Opener) -> None:
    clock = FakeClock()
    one = process(clock=clock)
    assert await passed(one, 3, limit=5) == 3
    clock.time += 20
    assert await passed(one, 3, limit=5) == 2
    wait = await one.hit(5, "anna")
    assert 60 - 20 <= wait <= 60 - 20 + SLOT
    clock.time += wait - 0.5
    assert await passed(one, 1, limit=5) == 0
    clock.time += 0.5
    assert await passed(one, 9, limit=5) == 3


async def test_old_rows_go_and_nobody_s_name_stands_in_any(process: Opener, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into hits select 'old', extract(epoch from now())::bigint / %s - %s, 1",
            [SLOT, 2 * SLOTS + 2],
        )
    one = process()
    await one.hit(LIMIT, "failures", "192.0.2.1")
    await one.tell()
    ((who, times),) = held(database_url).items()
    assert times == 1 and len(who) == 64 and not set(who) - set("0123456789abcdef")


async def test_a_table_that_its_server_lost_gives_nobody_another_minute(process: Opener, database_url: str) -> None:
    one = process()
    count = 0
    for _ in range(LIMIT):
        count += await passed(one, 2)
        await one.tell()
        with psycopg.connect(database_url) as connection:
            connection.execute("truncate hits")
    assert count == LIMIT


async def test_many_who_come_to_many_processes_are_all_counted(process: Opener, database_url: str) -> None:
    people = [f"person {number}" for number in range(200)]
    processes = [process() for _ in range(PROCESSES)]
    for turn, one in enumerate(processes):
        for person in people[turn:] + people[:turn]:
            await one.hit(LIMIT, person)
    await asyncio.gather(*(one.tell() for one in processes))
    assert list(held(database_url).values()) == [PROCESSES] * len(people)
