"""What must not come back with a backup: erased patients, removed facts and conversations, withdrawn consents.

A backup is older than what was erased after it. So the removals are listed outside of it, from the audit trail:
pseudonyms, numbers and times, no name and no word of anybody. Held against a restored database, the list takes
out again what had gone; somebody who came anew after their erasure stays, for they are younger than it.
"""

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from pydantic import ValidationError

from primum.graph.errors import BadInput
from primum.memory.erasure import SEALED, Receipt, is_genuine
from primum.memory.identity import Identity
from primum.memory.secret import Secret

FORMAT = "primum removals 1"
_EVENTS = """
select tenant, at, action, subject, details -> 'removed' from audit_events
where action in ('erase', 'remove facts', 'remove conversation') or action = 'consent' and details ->> 'given' = 'false'
order by at
"""
_THREADS = "(select key::text from threads where tenant = %(tenant)s and patient = %(patient)s)"
_ERASE = (
    *(f"delete from checkpoints.{table} where thread_id in {_THREADS}" for table in SEALED),
    "delete from jobs.procrastinate_jobs where lock = %(key)s",
    "delete from patients where tenant = %(tenant)s and id = %(patient)s",
)
_OF_FACTS = (
    "tenant = %(tenant)s and patient = %(patient)s and id = any(%(removed)s::text[]::int8[]) and recorded_at < %(at)s"
)
_SAME = "c.{side} ->> 'kind' = f.fact ->> 'kind' and c.{side} ->> 'value' = f.fact ->> 'value'"
_FORGET = (
    f"""
    delete from contradictions c using (select fact from facts where {_OF_FACTS}) f
    where c.tenant = %(tenant)s and c.patient = %(patient)s and c.told_at < %(at)s
      and (({_SAME.format(side="known")}) or ({_SAME.format(side="new")}))
    """,
    f"delete from facts where {_OF_FACTS}",
)
_KEYS = "tenant = %(tenant)s and patient = %(patient)s and key::text = any(%(removed)s) and created_at < %(at)s"
_LEAVE = (
    *(
        f"delete from checkpoints.{table} where thread_id in (select key::text from threads where {_KEYS})"
        for table in SEALED
    ),
    f"delete from threads where {_KEYS}",
)
_WITHDRAW = (
    "delete from drafts where tenant = %(tenant)s and patient = %(patient)s and at < %(at)s",
    """
    update patients set consent = false, consent_at = %(at)s, consent_by = 'removals'
    where tenant = %(tenant)s and id = %(patient)s and (consent_at is null or consent_at < %(at)s)
    """,
)
_AGAIN = {"erase": _ERASE, "remove facts": _FORGET, "remove conversation": _LEAVE, "consent": _WITHDRAW}


@dataclass(frozen=True)
class Removal:
    """One of them. `subject` is the patient's pseudonym; `removed` are numbers of facts or keys of conversations."""

    tenant: str
    at: datetime
    action: str
    subject: str
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removals:
    """A list, and until when it tells all; None for receipts, each of which tells of its own erasure alone."""

    removals: Sequence[Removal]
    made_at: datetime | None = None


@dataclass(frozen=True)
class Again:
    """How many patients, facts, conversations and consents were taken out again."""

    patients: int = 0
    facts: int = 0
    conversations: int = 0
    consents: int = 0


def listed(connection: psycopg.Connection[Any]) -> Removals:
    """All that the trails tell of, of a connection that sees every tenant's (`primum.memory.backup.sees_all`)."""
    made_at = datetime.now(UTC)
    return Removals(
        [
            Removal(tenant, at.astimezone(UTC), action, subject, tuple(map(str, removed or ())))
            for tenant, at, action, subject, removed in connection.execute(_EVENTS)
        ],
        made_at,
    )


def write(removals: Removals, path: Path, secret: Secret) -> None:
    """As JSON lines; the last one proves the others. A list that was there gives way when this one is whole."""
    made_at = removals.made_at.isoformat() if removals.made_at else None
    lines = [
        {"format": FORMAT, "made_at": made_at},
        *({**vars(one), "at": one.at.isoformat()} for one in removals.removals),
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    text += json.dumps({"proof": secret.proof(text.encode()).hex()}) + "\n"
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def read(path: Path, secret: Secret) -> Removals:
    """A list, or one receipt of `primum erase`.

    Raises:
        BadInput: it is neither, was changed, or is another installation's.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"{path} can't be read.") from None
    try:
        return _receipt(Receipt.model_validate_json(text), path, secret)
    except ValidationError:
        return _list(text, path, secret)


def _receipt(receipt: Receipt, path: Path, secret: Secret) -> Removals:
    if not is_genuine(receipt) or receipt.public_key != secret.sign(b"")[1]:
        raise BadInput(f"{path} is not a receipt of this installation, or was changed.")
    subject = secret.pseudonym(Identity(receipt.tenant, receipt.patient))
    return Removals([Removal(receipt.tenant, receipt.erased_at, "erase", subject)])


def _list(text: str, path: Path, secret: Secret) -> Removals:
    *lines, last = text.splitlines(keepends=True) or [""]
    try:
        head, *rows = [json.loads(line) for line in lines]
        proof = bytes.fromhex(json.loads(last)["proof"])
        known = head["format"] == FORMAT
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{path} is neither a list of removals nor a receipt.") from None
    if not known or not hmac.compare_digest(proof, secret.proof("".join(lines).encode())):
        raise BadInput(f"{path} was changed, or is the list of another installation.")
    given = [row | {"at": datetime.fromisoformat(row["at"]), "removed": tuple(row["removed"])} for row in rows]
    return Removals([Removal(**row) for row in given], datetime.fromisoformat(head["made_at"]))


def take_out(connection: psycopg.Connection[Any], removals: Iterable[Removal], secret: Secret) -> Again:
    """Takes out again what is older than its removal, in the transaction of a connection that may change every row."""
    patients = {
        secret.pseudonym(Identity(tenant, patient)): (tenant, patient, key, created_at)
        for tenant, patient, key, created_at in connection.execute(
            "select tenant, id, key::text, created_at from patients"
        )
    }
    gone = dict.fromkeys(_AGAIN, 0)
    for removal in removals:
        if removal.subject not in patients:
            continue
        tenant, patient, key, created_at = patients[removal.subject]
        if created_at >= removal.at:
            continue
        given = {"tenant": tenant, "patient": patient, "key": key, "at": removal.at, "removed": list(removal.removed)}
        last = 0
        for statement in _AGAIN[removal.action]:
            last = connection.execute(statement.encode(), given).rowcount
        gone[removal.action] += last
        if removal.action == "erase":
            del patients[removal.subject]
    return Again(*gone.values())
