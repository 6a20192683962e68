"""Services are asked evenly, paused for as long as they want, and left alone while they are down."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.graph.errors import LookUpFailed
from primum.tools.pace import Breaker, Clock, Pace, wanted_pause
from tests.apis import FakeClock


async def test_no_more_requests_go_in_a_second_than_may(clock: FakeClock) -> None:
    pace = Pace(3, clock.clock())
    began = clock.time
    for _ in range(7):
        await pace.turn()
    assert clock.time - began == pytest.approx(2)


async def test_those_who_ask_at_once_go_in_turn(clock: FakeClock) -> None:
    pace = Pace(10, clock.clock())
    went: list[tuple[int, float]] = []

    async def go(number: int) -> None:
        await pace.turn()
        went.append((number, round(clock.time - 1000, 3)))

    await asyncio.gather(*map(go, range(4)))
    assert went == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]


class Stopped:
    """A clock that somebody else turns on: whoever sleeps wakes when its time has come."""

    def __init__(self) -> None:
        self.time = 0.0
        self._sleeping: list[tuple[float, asyncio.Event]] = []

    def clock(self) -> Clock:
        return Clock(lambda: self.time, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleeping.append((self.time + seconds, woken))
        await woken.wait()

    async def turn_to(self, time: float) -> None:
        await settled()
        self.time = time
        for until, woken in self._sleeping:
            if until <= time:
                woken.set()
        await settled()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_who_stops_waiting_takes_no_turn_from_those_behind() -> None:
    clock = Stopped()
    pace = Pace(1, clock.clock())
    await pace.turn()
    waiting = [asyncio.create_task(pace.turn()) for _ in range(3)]
    await settled()
    waiting[0].cancel()
    waiting[1].cancel()
    await clock.turn_to(1)
    assert [one.done() for one in waiting] == [True, True, True] and not waiting[2].cancelled()


async def test_a_pause_holds_those_too_who_wait_already() -> None:
    clock = Stopped()
    pace = Pace(1, clock.clock())
    await pace.turn()
    waiting = asyncio.create_task(pace.turn())
    await settled()
    pace.hold(4)
    await clock.turn_to(3)
    assert not waiting.done()
    await clock.turn_to(4)
    assert waiting.done()


async def test_a_pause_that_a_service_wants_holds_everybody(clock: FakeClock) -> None:
    pace = Pace(10, clock.clock())
    pace.hold(4)
    await pace.turn()
    assert clock.waits == [4]


def ask(breaker: Breaker, *, fails: bool) -> None:
    with breaker.asking():
        if fails:
            raise LookUpFailed("It is down.")


def broken(clock: FakeClock) -> Breaker:
    """One of a service that has just failed three times."""
    breaker = Breaker("PubMed", clock.clock())
    for _ in range(3):
        with pytest.raises(LookUpFailed, match="It is down"):
            ask(breaker, fails=True)
    return breaker


def test_a_service_that_fails_three_times_in_a_row_is_left_alone_for_a_minute(clock: FakeClock) -> None:
    breaker = broken(clock)
    with pytest.raises(LookUpFailed, match=r"PubMed .* asked again in 60 seconds"):
        ask(breaker, fails=False)
    clock.time += 61
    ask(breaker, fails=False)


def test_one_success_forgives(clock: FakeClock) -> None:
    breaker = Breaker("PubMed", clock.clock())
    for fails in (True, True, False, True, True):
        with suppress(LookUpFailed):
            ask(breaker, fails=fails)
    ask(breaker, fails=False)


def test_after_its_rest_one_request_alone_tries_a_service(clock: FakeClock) -> None:
    breaker = broken(clock)
    clock.time += 61
    with breaker.asking():
        for _ in range(2):
            with pytest.raises(LookUpFailed, match=r"PubMed .* another request tries it just now"):
                ask(breaker, fails=False)
    ask(breaker, fails=False)
    with breaker.asking():
        ask(breaker, fails=False)


def test_a_trial_that_fails_leaves_the_service_alone_again(clock: FakeClock) -> None:
    breaker = broken(clock)
    clock.time += 61
    with pytest.raises(LookUpFailed, match="It is down"):
        ask(breaker, fails=True)
    with pytest.raises(LookUpFailed, match="asked again in 60 seconds"):
        ask(breaker, fails=False)


def test_a_trial_that_is_given_up_leaves_room_for_another(clock: FakeClock) -> None:
    breaker = broken(clock)
    clock.time += 61
    with pytest.raises(asyncio.CancelledError), breaker.asking():
        raise asyncio.CancelledError
    ask(breaker, fails=False)


def test_an_answer_that_comes_late_ends_no_pause_that_the_service_wants(clock: FakeClock) -> None:
    breaker = Breaker("PubMed", clock.clock())
    with breaker.asking():
        breaker.rest(30)
    with pytest.raises(LookUpFailed, match="asked again in 30 seconds"):
        ask(breaker, fails=False)


def test_a_failure_that_comes_late_makes_no_pause_longer(clock: FakeClock) -> None:
    breaker = broken(clock)
    clock.time += 50
    breaker.failed()
    with pytest.raises(LookUpFailed, match="asked again in 10 seconds"):
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
