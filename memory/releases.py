"""Which model each role uses, changed while processes run: a history that is added to and rolled back."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from primum.graph.errors import BadInput
from primum.memory.audit import Audit
from primum.memory.identity import Identity
from primum.memory.roles import ModelRole
from primum.memory.session import APP, Database

_FIELDS = "id, role, model, adapter, card, share, actor, at, ended_at, ended_by"
_LIVE = text(f"select {_FIELDS} from releases where ended_at is null order by id desc")
_HISTORY = text(f"select {_FIELDS} from releases order by id desc limit :limit")
_ADD = text(f"""
insert into releases (role, model, adapter, card, share, actor)
values (:role, :model, :adapter, :card, :share, :actor) returning {_FIELDS}
""").bindparams(bindparam("card", type_=JSONB))
_END = text(f"""
update releases set ended_at = now(), ended_by = :actor
where id = (select id from releases where role = :role and ended_at is null order by id desc limit 1 for update)
returning {_FIELDS}
""")


@dataclass(frozen=True)
class Release:
    """A role's model from `at` until it is rolled back, for this share of the threads.

    `adapter`: the sha256 of what was released, if it could be told. The threads that it does not get go on with the
    release before it.
    """

    id: int
    role: ModelRole
    model: str
    adapter: str | None
    card: Mapping[str, Any]
    share: float
    actor: str
    at: datetime
    ended_at: datetime | None
    ended_by: str | None

    def takes(self, tenant: str, thread: str) -> bool:
        """Whether the thread is of its share: always the same for one thread and model, and of a larger share too."""
        told = hashlib.sha256("\0".join((self.model, tenant, thread)).encode()).digest()
        return int.from_bytes(told[:8]) / 2**64 < self.share


def chosen(live: Sequence[Release], role: ModelRole, tenant: str, thread: str) -> Release | None:
    """The newest live release of a role that takes this thread; none: the settings' model."""
    return next((one for one in live if one.role == role and one.takes(tenant, thread)), None)


class Releases:
    """The releases of an installation. To add one and to roll it back takes the tables' owner."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def live(self) -> tuple[Release, ...]:
        """Those that hold, the newest first. Raises MemoryUnavailable."""
        async with self._database.begin() as connection:
            return tuple(_release(row) for row in await connection.execute(_LIVE))

    async def history(self, limit: int = 50) -> tuple[Release, ...]:
        """The newest, those too that were rolled back. Raises MemoryUnavailable."""
        async with self._database.begin() as connection:
            return tuple(_release(row) for row in await connection.execute(_HISTORY, {"limit": limit}))

    async def use(
        self,
        tenant: str,
        actor: str,
        role: ModelRole,
        model: str,
        *,
        adapter: str | None = None,
        card: Mapping[str, Any] | None = None,
        share: float = 1.0,
    ) -> Release:
        """A role's model from now on, for a share of the threads; noted in the tenant's audit trail.

        Raises:
            BadInput: the share is not above 0 and up to 1.
            MemoryUnavailable: the database can't be reached.
        """
        if not 0 < share <= 1:
            raise BadInput("The share of threads is above 0 and up to 1: 0.1 is one thread in ten.")
        row = {"role": role, "model": model, "adapter": adapter, "card": dict(card or {}), "share": share}
        return await self._change(tenant, actor, "use adapter", _ADD, row)

    async def rollback(self, tenant: str, actor: str, role: ModelRole) -> Release:
        """Ends a role's newest release, so that the one before it holds again. Raises BadInput, MemoryUnavailable."""
        return await self._change(tenant, actor, "roll back adapter", _END, {"role": role})

    async def _change(self, tenant: str, actor: str, action: str, statement: Any, given: Mapping[str, Any]) -> Release:
        identity = Identity(tenant, "")
        async with self._database.begin(identity) as connection:
            row = (await connection.execute(statement, {**given, "actor": actor})).one_or_none()
            if row is None:
                raise BadInput(f"Nothing to roll back: the {given['role']} has the settings' model already.")
            made = _release(row)
            await connection.execute(text(f"set local role {APP}"))
            told = {"release": made.id, "role": made.role, "model": made.model, "adapter": made.adapter}
            await self._audit.add(connection, identity, actor, action, {**told, "share": made.share})
            return made


def _release(row: Row[Any]) -> Release:
    return Release(**row._asdict())
