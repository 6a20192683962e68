"""Questions of which nothing is kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import structlog

from primum.graph.agent import Agent
from primum.graph.errors import PrimumError
from primum.memory.identity import Identity

log = structlog.get_logger(__name__)


def nobody(tenant: str) -> Identity:
    """A patient whom nobody can list."""
    return Identity(tenant, str(uuid4()))


@asynccontextmanager
async def passing(agent: Agent, identity: Identity, *, of_nobody: bool) -> AsyncIterator[str]:
    """A conversation that goes again, whatever comes of it; with all of its patient if that is nobody."""
    thread = str(uuid4())
    try:
        yield thread
    finally:
        try:
            if of_nobody:
                await agent.resources.erasure.erase(identity, "system")
            else:
                await agent.forget(thread, identity.patient, identity.tenant)
        except PrimumError as error:  # it never began, or goes on without its reader
            log.warning("a passing conversation was not removed", error=type(error).__name__)
