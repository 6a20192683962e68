"""Questions of which nothing is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import structlog

from primum.graph.agent import Agent
from primum.graph.errors import PrimumError, ThreadBusy
from primum.memory.identity import Identity

log = structlog.get_logger(__name__)
AGAIN = 1.0  # seconds after which a conversation that is still being answered is removed
_removing: set["asyncio.Task[None]"] = set()  # a task that nobody holds may be collected before its end


def nobody(tenant: str) -> Identity:
    """A patient whom nobody can list."""
    return Identity(tenant, str(uuid4()))


@asynccontextmanager
async def passing(agent: Agent, identity: Identity, *, of_nobody: bool) -> AsyncIterator[str]:
    """A conversation that goes again, whatever comes of it; with all of its patient if that is nobody.

    Where its reader goes away in the middle of an answer, it is removed once that is there.
    """
    thread = str(uuid4())
    try:
        yield thread
    finally:
        task = asyncio.create_task(_remove(agent, identity, thread, of_nobody=of_nobody))
        _removing.add(task)
        task.add_done_callback(_removing.discard)
        await asyncio.shield(task)


async def _remove(agent: Agent, identity: Identity, thread: str, *, of_nobody: bool) -> None:
    until = asyncio.get_running_loop().time() + agent.resources.settings.turn_timeout + AGAIN
    while True:
        try:
            if of_nobody:
                await agent.resources.erasure.erase(identity, "system")
            else:
                await agent.forget(thread, identity.patient, identity.tenant, "system")
            return
        except ThreadBusy:
            if asyncio.get_running_loop().time() > until:
                log.warning("a passing conversation was not removed", error="ThreadBusy")
                return
            await asyncio.sleep(AGAIN)
        except PrimumError as error:  # it never began, or the database is away
            log.warning("a passing conversation was not removed", error=type(error).__name__)
            return
