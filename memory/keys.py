"""API keys: who may come in, as whom and for what. Of a key itself only a hash is kept."""

import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, text

from primum.graph.errors import BadInput, Unauthenticated
from primum.memory.scopes import DEFAULT, MAY, SCOPES, Role, Scope
from primum.memory.secret import Secret
from primum.memory.session import Database

_PREFIX = "primum"
_WRONG = "The API key is wrong, ran out or was revoked."
_FIELDS = "id, tenant, name, role, patient, scopes, created_at, expires_at, revoked_at"
_FIND = text(f"""
select {_FIELDS}, hash from api_keys
where id = :id and revoked_at is null and (expires_at > now() or expires_at is null)
""")
_ADD = text(f"""
insert into api_keys (id, tenant, name, role, patient, scopes, hash, expires_at)
values (:id, :tenant, :name, :role, :patient, :scopes, :hash, now() + make_interval(days => :days))
returning {_FIELDS}
""")
_LIST = text(f"select {_FIELDS} from api_keys where tenant = :tenant order by created_at")
_REVOKE = text("""
update api_keys set revoked_at = coalesce(revoked_at, now()) where tenant = :tenant and id = :id returning id
""")


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
    """The keys of an installation. To make, list and revoke them takes the tables' owner."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._secret = secret

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
        kept = bytes(row.hash) if row else bytes(32)
        if not hmac.compare_digest(kept, self._secret.token_hash(token.encode())) or row is None:
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
        row = {
            "id": number,
            "tenant": tenant,
            "name": name,
            "role": role,
            "patient": patient,
            "scopes": list(given),
            "hash": self._secret.token_hash(token.encode()),
            "days": days,
        }
        async with self._database.begin() as connection:
            return token, _key((await connection.execute(_ADD, row)).one())

    async def listed(self, tenant: str) -> Sequence[Key]:
        """A tenant's keys, the oldest first, those too that hold no longer. Raises MemoryUnavailable."""
        async with self._database.begin() as connection:
            return [_key(row) for row in await connection.execute(_LIST, {"tenant": tenant})]

    async def revoke(self, tenant: str, number: str) -> None:
        """From now on nobody comes in with it. Raises BadInput if the tenant has no such key, MemoryUnavailable."""
        async with self._database.begin() as connection:
            if await connection.scalar(_REVOKE, {"tenant": tenant, "id": number}) is None:
                raise BadInput("There is no such key. `primum keys list` shows them.")


def _key(row: Row[tuple[object, ...]]) -> Key:
    fields = row._asdict()
    fields.pop("hash", None)
    return Key(**fields | {"scopes": tuple(fields["scopes"])})
