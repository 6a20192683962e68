"""API keys: who may come in, as whom and for what. Of a key itself only a hash is kept."""

import asyncio
import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from sqlalchemy import Row, text

from primum.graph.errors import BadInput, MemoryUnavailable, Unauthenticated
from primum.memory.audit import Audit
from primum.memory.identity import Identity
from primum.memory.scopes import DEFAULT, MAY, SCOPES, Role, Scope
from primum.memory.secret import Secret
from primum.memory.session import APP, Database

KEPT = 3600.0  # seconds for which a key that held is known without the database
SOON = 2.0  # seconds that the database gets to say that it holds still: Prometheus waits for ten
_PREFIX = "primum"
_WRONG = "The API key is wrong, ran out or was revoked."
_FIELDS = "id, tenant, name, role, patient, scopes, created_at, expires_at, revoked_at"
_FIND = text(f"""
select {_FIELDS}, hash, (select secret_check from installation) as secret from api_keys
where id = :id and revoked_at is null and (expires_at > now() or expires_at is null)
""")
# Until the key is made no other secret comes into use, with which its hash would have to be hashed on.
_IN_USE = text("select secret_check from installation for share")
_ADD = text(f"""
insert into api_keys (id, tenant, name, role, patient, scopes, hash, expires_at)
values (:id, :tenant, :name, :role, :patient, :scopes, :hash, now() + make_interval(days => :days))
returning {_FIELDS}
""")
_LIST = text(f"select {_FIELDS} from api_keys where tenant = :tenant order by created_at")
_REVOKE = text("""
update api_keys set revoked_at = coalesce(revoked_at, now()) where tenant = :tenant and id = :id
returning coalesce(patient, '') as patient
""")
_AS_APP = text(f"set local role {APP}")


@dataclass(frozen=True)
class Key:
    """What is kept of a key. `patient`: the only one that a patient's key speaks for."""

    id: str
    tenant: str
    name: str
    role: Role
    patient: str | None
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class Keys:
    """The keys of an installation. To make, list and revoke them takes the tables' owner; the trail tells of it."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._secret = secret
        self._audit = Audit(database, secret)

    async def find(self, token: str) -> Key:
        """The key that a token is.

        Raises:
            Unauthenticated: it is none, ran out or was revoked.
            MemoryUnavailable: the database can't be reached.
        """
        prefix, _, rest = token.partition("_")
        number, _, _ = rest.partition("_")
        if prefix != _PREFIX or not number.isalnum() or not token.isascii():
            raise Unauthenticated(_WRONG)
        async with self._database.begin() as connection:
            await connection.execute(text("select set_config('app.key', :id, true)"), {"id": number})
            row = (await connection.execute(_FIND, {"id": number})).one_or_none()
        self._secret.use(row.secret if row else None)
        if not self._secret.is_token(token.encode(), bytes(row.hash) if row else bytes(32)) or row is None:
            raise Unauthenticated(_WRONG)
        return _key(row)

    async def create(
        self,
        tenant: str,
        name: str,
        role: Role,
        *,
        patient: str | None = None,
        scopes: Collection[str] | None = None,
        days: int | None = None,
        actor: str = "system",
    ) -> tuple[str, Key]:
        """A new key as the token, which can't be shown again, and as what is kept of it.

        Raises:
            BadInput: a patient's key names no patient, another's names one, or the role may not have a scope.
            MemoryUnavailable: the database can't be reached.
        """
        if (role == "patient") != (patient is not None):
            raise BadInput("A key with the role patient names one patient, and a key with another role names none.")
        wanted = DEFAULT[role] if scopes is None else scopes
        if unknown := [one for one in wanted if one not in SCOPES]:
            raise BadInput(f"There is no scope {unknown[0]}: {', '.join(SCOPES)}.")
        given = tuple(one for one in SCOPES if one in wanted)
        if refused := [one for one in given if one not in MAY[role]]:
            raise BadInput(f"A key with the role {role} can't have the scope {refused[0]}: {', '.join(MAY[role])}.")
        if not given:
            raise BadInput(f"A key needs one scope at least: {', '.join(MAY[role])}.")
        number = secrets.token_hex(6)
        token = f"{_PREFIX}_{number}_{secrets.token_urlsafe(32)}"
        row: dict[str, object] = {
            "id": number,
            "tenant": tenant,
            "name": name,
            "role": role,
            "patient": patient,
            "scopes": list(given),
            "days": days,
        }
        identity = Identity(tenant, patient or "")
        async with self._database.begin(identity) as connection:
            self._secret.use(await connection.scalar(_IN_USE))
            row["hash"] = self._secret.token_hash(token.encode())
            made = _key((await connection.execute(_ADD, row)).one())
            await connection.execute(_AS_APP)
            await self._audit.add(connection, identity, actor, "create key", {"key": number, "role": role})
        return token, made

    async def listed(self, tenant: str) -> Sequence[Key]:
        """A tenant's keys, the oldest first, those too that hold no longer. Raises MemoryUnavailable."""
        async with self._database.begin() as connection:
            return [_key(row) for row in await connection.execute(_LIST, {"tenant": tenant})]

    async def revoke(self, tenant: str, number: str, actor: str = "system") -> None:
        """From now on nobody comes in with it. Raises BadInput if the tenant has no such key, MemoryUnavailable."""
        async with self._database.begin(Identity(tenant, "")) as connection:
            patient = await connection.scalar(_REVOKE, {"tenant": tenant, "id": number})
            if patient is None:
                raise BadInput("There is no such key. `primum keys list` shows them.")
            await connection.execute(_AS_APP)
            await self._audit.add(connection, Identity(tenant, patient), actor, "revoke key", {"removed": [number]})


class WatchingKeys(Keys):
    """Keys of who watches how an installation does: one that held a short while ago holds while the database is away.

    That is when they have most to see. A process keeps keys with the scope `operate` for an hour, by a hash that it
    alone can make, and forgets one as soon as it is found to hold no longer.
    """

    def __init__(self, database: Database, secret: Secret) -> None:
        super().__init__(database, secret)
        self._salt = secrets.token_bytes(16)
        self._held: dict[bytes, tuple[float, Key]] = {}

    async def find(self, token: str) -> Key:
        mark = hashlib.blake2b(token.encode(), key=self._salt).digest()
        held = self._remembered(mark)
        try:
            async with asyncio.timeout(None if held is None else SOON):
                key = await super().find(token)
        except Unauthenticated:
            self._held.pop(mark, None)
            raise
        except (MemoryUnavailable, TimeoutError):
            if held is None:
                raise
            return held
        if "operate" in key.scopes:
            self._held[mark] = (monotonic(), key)
        return key

    def _remembered(self, mark: bytes) -> Key | None:
        at, key = self._held.get(mark, (0.0, None))
        if key is None or monotonic() - at > KEPT or (key.expires_at and key.expires_at <= datetime.now(UTC)):
            self._held.pop(mark, None)
            return None
        return key


def _key(row: Row[tuple[object, ...]]) -> Key:
    fields = row._asdict()
    return Key(**{name: fields[name] for name in _FIELDS.split(", ")} | {"scopes": tuple(fields["scopes"])})
