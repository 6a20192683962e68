"""What the tests of the services share: a server on loopback, a guard that may ask it, and a clock that never waits."""

from collections.abc import AsyncIterator

import pytest

from primum.tools.guard import Guard
from tests.apis import FakeAPI, FakeClock


@pytest.fixture
async def api() -> AsyncIterator[FakeAPI]:
    async with FakeAPI() as server:
        yield server


@pytest.fixture
async def guard(api: FakeAPI) -> AsyncIterator[Guard]:
    guard = Guard([api.url])
    yield guard
    await guard.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
