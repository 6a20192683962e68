"""Whether models may be trained with what a patient asked and was answered. Unless somebody says so, they may not."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from primum.memory import exports
from primum.memory.audit import Audit
from primum.memory.exports import TakenOut
from primum.memory.identity import Identity
from primum.memory.session import Database

_READ = text("select consent, consent_at, consent_by from patients where id = :patient")
_TENANT = text("insert into tenants (id) values (:tenant) on conflict do nothing")
_RECORD = text("""
insert into patients (tenant, id, consent, consent_at, consent_by)
values (:tenant, :patient, :given, clock_timestamp(), :actor)
on conflict (tenant, id) do update
set consent = excluded.consent, consent_at = excluded.consent_at, consent_by = excluded.consent_by
returning consent, consent_at, consent_by
""")
_DELETE = text("delete from drafts")


@dataclass(frozen=True)
class Consent:
    """`given` is None where nobody was asked; `removed` drafts, and rows of `exports`, went as it was withdrawn."""

    given: bool | None
    at: datetime | None = None
    by: str | None = None
    removed: int = 0
    exports: TakenOut = field(default_factory=TakenOut)


class Consents:
    """The consents of all patients; each call names whose."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self.database = database
        self.audit = audit

    async def read(self, identity: Identity) -> Consent:
        """What was recorded last. Raises MemoryUnavailable."""
        async with self.database.begin(identity) as connection:
            row = (await connection.execute(_READ, {"patient": identity.patient})).one_or_none()
        return Consent(*row) if row else Consent(None)

    async def record(self, identity: Identity, given: bool, actor: str) -> Consent:
        """Gives or withdraws it; withdrawn, what was kept goes, and its rows leave the exported folders that are there.

        Raises:
            MemoryUnavailable: the database can't be reached.
        """
        who = {"tenant": identity.tenant, "patient": identity.patient}
        async with self.database.begin(identity) as connection:
            await connection.execute(_TENANT, {"tenant": identity.tenant})
            row = (await connection.execute(_RECORD, {**who, "given": given, "actor": actor})).one()
            removed = 0 if given else (await connection.execute(_DELETE)).rowcount
            written = () if given else await exports.of_patient(connection)
            details = {"given": given, "drafts_removed": removed, "exports": [one.folder for one in written]}
            out = await exports.take_out(connection, written, self.audit.secret.pseudonyms(identity))
            await self.audit.add(connection, identity, actor, "consent", details)
        return Consent(row.consent, row.consent_at, row.consent_by, removed, out)
