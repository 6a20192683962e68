"""What a test looks up behind the agent's back: rows as their patient sees them, and a thread's checkpoint."""

from typing import Any

from sqlalchemy import text

from primum.graph.agent import Agent
from primum.memory.identity import Identity
from primum.memory.session import Database

ME = Identity("main", "me")


async def rows(database: Database, statement: str, identity: Identity | None = ME, **given: Any) -> list[Any]:
    """What a statement gives as the application's role, for an identity or for none."""
    async with database.begin(identity) as connection:
        result = await connection.execute(text(statement), given)
        return [tuple(row) for row in result] if result.returns_rows else []


async def state_of(agent: Agent, thread: str = "t", identity: Identity = ME) -> dict[str, Any]:
    """The values of a thread's last checkpoint."""
    ((key,),) = await rows(
        agent.resources.database, "select key from threads where id = :thread", identity, thread=thread
    )
    state = await agent.resources.graph.aget_state({"configurable": {"thread_id": str(key)}})
    return dict(state.values)
