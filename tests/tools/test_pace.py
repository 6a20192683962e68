"""Services are asked evenly, paused for as long as they want, and left alone while they are down."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.graph.errors import LookUpFailed
from primum.tools.pace import Breaker, Pace, wanted_pause
from tests.apis import FakeClock


async def test_no_more_requests_go_in_a_second_than_may(clock: FakeClock) -> None:
    pace = Pace(3, clock.clock())
    began = clock.time
    for _ in range(7):
        await pace.turn()
    assert clock.time - began == pytest.approx(2)


async def test_those_who_ask_at_once_wait_in_turn() -> None:
    """The clock stands still: each is told to wait for those before it."""
    told: list[float] = []

    async def sleep(seconds: float) -> None:
        told.append(round(seconds, 3))

    clock = FakeClock()
    pace = Pace(10, type(clock.clock())(lambda: 5.0, sleep))
    await asyncio.gather(*(pace.turn() for _ in range(4)))
    assert told == [0.1, 0.2, 0.3]


async def test_a_pause_that_a_service_wants_holds_everybody(clock: FakeClock) -> None:
    pace = Pace(10, clock.clock())
    pace.hold(4)
    await pace.turn()
    assert clock.waits == [4]


def test_a_service_that_fails_three_times_in_a_row_is_left_alone_for_a_minute(clock: FakeClock) -> None:
    breaker = Breaker("PubMed", clock.clock())
    for _ in range(3):
        breaker.check()
        breaker.failed()
    with pytest.raises(LookUpFailed, match=r"PubMed .* asked again in 60 seconds"):
        breaker.check()
    clock.time += 61
    breaker.check()


def test_one_success_forgives(clock: FakeClock) -> None:
    breaker = Breaker("PubMed", clock.clock())
    for work in (breaker.failed, breaker.failed, breaker.worked, breaker.failed, breaker.failed):
        work()
    breaker.check()


def test_a_pause_is_told_in_seconds_or_as_a_date() -> None:
    assert wanted_pause({"retry-after": "7"}) == 7
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert wanted_pause({"retry-after": later}) == pytest.approx(90, abs=2)
    assert wanted_pause({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert wanted_pause({}) is None


@given(st.text())
def test_whatever_stands_there_a_pause_is_a_number_or_none(told: str) -> None:
    pause = wanted_pause({"retry-after": told})
    assert pause is None or pause >= 0
