"""The embedded parts of one machine: Postgres and a small model server, shared by all that use a PRIMUM_HOME."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

import structlog
from pydantic import SecretStr

from primum.graph.errors import LocalServerFailed
from primum.graph.settings import Settings
from primum.server.shared import LocalModel, LocalPostgres, Say, Shared

Need = Literal["database", "model"]
BOTH: tuple[Need, ...] = ("database", "model")
DATABASE: tuple[Need, ...] = ("database",)
MODEL: tuple[Need, ...] = ("model",)

log = structlog.get_logger()


@asynccontextmanager
async def embedded(
    settings: Settings, say: Say = lambda _line: None, need: Collection[Need] = BOTH, *, migrate: bool = True
) -> AsyncIterator[Settings]:
    """The settings with the addresses of running servers: those given, embedded ones for the others.

    The embedded ones are attached to where they run, and started where not; the last program that uses one ends it.
    The database's tables are brought up to date, unless `migrate` is false. If the embedded model does not start, its
    address is given all the same: calls to it fail, so that answers are evidence only until it does.

    Raises:
        LocalServerFailed: the embedded Postgres did not start.
        MemoryUnavailable: the database can't be reached, or does not fit.
    """
    parts = local_parts(settings, say, need)
    async with AsyncExitStack() as stack:
        joined = await asyncio.gather(*(_join(stack, part) for part in parts.values()), return_exceptions=True)
        found = dict(zip(parts, joined, strict=True))
        model = parts.get("model")
        if isinstance(model, LocalModel) and isinstance(found["model"], LocalServerFailed):
            say(f"Going on without a model, so that answers are evidence only. {found['model']}")
            log.warning("no_model", reason=str(found["model"]).partition("\n")[0])
            found["model"] = model.address()
        for address in found.values():
            if isinstance(address, BaseException):
                raise address
        ready = settings.model_copy(
            update={
                "database_url": SecretStr(str(found["database"])) if "database" in found else settings.database_url,
                "model_url": found.get("model", settings.model_url),
            }
        )
        if "database" in need and migrate:
            await asyncio.to_thread(_migrate, url_of(ready), say)
        yield ready


def url_of(settings: Settings) -> str:
    """The database's address, which `embedded` has filled in."""
    if settings.database_url is None:
        raise LocalServerFailed("There is no database.")
    return settings.database_url.get_secret_value()


def local_parts(settings: Settings, say: Say, need: Collection[Need]) -> dict[Need, Shared]:
    """The embedded parts that stand in for what is needed and not given."""
    parts: dict[Need, Shared] = {}
    if "database" in need and settings.database_url is None:
        parts["database"] = LocalPostgres(settings.home, say)
    if "model" in need and settings.model_url is None:
        parts["model"] = LocalModel(settings.home, say, settings.model_port)
    return parts


async def _join(stack: AsyncExitStack, part: Shared) -> str:
    """Join a part; cancelled while it starts, wait for that and leave it again."""
    task = asyncio.ensure_future(asyncio.to_thread(part.join))
    try:
        await asyncio.wait([task])
    finally:
        await asyncio.wait([task])
        if task.exception() is None:
            stack.push_async_callback(asyncio.to_thread, part.leave, task.result()[1])
    return task.result()[0]


def _migrate(url: str, say: Say) -> None:
    from primum.memory import schema

    if not schema.fits(url):
        say("Preparing the tables")
        schema.upgrade(url)
