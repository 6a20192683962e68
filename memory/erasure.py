"""Forgetting on demand and by age: everything of a patient, everywhere, with a signed receipt of what went."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.graph.errors import ThreadBusy, UnknownPatient
from primum.memory import exports, jobs
from primum.memory.audit import Audit
from primum.memory.exports import TakenOut
from primum.memory.identity import Identity
from primum.memory.session import CHORE, Database
from primum.safety.remembered import forget_texts

# A patient's rows, in the order in which they are counted; they go with the patient's own row.
OWN = (
    "threads",
    "turns",
    "facts",
    "contradictions",
    "effects",
    "summaries",
    "feedback",
    "reviews",
    "drafts",
    "exports",
)
# LangGraph's, by the keys of the patient's threads.
SEALED = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
BUSY = "A question of this patient is still being answered. Wait for its answer, then erase."

_LOCK = text("select key from patients where id = :patient for update")
_RUNNING = text("select from turns where status in ('queued', 'running') and lease_until > now() limit 1")
_GONE = text("delete from patients where id = :patient")
# Row-level security leaves those of the patient for whom the transaction is.
_KEYS = text("delete from api_keys")
_ENDED_KEYS = text("delete from api_keys where revoked_at is not null or expires_at <= now()")
_OLD_THREADS = text("""
select tenant, patient, id from threads where updated_at < now() - make_interval(days => :days) order by updated_at
""")
_OLD_PATIENTS = text("""
select tenant, id as patient from patients p where created_at < now() - make_interval(days => :days)
and not exists (select from threads t where t.tenant = p.tenant and t.patient = p.id)
""")
_LATEST_FACT = text("select max(recorded_at) > now() - make_interval(days => :days) from facts")
_ORPHANS = """
delete from checkpoints.{table} c where not exists (select from threads t where t.key::text = c.thread_id)
"""

log = structlog.get_logger(__name__)


class Receipt(BaseModel):
    """What was erased. The signature (Ed25519) is over all other fields; see `is_genuine`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str
    patient: str
    erased_at: datetime
    counts: Mapping[str, int]
    exports: TakenOut | None = None  # of training rows; None where there never were any
    audit_head: str
    signature: str = ""
    public_key: str = ""


class Erasure:
    """Removes patients, and what is older than it may be."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self.database = database
        self.audit = audit

    async def erase(self, identity: Identity, actor: str, *, keys: bool = True) -> Receipt:
        """Removes everything of a patient, in one transaction, and what this process remembers of texts.

        Their API keys too, so that nobody comes in as them any more; with `keys` false those that hold stay.

        Raises:
            UnknownPatient: there is nothing of such a patient.
            ThreadBusy: a question of theirs is being answered.
        """
        async with self.database.begin(identity) as connection:
            found = await connection.scalar(_LOCK, {"patient": identity.patient})
            ended = await connection.execute(_KEYS if keys else _ENDED_KEYS)
            if found is None and not ended.rowcount:
                raise UnknownPatient("There is nothing of such a patient.")
            if (await connection.execute(_RUNNING)).first() is not None:
                raise ThreadBusy(BUSY)
            counts = {table: await _count(connection, table) for table in OWN}
            written = await exports.of_patient(connection)
            counts["api_keys"] = ended.rowcount
            counts["jobs"] = await jobs.forget(connection, identity)
            for table in SEALED:
                gone = await connection.execute(
                    text(f"delete from checkpoints.{table} where thread_id in (select key::text from threads)")
                )
                counts[table] = gone.rowcount
            # Before their rows are gone from here: a folder that can't be written must not be forgotten.
            out = (
                await exports.take_out(connection, written, self.audit.secret.pseudonyms(identity)) if written else None
            )
            await connection.execute(_GONE, {"patient": identity.patient})
            details = {"counts": counts} if keys else {"counts": counts, "by_age": True}
            head = await self.audit.add(connection, identity, actor, "erase", details)
        forget_texts()
        receipt = Receipt(
            tenant=identity.tenant,
            patient=identity.patient,
            erased_at=datetime.now(UTC),
            counts=counts,
            exports=out,
            audit_head=head.hex(),
        )
        signature, public_key = self.audit.secret.sign(_signed(receipt))
        return receipt.model_copy(update={"signature": signature, "public_key": public_key})

    async def retain(self, days: int | None) -> None:
        """Removes what is older than `days`: threads, then patients of whom nothing newer is known.

        And, whatever `days` is, checkpoints whose thread is gone: a process that was taken for dead may leave one.
        """
        await self.sweep()
        if days is None:
            return
        async with self.database.begin_as_worker(CHORE) as connection:
            threads = (await connection.execute(_OLD_THREADS, {"days": days})).all()
        for tenant, patient, thread in threads:
            identity = Identity(tenant, patient)
            async with self.database.begin(identity) as connection:
                if (await connection.execute(_RUNNING)).first() is None:
                    await connection.execute(text("delete from threads where id = :thread"), {"thread": thread})
                    await self.audit.add(connection, identity, "system", "retain", {"threads": 1, "days": days})
        forget_texts()
        await self.sweep()
        async with self.database.begin_as_worker(CHORE) as connection:
            patients = (await connection.execute(_OLD_PATIENTS, {"days": days})).all()
        for tenant, patient in patients:
            identity = Identity(tenant, patient)
            async with self.database.begin(identity) as connection:
                known = await connection.scalar(_LATEST_FACT, {"days": days})
            if not known:
                await self.erase(identity, "system", keys=False)
        log.info("memory.retained", days=days, threads=len(threads), patients=len(patients))

    async def sweep(self) -> None:
        """Removes checkpoints of threads that are gone."""
        async with self.database.begin_as_worker(CHORE) as connection:
            for table in SEALED:
                await connection.execute(text(_ORPHANS.format(table=table)))


def is_genuine(receipt: Receipt) -> bool:
    """Whether a receipt was signed by the holder of its public key, and not changed since."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(receipt.public_key))
    try:
        key.verify(base64.b64decode(receipt.signature), _signed(receipt))
    except InvalidSignature:
        return False
    return True


def _signed(receipt: Receipt) -> bytes:
    fields: dict[str, Any] = receipt.model_dump(mode="json", exclude={"signature", "public_key"})
    if receipt.exports is None:
        del fields["exports"]  # as receipts were signed before there were any
    return json.dumps(fields, sort_keys=True, ensure_ascii=False).encode()


async def _count(connection: AsyncConnection, table: str) -> int:
    return int(await connection.scalar(text(f"select count(*) from {table}")) or 0)
